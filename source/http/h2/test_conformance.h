// The rows of a table of rules: what a peer sends, and what has to come of it. A rule that names a stream error may be
// answered by a connection error as well (RFC 9113 section 5.4): such rows name the one that we give.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "source/http/h2/test_peer.h"

namespace sluice::http::h2 {

struct Expect {
  enum class Kind { kOk, kStream, kConnection } kind;
  uint32_t code = 0;
  uint32_t stream = 1;
  std::string frames = {};  // where it is ok: what has to be among the answers
};

inline Expect ok(std::string frames = {}) {
  return {Expect::Kind::kOk, 0, 1, std::move(frames)};
}
inline Expect streamError(uint32_t code, uint32_t stream = 1) {
  return {Expect::Kind::kStream, code, stream};
}
inline Expect connectionError(uint32_t code) {
  return {Expect::Kind::kConnection, code};
}

// A whole request by literals only.
inline std::string plainBlock() {
  return literal(":method", "GET") + literal(":scheme", "https") + literal(":path", "/") + literal(":authority", "a");
}

template <typename Peer>
struct Case {
  const char* section;
  const char* rule;
  std::function<std::string(Peer&)> bytes;
  Expect expect;
  bool settled = true;
};

template <typename Peer>
void check(const Case<Peer>& row, Peer& peer, const std::string& bytes, bool bytewise) {
  INFO(row.section << ": " << row.rule << (bytewise ? " (byte by byte)" : ""));
  bool fine = true;
  for (size_t i = 0; fine && i < bytes.size(); i += bytewise ? 1 : bytes.size()) {
    fine = peer.feed(bytewise ? std::string_view(bytes).substr(i, 1) : std::string_view(bytes));
  }
  const std::string frames = "\n" + peer.frames();
  INFO(frames << (peer.error ? peer.error->detail : ""));
  CHECK(peer.reader.whole());
  const size_t goaway = frames.find("\nGOAWAY ");
  switch (row.expect.kind) {
    case Expect::Kind::kOk:
      CHECK(fine);
      CHECK(goaway == std::string::npos);
      CHECK(frames.find("\nRST_STREAM") == std::string::npos);
      CHECK(frames.find(row.expect.frames) != std::string::npos);
      break;
    case Expect::Kind::kStream:
      CHECK(fine);
      CHECK(goaway == std::string::npos);
      CHECK(frames.find("\nRST_STREAM " + std::to_string(row.expect.stream) + " " + std::to_string(row.expect.code) +
                        "\n") != std::string::npos);
      CHECK(frames.find(row.expect.frames) != std::string::npos);
      break;
    case Expect::Kind::kConnection: {
      CHECK(!fine);
      CHECK(goaway != std::string::npos);
      const std::string line = frames.substr(goaway + 1, frames.find('\n', goaway + 1) - goaway - 1);
      CHECK(line.ends_with(" " + std::to_string(row.expect.code)));
      break;
    }
  }
}

}  // namespace sluice::http::h2
