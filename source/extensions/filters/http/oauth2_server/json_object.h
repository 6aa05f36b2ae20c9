// Writes a JSON object member by member.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/text.h"
#include "source/stream/formatter.h"

namespace sluice::extensions::http_filters::oauth2_server {

class JsonObject {
 public:
  // `name`: what needs no escape.
  JsonObject& text(std::string_view name, std::string_view value) {
    member(name);
    quote(value);
    return *this;
  }
  // Not if it is empty.
  JsonObject& textIfAny(std::string_view name, std::string_view value) {
    return value.empty() ? *this : text(name, value);
  }
  JsonObject& number(std::string_view name, int64_t value) { return json(name, base::strCat(value)); }
  JsonObject& flag(std::string_view name, bool value) { return json(name, value ? "true" : "false"); }
  JsonObject& texts(std::string_view name, const std::vector<std::string>& values) {
    member(name);
    out_ += '[';
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_ += ',';
      quote(values[i]);
    }
    out_ += ']';
    return *this;
  }
  // `value` is JSON.
  JsonObject& json(std::string_view name, std::string_view value) {
    member(name);
    out_ += value;
    return *this;
  }
  std::string end() const { return out_.empty() ? "{}" : out_ + "}"; }

 private:
  void member(std::string_view name) {
    out_ += out_.empty() ? '{' : ',';
    quote(name);
    out_ += ':';
  }
  void quote(std::string_view value) {
    out_ += '"';
    stream::appendJsonEscaped(value, out_);
    out_ += '"';
  }

  std::string out_;
};

}  // namespace sluice::extensions::http_filters::oauth2_server
