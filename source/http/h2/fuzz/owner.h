// Owners for the fuzz targets: they answer by a script made from the input's first bytes, and abort when the codec
// breaks what source/http/codec.h promises.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

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

}  // namespace sluice::http::h2
