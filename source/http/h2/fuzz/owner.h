// Owners for the fuzz targets: they answer by a script made from the input's first bytes, and abort when the codec
// breaks what source/http/codec.h promises.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/h2/test_peer.h"

namespace sluice::http::h2 {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

// Bytes that decide what an owner does next; over and over the same few.
class Script {
 public:
  explicit Script(uint32_t seed) : state_(seed) {}
  uint32_t next(uint32_t below) {
    state_ = state_ * 1664525 + 1013904223;
    return (state_ >> 16) % below;
  }

 private:
  uint32_t state_;
};

// What was heard of a stream, in the order that is allowed.
struct Heard {
  bool head = false;
  bool ended = false;
  bool reset = false;
};

inline void heardHead(Heard& heard, bool end) {
  require(!heard.head && !heard.ended && !heard.reset, "one head, and nothing behind an end");
  heard.head = true;
  heard.ended = end;
}
inline void heardBody(Heard& heard, bool end) {
  require(heard.head && !heard.ended && !heard.reset, "a body behind a head, and nothing behind an end");
  heard.ended = end;
}
inline void heardReset(Heard& heard) {
  require(!heard.reset, "one reset");
  heard.reset = true;
}

inline void checkFields(const HeaderList& list) {
  for (const Field& field : list) {
    require(!field.name.empty() && field.name[0] != ':', "fields have names, pseudo-headers are none");
    for (const char c : field.name) {
      require(c > 0x20 && c < 0x7f && c != ':' && (c < 'A' || c > 'Z'), "names are tokens in lower case");
    }
    for (const char c : field.value) require(c != '\r' && c != '\n' && c != '\0', "values do not end lines");
    require(nameOf(field.name) == field.id, "a field has the id of its name");
  }
}

// What the owners of both sides have. `Head` is that of the messages that they read; `act(stream)` of the class that
// derives from it does something for a stream.
template <typename Head>
class ScriptedOwner {
 public:
  StringSink sink;
  std::map<StreamId, Heard> heard;

 protected:
  explicit ScriptedOwner(uint32_t seed) : script_(seed) {}

  template <typename Codec>
  static void sendTrailers(Codec& codec, StreamId stream) {
    base::Arena arena;
    Trailers trailers(arena);
    trailers.add("x-sum", "1");
    codec.sendTrailers(stream, trailers);
  }

  std::map<StreamId, std::unique_ptr<Message<Head>>> message_;
  Script script_;
};

// Something for each stream outside of events.
template <typename Owner>
void actOnAll(Owner& owner) {
  for (const auto& [stream, heard] : owner.heard) owner.act(stream);
}

// Feeds `bytes` and the end to the owner's codec, in one piece if `whole`, and checks what it writes. `broken()` is
// called at an error, behind which nothing is fed.
template <typename Owner, typename Broken>
void play(Owner& owner, std::string_view bytes, uint32_t seed, bool whole, Broken broken) {
  FrameReader reader;
  Script cuts(seed);
  while (!bytes.empty()) {
    const size_t piece = std::min<size_t>(bytes.size(), whole ? bytes.size() : 1 + cuts.next(60));
    // A copy of exactly this size, so that a sanitizer sees any look beyond it.
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(piece));
    bytes.remove_prefix(piece);
    if (owner.codec->receive({exact.data(), exact.size()})) {
      broken();
      break;
    }
    if (cuts.next(4) == 0) actOnAll(owner);
  }
  (void)owner.codec->receiveEnd();
  actOnAll(owner);
  for (const std::string& line : reader.read(owner.sink.take())) {
    require(line.find("BAD_BLOCK") == std::string::npos, "header blocks of ours can be read");
  }
  require(reader.whole(), "whole frames are written");
}

}  // namespace sluice::http::h2
