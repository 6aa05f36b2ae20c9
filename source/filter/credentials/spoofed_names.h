// Headers that only the filter may fill: what clients send under these names goes, whatever is asked of the request.
//
// Names with "_" or "." where one of them has "-" go, too: to many servers they are the same. Immutable, used by all
// workers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"

namespace sluice::filter {

bool alikeInPlain(std::string_view a, std::string_view b);
// The same to some server: "-", "_" and "." are one. Both in lower case.
inline bool alike(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a == b || alikeInPlain(a, b));
}

// Removes each field whose name is like that one.
inline void removeAlike(http::HeaderList& headers, std::string_view name) {
  headers.removeIf([name](const http::Field& field) { return alike(field.name, name); });
}

class SpoofedNames {
 public:
  // In lower case.
  void add(std::string_view name);
  void removeFrom(http::HeaderList& headers) const {
    if (!names_.empty()) headers.removeIf([this](const http::Field& field) { return holds(field.name); });
  }
  bool holds(std::string_view name) const {
    // Most names differ from all of these in their length.
    return (sizes_ >> (name.size() & 63) & 1) != 0 && holdsOneLike(name);
  }

 private:
  bool holdsOneLike(std::string_view name) const;

  std::vector<std::string> names_;
  uint64_t sizes_ = 0;  // a bit for each length, modulo 64
};

}  // namespace sluice::filter
