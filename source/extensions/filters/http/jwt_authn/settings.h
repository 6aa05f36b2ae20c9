// What the configuration says, compiled: immutable, shared by all streams and workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/extensions/filters/http/jwt_authn/key_source.h"
#include "source/extensions/filters/http/jwt_authn/rules.h"
#include "source/extensions/filters/http/jwt_authn/token_cache.h"
#include "source/filter/credentials/spoofed_names.h"
#include "source/match/string.h"
#include "source/observability/stats.h"
#include "source/worker/local.h"

namespace sluice::extensions::http_filters::jwt_authn {

// A header, parameter or cookie in which tokens come.
struct Location {
  enum class Kind : uint8_t { kHeader, kParameter, kCookie };

  Kind kind = Kind::kHeader;
  std::string name;    // of a header in lower case
  std::string prefix;  // of a header's value, in lower case; empty: the value is the token

  bool operator==(const Location&) const = default;
};

struct ClaimHeader {
  std::string name;  // in lower case
  std::vector<std::string> path;
};

// Audiences as they are compared: without the scheme of a URL and a slash at its end.
using Audiences = std::vector<std::string>;
std::string simplifiedAudience(std::string_view audience);

// proto: JwtProvider
struct Provider {
  std::string name;
  size_t index = 0;     // among the providers
  std::string issuer;   // empty: any
  Audiences audiences;  // empty: any
  std::optional<match::StringMatcher> subjects;
  bool require_expiration = false;
  std::optional<std::chrono::seconds> max_lifetime;  // from now on; a token without an end has none that is shorter
  std::chrono::seconds clock_skew{60};
  std::vector<Location> locations;
  KeySource keys;
  size_t cache_size = 1000;       // tokens of a worker
  size_t cache_max_token = 4096;  // bytes

  // What becomes of a good token.
  bool forward = false;
  bool clear_route = false;
  bool pad_payload = false;
  std::string payload_header;  // in lower case; empty: none
  std::vector<ClaimHeader> claim_headers;
  std::string payload_key, header_key, failure_key;  // of dynamic metadata; empty: none
  std::vector<std::string> claims_of_words;          // whose texts become lists there
};

// A location, and who looks there.
struct Place {
  Location location;
  std::vector<const Provider*> providers;
};

// What a request has to carry. (proto: JwtRequirement)
struct Requirement {
  enum class Kind : uint8_t {
    kNothing,
    kProvider,      // `provider`; with `audiences`, unless they are empty, in place of its own
    kAny,           // `parts`, those that let through without a token behind the others
    kAll,           // `parts`
    kAllowMissing,  // of `places`
    kAllowFailed,   // of `places`
    kExtractOnly,   // of `places`
  };

  Kind kind = Kind::kNothing;
  const Provider* provider = nullptr;
  Audiences audiences;
  std::vector<Requirement> parts;
  std::vector<Place> places;
  std::string status_header;  // in lower case; of kExtractOnly
};

struct Stats {
  observability::Counter allowed, denied, cors_preflight_bypassed, jwt_cache_hit, jwt_cache_miss;
};

struct Settings {
  std::vector<std::unique_ptr<const Provider>> providers;  // that requirements point to
  std::map<std::string, Requirement, std::less<>> named;
  Rules rules;
  std::vector<const Requirement*> of_rules;             // by the number of the rule; null: nothing is asked for
  std::vector<std::unique_ptr<const Requirement>> own;  // of rules that name none
  std::string filter_state;                             // the name of an object; empty: it has no say
  std::map<std::string, Requirement, std::less<>> of_filter_state;
  filter::SpoofedNames spoofed;  // headers that tokens alone may fill
  bool bypass_preflight = false;
  bool strip_failures = false;
  std::string known_names;  // of `named`, for answers
  Stats stats;
  std::unique_ptr<const worker::WorkerLocal<TokenCaches>> caches;
};

// proto: PerRouteConfig
struct RouteRequirement {
  std::string name;  // of Settings::named; empty: nothing is asked for
};

}  // namespace sluice::extensions::http_filters::jwt_authn
