// What a signature may sign of a request. (RFC 9421 section 2)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "source/extensions/filters/http/hmac_auth/failure.h"
#include "source/http/headers.h"
#include "source/http/structured_fields.h"

namespace sluice::extensions::http_filters::hmac_auth {

// Of one request, which outlives this. What several components need is read once.
class Components {
 public:
  using Value = std::variant<std::string, Failure>;

  explicit Components(const http::RequestHeaders& headers) : headers_(headers) {}

  // Of @method, @target-uri, @authority, @scheme, @request-target, @path, @query, of @query-param with `name`, or of a
  // field, with `key` or `bs`. All else, with `sf`, `tr` or `req` among it, is Failure::kComponent; what the request
  // does not have, or a parameter that it has twice, is kAbsent.
  Value valueOf(const http::structured::Item& component);

 private:
  Value derived(std::string_view name, const http::structured::Parameters& parameters);
  Value queryParameter(std::string_view name);
  // `value`: of the field of that name.
  Value member(const std::string& name, std::string_view value, std::string_view key);

  const http::RequestHeaders& headers_;
  std::optional<std::vector<std::pair<std::string, std::string_view>>> query_;  // names decoded, values not
  std::vector<std::pair<std::string, std::optional<http::structured::Dictionary>>> dictionaries_;  // by fields' names
};

// All values of a field, ", " between them; nullopt: there is none. (section 2.1)
std::optional<std::string> fieldValue(const http::RequestHeaders& headers, std::string_view name);

// Whether the signed component says all that `required`, a name, does: "@path" is part of "@target-uri".
bool covers(const http::structured::Item& component, std::string_view required);

}  // namespace sluice::extensions::http_filters::hmac_auth
