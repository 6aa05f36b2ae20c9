#include "source/http/name_forms.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "source/base/ascii.h"

namespace sluice::http {
namespace {

bool before(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return base::lower(x) < base::lower(y); });
}

bool hasUpperCase(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// Calls `visit` with the name of each line that has one.
template <typename Visit>
void forEachName(std::string_view lines, Visit visit) {
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size() - 1);
    const std::string_view line = lines.substr(0, end);
    const size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon != std::string_view::npos && name.find(' ') == std::string_view::npos) visit(name);
    lines.remove_prefix(end + 1);
  }
}

}  // namespace

const NameForms* NameForms::read(std::string_view lines, bool proper_others, base::Arena& arena) {
  uint32_t count = 0;
  forEachName(lines, [&](std::string_view) { ++count; });
  std::string_view* const names = arena.allocateArray<std::string_view>(count);
  std::string_view* end = names;
  forEachName(lines, [&](std::string_view name) { *end++ = name; });
  // Forms of one name in the order in which they came.
  std::sort(names, end, [](std::string_view a, std::string_view b) {
    return before(a, b) || (!before(b, a) && a.data() < b.data());
  });
  end = std::unique(names, end, [](std::string_view a, std::string_view b) { return !before(a, b); });
  // Those that are in lower case stay where others are written otherwise.
  if (!proper_others) end = std::remove_if(names, end, [](std::string_view name) { return !hasUpperCase(name); });
  for (std::string_view* name = names; name != end; ++name) *name = arena.copy(*name);
  return new (arena.allocate(sizeof(NameForms))) NameForms(names, static_cast<uint32_t>(end - names), proper_others);
}

const NameForms* NameForms::copy(base::Arena& arena) const {
  std::string_view* const names = arena.allocateArray<std::string_view>(count_);
  for (uint32_t i = 0; i < count_; ++i) names[i] = arena.copy(names_[i]);
  return new (arena.allocate(sizeof(NameForms))) NameForms(names, count_, proper_others_);
}

void NameForms::apply(char* name, size_t size) const {
  const std::string_view wanted(name, size);
  const std::string_view* const found = std::lower_bound(names_, names_ + count_, wanted, before);
  if (found != names_ + count_ && !before(wanted, *found)) {
    std::memcpy(name, found->data(), size);
  } else if (proper_others_) {
    writeProperCase(name, size);
  }
}

void writeProperCase(char* name, size_t size) {
  bool begins = true;
  for (char* c = name; c != name + size; ++c) {
    const bool letter = *c >= 'a' && *c <= 'z';
    if (begins && letter) *c = static_cast<char>(*c & ~0x20);
    begins = !letter && !(*c >= '0' && *c <= '9');
  }
}

}  // namespace sluice::http
