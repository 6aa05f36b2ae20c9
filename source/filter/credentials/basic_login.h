// What a header says of user and password. (RFC 7617)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::filter {

// What follows the scheme and a space; nullopt: it is another scheme.
std::optional<std::string_view> credentialsOf(std::string_view value, std::string_view scheme = "Basic");

struct Login {
  std::string text;  // "user:password"
  size_t colon;

  std::string_view user() const { return std::string_view(text).substr(0, colon); }
  std::string_view password() const { return std::string_view(text).substr(colon + 1); }
};

// nullopt: it is no base64, which may be without padding, of a text with a colon.
std::optional<Login> decodeLogin(std::string_view credentials);

// The name of a user may become the value of a header: it has no control characters, and no spaces around it.
bool isUserName(std::string_view text);

}  // namespace sluice::filter
