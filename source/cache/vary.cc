#include "source/cache/vary.h"

#include <algorithm>

#include "source/base/ascii.h"
#include "source/base/text.h"
#include "source/cache/list_reader.h"

namespace sluice::cache {

namespace {
constexpr size_t kMaxNames = 16;
}

std::optional<VaryNames> varyOf(const http::HeaderList& response) {
  VaryNames names;
  for (const http::Field& field : response) {
    if (field.id != http::Name::kVary) continue;
    ListReader reader(field.value);
    while (const auto member = reader.next()) {
      if (*member == "*" || names.size() == kMaxNames) return std::nullopt;
      names.push_back(base::lowered(*member));
    }
    if (reader.broken()) return std::nullopt;
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string variantOf(const VaryNames& names, const http::HeaderList& request) {
  std::string out;
  for (const std::string& name : names) {
    base::strAppend(out, name, ":");
    // The length in front of each value keeps two values apart from one that has a separator in it.
    for (const http::Field& field : request) {
      if (field.name == name) base::strAppend(out, field.value.size(), "=", field.value, ";");
    }
    out += '\n';
  }
  return out;
}

}  // namespace sluice::cache
