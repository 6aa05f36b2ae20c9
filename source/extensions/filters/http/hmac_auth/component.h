// What a signature may sign of a request. (RFC 9421 section 2)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "source/extensions/filters/http/hmac_auth/failure.h"
#include "source/http/headers.h"
#include "source/http/structured_fields.h"

namespace sluice::extensions::http_filters::hmac_auth {

// Its value: of @method, @target-uri, @authority, @scheme, @request-target, @path, @query, of @query-param with
// `name`, or of a field, with `key` or `bs`. All else, with `sf`, `tr` or `req` among it, is Failure::kComponent; what
// the request does not have, or a parameter that it has twice, is kAbsent.
std::variant<std::string, Failure> valueOf(const http::structured::Item& component,
                                           const http::RequestHeaders& headers);

// All values of a field, ", " between them; nullopt: there is none. (section 2.1)
std::optional<std::string> fieldValue(const http::RequestHeaders& headers, std::string_view name);

// Whether the signed component says all that `required`, a name, does: "@path" is part of "@target-uri".
bool covers(const http::structured::Item& component, std::string_view required);

}  // namespace sluice::extensions::http_filters::hmac_auth
