// Where requests show their API key.
// Thread: the worker of the stream; sources are immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"

namespace sluice::filter {

struct KeySource {
  enum class Place : uint8_t { kHeader, kQuery, kCookie };
  Place place = Place::kHeader;
  std::string name;  // of a header: in lower case
};

struct ShownKey {
  std::string_view key;  // empty: none
  bool several = false;  // which of them counts here need not be the one that counts for others
};

// The key at the first of `sources` that has one, without "Bearer " in front of that of a header, and decoded if it is
// of the query. Lives as long as the head.
ShownKey shownKey(const std::vector<KeySource>& sources, const http::RequestHeaders& headers);

// Takes everything that stands at any of `sources` off the head.
void hideKeys(const std::vector<KeySource>& sources, http::RequestHeaders& headers);

}  // namespace sluice::filter
