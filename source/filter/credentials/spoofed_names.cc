#include "source/filter/credentials/spoofed_names.h"

#include <algorithm>

namespace sluice::filter {
namespace {

constexpr char plain(char c) {
  return c == '_' || c == '.' ? '-' : c;
}

}  // namespace

bool alikeInPlain(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return plain(x) == plain(y); });
}

void SpoofedNames::add(std::string_view name) {
  if (holdsOneLike(name)) return;
  names_.emplace_back(name);
  sizes_ |= uint64_t{1} << (name.size() & 63);
}

bool SpoofedNames::holdsOneLike(std::string_view name) const {
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& known) { return alike(known, name); });
}

}  // namespace sluice::filter
