#include "source/extensions/filters/http/oauth2_server/form.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "source/base/percent.h"
#include "source/base/utf8.h"
#include "source/http/query.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

// nullopt: an escape that is none, a control character, or not UTF-8.
std::optional<std::string> decoded(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    if (at + 2 >= text.size() || base::hexValue(text[at + 1]) < 0 || base::hexValue(text[at + 2]) < 0) {
      return std::nullopt;
    }
  }
  std::string out = base::formDecoded(text);
  const bool has_control =
      std::any_of(out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (has_control || !base::isUtf8(out)) return std::nullopt;
  return out;
}

}  // namespace

Form Form::parse(std::string_view text) {
  Form out;
  while (!text.empty()) {
    const http::QueryParameter parameter = http::takeParameter(text);
    if (parameter.text.empty()) continue;
    auto name = decoded(parameter.name), value = decoded(parameter.value);
    if (!name || !value) {
      out.wrong_ = "A parameter is not encoded as a form's.";
      continue;
    }
    const auto known = std::find_if(out.parameters_.begin(), out.parameters_.end(),
                                    [&](const Parameter& other) { return other.name == *name; });
    if (known != out.parameters_.end()) {
      known->repeated = true;
      out.wrong_ = "A parameter stands there more than once.";
    } else if (out.parameters_.size() == kMaxParameters) {
      out.wrong_ = "There are too many parameters.";
      return out;
    } else {
      out.parameters_.push_back({*std::move(name), *std::move(value)});
    }
  }
  return out;
}

const Form::Parameter* Form::find(std::string_view name) const {
  const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                  [&](const Parameter& parameter) { return parameter.name == name; });
  return found == parameters_.end() ? nullptr : &*found;
}

std::string_view Form::get(std::string_view name) const {
  const Parameter* const found = find(name);
  return found == nullptr ? std::string_view() : found->value;
}

bool Form::isRepeated(std::string_view name) const {
  const Parameter* const found = find(name);
  return found != nullptr && found->repeated;
}

}  // namespace sluice::extensions::http_filters::oauth2_server
