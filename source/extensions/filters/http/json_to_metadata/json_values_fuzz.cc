#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "source/extensions/filters/http/json_to_metadata/json_values.h"

namespace {

using namespace sluice::extensions::http_filters::json_to_metadata;
using Json = nlohmann::json;

// Whether a whole document has a scalar where the path leads.
bool hasScalar(const Json& document, const JsonPath& path) {
  const Json* at = &document;
  for (const std::string& key : path) {
    if (!at->is_object() || !at->contains(key)) return false;
    at = &(*at)[key];
  }
  return at->is_primitive() && !at->is_null();
}

}  // namespace

// What is read without keeping the text is what a parser that keeps it finds.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<JsonPath> paths{{"a"}, {"a", "b"}, {"a", "b", "c"}, {"n"}, {""}};
  const auto found = readJsonValues(text, paths);
  if (text.find('\0') != std::string_view::npos) {  // the end, to this parser
    if (found) std::abort();
    return 0;
  }
  const Json document = Json::parse(text.begin(), text.end(), nullptr, false);
  if (found.has_value() == document.is_discarded()) std::abort();
  if (!found) return 0;
  for (size_t i = 0; i < paths.size(); ++i) {
    if ((*found)[i].has_value() != hasScalar(document, paths[i])) std::abort();
  }
  return 0;
}
