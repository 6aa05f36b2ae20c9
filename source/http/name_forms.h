// How the peer wrote the names of a message's fields: "X-Request-ID" for the x-request-id that the list has. Only for
// who asks for it (proto: Http1ProtocolOptions.HeaderKeyFormat); a list has none otherwise.
//
// In the arena of the list; immutable. Thread: the worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "source/base/arena.h"

namespace sluice::http {

class NameForms {
 public:
  // Reads the lines of a head or trailer section as it came; the first one, too, if it is a field. Of a name that is
  // there more than once the first form counts. `proper_others`: names that are not among them are written "Like-This".
  static const NameForms* read(std::string_view lines, bool proper_others, base::Arena& arena);
  // The same in another arena.
  const NameForms* copy(base::Arena& arena) const;

  // Rewrites the lower-case name in place.
  void apply(char* name, size_t size) const;

 private:
  NameForms(std::string_view* names, uint32_t count, bool proper_others)
      : names_(names), count_(count), proper_others_(proper_others) {}

  std::string_view* names_;  // in order of their lower-case form
  uint32_t count_;
  bool proper_others_;
};

// "content-type" -> "Content-Type", in place.
void writeProperCase(char* name, size_t size);

}  // namespace sluice::http
