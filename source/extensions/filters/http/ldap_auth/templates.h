// Texts for the directory with a user's name in them, which cannot be more than a value there.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::extensions::http_filters::ldap_auth {

// As a value within a filter (RFC 4515 section 3) or a DN (RFC 4514 section 2.4): all but letters, digits and "-._@" in
// hexadecimal digits behind a backslash, which both read alike.
std::string escaped(std::string_view value);

// A search filter with places for values. (RFC 4515)
class FilterTemplate {
 public:
  enum class Place : uint8_t { kUser, kDn };
  static constexpr size_t kMaxDepth = 16;

  // Places are "{user}", and with `has_dn` "{dn}", within values; there is one at least. A brace is written "\7b".
  static absl::StatusOr<FilterTemplate> parse(std::string_view text, bool has_dn);

  std::string fill(std::string_view user, std::string_view dn) const;

 private:
  friend class FilterReader;
  struct Part {
    std::string before;
    Place place;
  };
  std::vector<Part> parts_;
  std::string rest_;
};

}  // namespace sluice::extensions::http_filters::ldap_auth
