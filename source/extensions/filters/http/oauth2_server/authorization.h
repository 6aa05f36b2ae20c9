// What a request to the authorization endpoint comes to. (RFC 6749 section 4.1, RFC 7636, RFC 9207)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "source/extensions/filters/http/oauth2_server/clients.h"
#include "source/extensions/filters/http/oauth2_server/form.h"
#include "source/extensions/filters/http/oauth2_server/grants.h"

namespace sluice::extensions::http_filters::oauth2_server {

// Where the user goes on, once that is known to be a place of the client's.
struct Return {
  std::string redirect_uri, state;
};

// Said to the user here: nobody knows whether where they would be sent is the client's. Static text.
struct Page {
  uint16_t status;
  std::string_view text;
};

struct ReturnedError {
  Return to;
  Refusal refusal;
};

struct Granted {
  Return to;
  CodeQuestion question;
};

using Authorization = std::variant<Page, ReturnedError, Granted>;

// `subject`: of the user; empty: nobody is logged in.
Authorization authorize(const Form& form, const Clients& clients, std::string_view subject,
                        std::chrono::seconds code_lifetime);

// The URL of an answer: with `name`=`value`, and what goes with it.
std::string returnUrl(const Return& to, std::string_view issuer, std::string_view name, std::string_view value,
                      std::string_view description = {});

// What a client may have of what it asks for: `scope` (all, if it is empty) and `resource`.
std::variant<Grant, Refusal> grantFor(const Client& client, std::string_view scope, std::string_view resource);

// SHA-256 of a verifier; nullopt: it is none (RFC 7636 section 4.1).
std::optional<Digest> challengeOf(std::string_view verifier);

}  // namespace sluice::extensions::http_filters::oauth2_server
