#include "source/upstream/kept_body.h"

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::upstream {
namespace {

// Takes what is sent.
struct Sink {
  bool open() const { return is_open; }
  void sendData(std::string_view data, bool end) {
    sent.emplace_back(data);
    ended = ended || end;
    if (const auto once = std::exchange(on_data, nullptr)) once();
  }
  std::string text() const {
    std::string out;
    for (const std::string& each : sent) out += each;
    return out;
  }

  bool is_open = true;
  std::vector<std::string> sent;
  bool ended = false;
  std::function<void()> on_data;  // once
};

std::string large() {
  std::string out;
  for (size_t i = 0; i < 5 * KeptBody::kSlice / 2; ++i) out += static_cast<char>('a' + i % 23);
  return out;
}

TEST_CASE("what waits is kept whole once it was sent, with what follows") {
  KeptBody body(4);
  body.hold("ab");
  body.keep({});
  body.keep("cd");
  CHECK(body.whole());
  CHECK(body.text() == "abcd");
}

TEST_CASE("a body that grows too large is not kept at all") {
  KeptBody body(4);
  body.keep("abc");
  body.keep("de");
  CHECK_FALSE(body.whole());
  CHECK(body.empty());
  body.keep("f");
  CHECK(body.empty());
}

TEST_CASE("more than is kept may wait, and goes once it was sent") {
  KeptBody body(4);
  body.hold("abcdef");
  CHECK(body.whole());
  CHECK(body.text() == "abcdef");
  body.keep({});
  CHECK_FALSE(body.whole());
}

TEST_CASE("a large body is kept and sent in slices, as often as it has to be") {
  const std::string body = large();
  KeptBody kept(body.size());
  for (size_t at = 0; at < body.size(); at += 1000) kept.keep(std::string_view(body).substr(at, 1000));
  CHECK(kept.text() == body);
  for (int attempt = 0; attempt < 2; ++attempt) {
    Sink sink;
    kept.sendTo(sink, true);
    CHECK(sink.sent.size() == 3);
    CHECK(sink.text() == body);
    CHECK(sink.ended);
  }
  Sink open_end;
  kept.sendTo(open_end, false);
  CHECK_FALSE(open_end.ended);
}

TEST_CASE("of a body that is empty only the end is sent") {
  KeptBody body(4);
  Sink goes_on, ends;
  body.sendTo(goes_on, false);
  body.sendTo(ends, true);
  CHECK(goes_on.sent.empty());
  CHECK(ends.sent.size() == 1);
  CHECK(ends.ended);
}

TEST_CASE("no more is sent on an attempt that is over, of what is forgotten, or once it was sent anew") {
  KeptBody body(100 * KeptBody::kSlice);
  body.hold(large());
  Sink sink;
  size_t expected = 1;
  SECTION("over") {
    sink.on_data = [&] { sink.is_open = false; };
  }
  SECTION("forgotten") {
    sink.on_data = [&] { body.forget(); };
  }
  SECTION("sent anew") {
    sink.on_data = [&] { body.sendTo(sink, true); };
    expected = 4;
  }
  body.sendTo(sink, true);
  CHECK(sink.sent.size() == expected);
}

}  // namespace
}  // namespace sluice::upstream
