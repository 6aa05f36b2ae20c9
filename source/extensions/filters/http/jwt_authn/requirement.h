// What becomes of a request: its requirement's tree walked over its tokens. Nothing is changed meanwhile, so that the
// walk may be made again when keys have come. Thread: the worker of the stream.
#pragma once

#include <string_view>

#include "absl/container/inlined_vector.h"
#include "source/extensions/filters/http/jwt_authn/settings.h"
#include "source/extensions/filters/http/jwt_authn/verify.h"
#include "source/http/headers.h"

namespace sluice::extensions::http_filters::jwt_authn {

// A token that counts.
struct Grant {
  const Provider* provider = nullptr;
  ReadTokenPtr token;                          // null: there was something, but it cannot be read (of kExtractOnly)
  const std::string* status_header = nullptr;  // set: it was not verified
};

using KeySources = absl::InlinedVector<const KeySource*, 2>;

class Walk {
 public:
  // `now`: seconds since 1970. `last`: nobody will wait for keys any more.
  Walk(const Settings& settings, const http::RequestHeaders& request, worker::WorkerServices& worker,
       const stream::StreamInfo& info, double now, bool last)
      : verifier_(settings, worker, info, now), request_(request), last_(last) {}

  // kNone: it is met, by grants().
  jwt::Failure meet(const Requirement& requirement);

  // The tokens that meet it, in order.
  const absl::InlinedVector<Grant, 2>& grants() const { return grants_; }
  // Whose failure it is to be told of in dynamic metadata, with the first that it had.
  struct Failed {
    const Provider* provider;
    jwt::Failure failure;
  };
  const std::vector<Failed>& failed() const { return failed_; }
  // Where keys of tokens are not known, on which it depends what becomes of the request: those that might be fetched.
  const KeySources& wanted() const { return wanted_; }

 private:
  jwt::Failure meetProvider(const Requirement& requirement);
  jwt::Failure meetAny(const Requirement& requirement);
  jwt::Failure meetAll(const Requirement& requirement);
  // Each token of these has to be good for one of them.
  jwt::Failure meetOptional(const Requirement& requirement);
  void extract(const Requirement& requirement);

  // Grants it, or says why not.
  jwt::Failure take(const Provider& provider, std::string_view text, const Audiences& audiences);
  jwt::Failure takeByAny(const std::vector<const Provider*>& providers, std::string_view text);
  void note(const Provider& provider, jwt::Failure failure);

  Verifier verifier_;
  const http::RequestHeaders& request_;
  const bool last_;
  absl::InlinedVector<Grant, 2> grants_;
  std::vector<Failed> failed_;
  KeySources wanted_;
};

}  // namespace sluice::extensions::http_filters::jwt_authn
