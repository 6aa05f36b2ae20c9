#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "source/extensions/filters/http/transform/body_json.h"

// What is read of a text and merged with another is what a parser that keeps documents finds there. The two texts stand
// with a NUL between.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::extensions::http_filters::transform;
  using Json = nlohmann::json;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view text = input.substr(0, input.find('\0'));
  const std::string_view changes = text.size() == size ? std::string_view("{}") : input.substr(text.size() + 1);

  const auto values = readValues(text, {{"a"}, {"a", "b"}, {}});
  if (!values) return 0;
  Json document = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!document.is_object()) std::abort();
  const Json* const a = document.contains("a") && !document["a"].is_null() ? &document["a"] : nullptr;
  if (values->at(0).has_value() != (a != nullptr)) std::abort();
  if (a != nullptr && a->is_string() && values->at(0)->text != a->get_ref<const std::string&>()) std::abort();
  if (a != nullptr && !a->is_string() && Json::parse(values->at(0)->text, nullptr, false) != *a) std::abort();
  const bool has_b = a != nullptr && a->is_object() && a->contains("b") && !a->at("b").is_null();
  if (values->at(1).has_value() != has_b) std::abort();

  const auto made = merged(text, changes);
  if (!made) return 0;
  document.update(Json::parse(changes.begin(), changes.end(), nullptr, false));
  if (Json::parse(*made, nullptr, false) != document) std::abort();
  return 0;
}
