#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "source/base/json_slice.h"

// What is cut out of a text is what a parser that keeps all of it has there.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::base;
  using Json = nlohmann::json;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find('\0') != std::string_view::npos) {  // the end, to this parser
    if (isJson(text)) std::abort();
    return 0;
  }
  const Json document = Json::parse(text.begin(), text.end(), nullptr, false);
  if (isJson(text) == document.is_discarded()) std::abort();
  if (document.is_discarded()) return 0;
  const std::string compact = compacted(text.substr(text.starts_with("\xef\xbb\xbf") ? 3 : 0));
  if (compact.size() > text.size() || Json::parse(compact, nullptr, false) != document) std::abort();
  forEachMember(compact, [&document](std::string_view key, std::string_view) {
    if (!document.contains(unquoted(key))) std::abort();
  });
  for (const std::vector<std::string>& path :
       std::vector<std::vector<std::string>>{{}, {"a"}, {"a", "b"}, {"0"}, {"1", "a"}, {"a", "0", "0"}}) {
    const Json* at = &document;
    for (const std::string& step : path) {
      const bool inside = at != nullptr && at->is_object() && at->contains(step);
      const size_t place = step == "0" ? 0 : step == "1" ? 1 : SIZE_MAX;
      const bool in_list = at != nullptr && at->is_array() && place < at->size();
      at = inside ? &(*at)[step] : in_list ? &(*at)[place] : nullptr;
    }
    const auto slice = sliceOf(text, path);
    if (slice.has_value() != (at != nullptr)) std::abort();
    if (slice && Json::parse(slice->begin(), slice->end(), nullptr, false) != *at) std::abort();
  }
  return 0;
}
