// Failures in Envoy's words and numbers, for answers, details and dynamic metadata.
#pragma once

#include <cstdint>
#include <string_view>

#include "source/jwt/token.h"

namespace sluice::extensions::http_filters::jwt_authn {

// "Jwt is expired".
std::string_view envoyText(jwt::Failure failure);
// Envoy's number of it.
int envoyCode(jwt::Failure failure);
// "jwt_authn_access_denied{Jwt_is_expired}". Static text.
std::string_view detailsOf(jwt::Failure failure);
// Of the answer: 401; 403 where somebody else is meant; 503 where the keys are missing, which is not the client's
// fault.
uint16_t statusOf(jwt::Failure failure);

}  // namespace sluice::extensions::http_filters::jwt_authn
