// What becomes of a request for a code, a token, or the end of one: the rules of the grants over the state.
//
// Each answer is decided here at once, and the state changed; it may be told when `changes` are durable.
// Thread: one at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "source/extensions/filters/http/oauth2_server/state.h"

namespace sluice::extensions::http_filters::oauth2_server {

// An `error` of RFC 6749 section 5.2, or "temporarily_unavailable" where something is full or broken. Static texts.
struct Refusal {
  std::string_view error, description;
};

// --- what is asked ---

struct CodeQuestion {
  Grant grant;
  std::string redirect_uri;
  Digest challenge;
  std::chrono::seconds lifetime;
};

// What the client that asks may have.
struct Terms {
  std::string client;
  std::string bound;  // x5t#S256 of the certificate of its connection; empty: tokens are not bound
  std::chrono::seconds access_lifetime, refresh_lifetime;
  bool refreshes = false;
  bool is_public = false;
  Grant most;  // its scopes and audiences as they are configured now, whatever was granted before
};

struct ExchangeQuestion {
  std::string code, redirect_uri;
  Digest challenge;      // of the verifier
  std::string resource;  // empty: all audiences of the code
  Terms terms;
};

struct RefreshQuestion {
  std::string token;
  std::string scope;     // empty: as it was granted
  std::string resource;  // empty: all audiences
  Terms terms;
};

struct ClientQuestion {
  Grant grant;
  Terms terms;
};

struct IntrospectQuestion {
  std::string refresh_token;  // empty: `id` is that of an access token whose signature is good
  std::string id;
};

// One that is not there is no error.
struct RevokeQuestion {
  std::string client;
  std::string refresh_token;  // as above
  std::string id;
  WallTime expires;
};

using Question =
    std::variant<CodeQuestion, ExchangeQuestion, RefreshQuestion, ClientQuestion, IntrospectQuestion, RevokeQuestion>;

// --- what is answered ---

struct Code {
  std::string code;
};

// An access token before it is signed, and what stands beside it.
struct Tokens {
  Grant grant;
  std::string bound;
  std::string id;  // `jti`
  WallTime issued, expires;
  std::string refresh_token;  // empty: none
  std::string access_token;   // filled in by who signs
};

// What is known of a token. `grant` and `expires` are of a refresh token only.
struct Activity {
  bool active = false;
  Grant grant = {};
  std::string bound = {};
  WallTime expires = {};
};

struct Done {};

using Answer = std::variant<Refusal, Code, Tokens, Activity, Done>;

struct Decision {
  Answer answer;
  std::vector<Change> changes = {};
  bool reused = false;  // a code or a refresh token came a second time, and its login is over
};

struct Limits {
  size_t codes = 10'000, logins = 100'000, revoked_tokens = 100'000;
  size_t per_user = 100;  // codes, and logins
};

class Grants {
 public:
  struct Rules {
    Limits limits = {};
    std::chrono::seconds reuse_grace{0};
  };
  Grants(State& state, const Rules& rules, WallTime now) : state_(state), rules_(rules), now_(now) {}

  Decision decide(const Question& question);

 private:
  Decision on(const CodeQuestion& question);
  Decision on(const ExchangeQuestion& question);
  Decision on(const RefreshQuestion& question);
  Decision on(const ClientQuestion& question);
  Decision on(const IntrospectQuestion& question);
  Decision on(const RevokeQuestion& question);

  Decision issue(LoginRecord login, const Grant& grant, const Terms& terms, std::vector<Change> changes);
  // What of a grant the client may still have; nullopt: `resource` is not in it.
  std::optional<Grant> narrowed(const Grant& granted, const std::string& resource, const Terms& terms) const;
  Decision refused(std::string_view error, std::string_view description) const { return {Refusal{error, description}}; }
  Decision revoked(const std::string& login, std::string_view description);
  Decision changed(Answer answer, std::vector<Change> changes);
  bool isRoom(size_t (State::*count)() const, size_t limit);

  State& state_;
  const Rules& rules_;
  const WallTime now_;
};

// The names of `scope` that stand in `wanted`, too, each once.
std::string commonScope(std::string_view scope, std::string_view wanted);
// Whether each name of `scope` stands in `granted`.
bool isWithin(std::string_view scope, std::string_view granted);

// 32 bytes of chance in base64url.
std::string randomText();

}  // namespace sluice::extensions::http_filters::oauth2_server
