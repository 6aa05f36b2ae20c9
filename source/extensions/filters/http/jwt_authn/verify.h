// Whether a token is good for a provider, and what a good one leaves in a request.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "source/extensions/filters/http/jwt_authn/settings.h"
#include "source/jwt/token.h"
#include "source/stream/stream_info.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::jwt_authn {

struct Verdict {
  jwt::Failure failure = jwt::Failure::kNone;
  ReadTokenPtr token;  // if there is none
};

// Checks tokens for one request. Thread: the worker's.
class Verifier {
 public:
  // `info`: of the stream, whose connection shows what some tokens are bound to. `now`: seconds since 1970.
  Verifier(const Settings& settings, worker::WorkerServices& worker, const stream::StreamInfo& info, double now)
      : settings_(settings), worker_(worker), info_(info), caches_(settings.caches->get(worker)), now_(now) {}

  // `audiences`: in place of the provider's, unless they are empty.
  Verdict verify(const Provider& provider, std::string_view text, const Audiences& audiences);
  // What verify() would find if the token is in the cache and good, and counts, at less cost; else null, and nothing is
  // counted. Stays valid until another one is asked for.
  const ReadToken* findKnown(const Provider& provider, std::string_view text, const Audiences& audiences);

 private:
  ReadToken* findCached(const Provider& provider, std::string_view text) const;
  // What is asked of a good token for each request anew, because it is not of the token and its time alone.
  jwt::Failure checkRequest(const Provider& provider, ReadToken& token, const Audiences& audiences) const;
  // Of one that is not in the cache.
  Verdict verifyNew(const Provider& provider, std::string_view text);

  const Settings& settings_;
  worker::WorkerServices& worker_;
  const stream::StreamInfo& info_;
  TokenCaches& caches_;
  const double now_;
  size_t tries_ = jwt::kMaxTries;
};

// What a token says, whether it is true or not.
ReadTokenPtr readToken(const Provider& provider, jwt::Token token);

}  // namespace sluice::extensions::http_filters::jwt_authn
