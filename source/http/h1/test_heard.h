// What an owner hears of bytes, which must not depend on how they are cut into pieces; for tests of both codecs.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "source/http/h1/test_recorder.h"

namespace sluice::http::h1 {

// `end`: the peer finishes behind `bytes`.
template <typename Recorder, typename... Args>
std::string heardBy(std::string_view bytes, bool end, const Args&... args) {
  const SplitResult result = feedEveryWay<Recorder>(bytes, end, args...);
  INFO("input: " << bytes);
  INFO("one piece: " << result.record);
  INFO("other pieces: " << result.differing);
  CHECK(result.same);
  return result.record;
}

}  // namespace sluice::http::h1
