#include "source/extensions/filters/http/json_to_metadata/json_values.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "source/base/json_slice.h"

namespace sluice::extensions::http_filters::json_to_metadata {
namespace {

using Json = nlohmann::json;

// nullopt: null, an object or a list.
std::optional<JsonScalar> scalarOf(std::string_view text) {
  if (text.front() == '"') return base::unquoted(text);
  if (text.front() == '{' || text.front() == '[') return std::nullopt;
  const Json value = Json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_float()) return value.get<double>();
  if (!value.is_number()) return std::nullopt;
  constexpr auto kLargest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const bool too_large = value.is_number_unsigned() && value.get<uint64_t>() > kLargest;
  return too_large ? JsonScalar(value.get<double>()) : JsonScalar(value.get<int64_t>());
}

std::optional<JsonScalar> valueAt(std::string_view text, const JsonPath& path) {
  std::optional<std::string_view> at = base::sliceOf(text, {});
  for (const std::string& key : path) {
    if (!at->starts_with('{')) return std::nullopt;  // a key leads through no list
    at = base::sliceOf(*at, {key});
    if (!at) return std::nullopt;
  }
  return scalarOf(*at);
}

}  // namespace

std::optional<std::vector<std::optional<JsonScalar>>> readJsonValues(std::string_view text,
                                                                     const std::vector<JsonPath>& paths) {
  if (!base::isJson(text)) return std::nullopt;
  std::vector<std::optional<JsonScalar>> out;
  for (const JsonPath& path : paths) out.push_back(valueAt(text, path));
  return out;
}

}  // namespace sluice::extensions::http_filters::json_to_metadata
