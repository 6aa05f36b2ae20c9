// What a user's browser keeps of a login: tokens, until when they count, and a proof that all of it belongs together.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/oauth2/cookies.h"
#include "source/extensions/filters/http/oauth2/seal.h"

namespace sluice::extensions::http_filters::oauth2 {

struct Session {
  std::string access_token, id_token, refresh_token;  // empty: none
  int64_t expires = 0;                                // of the access token, seconds since 1970
};

// `scope`: the site whose cookies they are.
struct SessionForm {
  const Sealer& sealer;
  std::string_view scope;
  bool encrypted = true;
};

// nullopt: there is none, or it is not one that was written here.
std::optional<Session> readSession(const CookieJar& jar, const SessionForm& form);
// False: it is too large for cookies.
bool writeSession(const Session& session, std::chrono::seconds max_age, const SessionForm& form, CookieWriter& out);

constexpr size_t kMaxSession = 48 * 1024;  // bytes of set-cookie fields; a request may have some 60 KiB of headers

}  // namespace sluice::extensions::http_filters::oauth2
