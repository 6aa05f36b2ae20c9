// A login under way: what the browser keeps of it, and what goes round by the provider.
//
// Each has an id and two cookies, so that several tabs log in beside each other. `state` leads back to them: it says
// the nonce that one of them has, so nobody finishes in this browser what he has begun in another.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/oauth2/cookies.h"
#include "source/extensions/filters/http/oauth2/seal.h"

namespace sluice::extensions::http_filters::oauth2 {

constexpr size_t kMaxLogins = 8;          // of a browser at once; of more the oldest end
constexpr size_t kMaxReturnUrl = 2048;    // bytes; from longer ones logins lead to "/"
constexpr int kMaxLoginsInARow = 5;       // that led to no session
constexpr std::chrono::seconds kRow{60};  // from one to the next

struct LoginTimes {
  std::chrono::seconds nonce{600}, verifier{600};
};

struct Login {
  std::string id, nonce;
  std::string verifier;      // of PKCE (RFC 7636)
  std::string redirect_uri;  // as the provider was told
  std::string return_url;

  static Login begin(std::string redirect_uri, std::string return_url);
  std::string challenge() const { return hashText(verifier); }
  // `nonce` of OpenID Connect, which does not tell the cookie's.
  std::string tokenNonce() const { return hashText("token " + nonce); }
};

// Where and when cookies are read and written.
struct LoginPlace {
  const Sealer& sealer;
  std::string_view scope;
  int64_t now;  // seconds since 1970
};

// What goes round.
std::string stateOf(const Login& login, const Sealer& sealer);
// id, nonce and return_url of it; nullopt: not made here.
std::optional<Login> readState(std::string_view state, const Sealer& sealer);

// Makes place for its cookies, too.
void writeLogin(const Login& login, const LoginTimes& times, const LoginPlace& place, const CookieJar& jar,
                CookieWriter& out);
// Completes what `state` said; false: this browser has not begun it, or too long ago.
bool readLogin(const CookieJar& jar, const LoginPlace& place, Login& login);
void endLogin(std::string_view id, CookieWriter& out);

// How many have ended in a row without a session that followed.
int loginsInARow(const CookieJar& jar, const LoginPlace& place);
void countLogin(int in_a_row, const LoginPlace& place, CookieWriter& out);
// The row is over.
void forgetLogins(const CookieJar& jar, CookieWriter& out);

}  // namespace sluice::extensions::http_filters::oauth2
