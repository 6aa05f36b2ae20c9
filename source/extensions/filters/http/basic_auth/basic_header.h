// What a header says of user and password. (RFC 7617)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::basic_auth {

// What follows "Basic "; nullopt: it is another scheme.
std::optional<std::string_view> basicToken(std::string_view value);

struct Login {
  std::string text;  // "user:password"
  size_t colon;

  std::string_view user() const { return std::string_view(text).substr(0, colon); }
  std::string_view password() const { return std::string_view(text).substr(colon + 1); }
};

// nullopt: it is no base64, which may be without padding, of a text with a colon.
std::optional<Login> decodeLogin(std::string_view token);

}  // namespace sluice::extensions::http_filters::basic_auth
