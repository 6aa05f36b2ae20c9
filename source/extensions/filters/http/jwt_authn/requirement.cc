#include "source/extensions/filters/http/jwt_authn/requirement.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "source/extensions/filters/http/jwt_authn/extract.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

using jwt::Failure;
using Kind = Requirement::Kind;

// Of several failures the one that says most.
Failure telling(Failure one, Failure other) {
  const auto rank = [](Failure failure) {
    return failure == Failure::kNone ? 0 : failure == Failure::kMissing ? 1 : failure == Failure::kIssuer ? 2 : 3;
  };
  return rank(other) > rank(one) ? other : one;
}

// Its issuer's, else one of any issuer's, else the first.
const Provider& providerFor(const jwt::Token& token, const std::vector<const Provider*>& providers) {
  const Provider* out = providers.front();
  for (const Provider* provider : providers) {
    if (provider->issuer == token.issuer) return *provider;
    if (provider->issuer.empty() && !out->issuer.empty()) out = provider;
  }
  return *out;
}

}  // namespace

Failure Walk::meet(const Requirement& requirement) {
  switch (requirement.kind) {
    case Kind::kNothing:
      return Failure::kNone;
    case Kind::kProvider:
      return meetProvider(requirement);
    case Kind::kAny:
      return meetAny(requirement);
    case Kind::kAll:
      return meetAll(requirement);
    case Kind::kAllowMissing:
    case Kind::kAllowFailed:
      return meetOptional(requirement);
    case Kind::kExtractOnly:
      extract(requirement);
      return Failure::kNone;
  }
  return Failure::kMissing;
}

Failure Walk::meetProvider(const Requirement& requirement) {
  const Provider& provider = *requirement.provider;
  Failure out = Failure::kMissing;
  for (const std::string_view text : findTokens(request_, provider.locations)) {
    out = take(provider, text, requirement.audiences);
    if (out != Failure::kNone) break;
  }
  if (out != Failure::kNone) note(provider, out);
  return out;
}

Failure Walk::meetAny(const Requirement& requirement) {
  const size_t granted = grants_.size();
  const size_t wanted = wanted_.size();
  Failure out = Failure::kMissing;
  for (const Requirement& part : requirement.parts) {
    // A token that may be good when its key has come is not to be passed over as one that is not.
    const bool lenient = part.kind == Kind::kAllowFailed || part.kind == Kind::kExtractOnly;
    if (lenient && wanted_.size() > wanted && !last_) break;
    const Failure failure = meet(part);
    if (failure == Failure::kNone) {
      if (!lenient) wanted_.resize(wanted);  // those of the parts in front do not matter
      return failure;
    }
    grants_.resize(granted);
    out = telling(out, failure);
  }
  return out;
}

Failure Walk::meetAll(const Requirement& requirement) {
  for (const Requirement& part : requirement.parts) {
    if (const Failure failure = meet(part); failure != Failure::kNone) return failure;
  }
  return Failure::kNone;
}

Failure Walk::meetOptional(const Requirement& requirement) {
  const bool may_fail = requirement.kind == Kind::kAllowFailed;
  for (const Place& place : requirement.places) {
    for (const std::string_view text : findTokens(request_, {&place.location, 1})) {
      const Failure failure = takeByAny(place.providers, text);
      if (failure != Failure::kNone && !may_fail) return failure;
    }
  }
  return Failure::kNone;
}

void Walk::extract(const Requirement& requirement) {
  for (const Place& place : requirement.places) {
    for (const std::string_view text : findTokens(request_, {&place.location, 1})) {
      Grant grant{place.providers.front(), {}, &requirement.status_header};
      auto parsed = text.size() > jwt::kMaxToken ? Failure::kTooLarge : jwt::parse(std::string(text));
      if (auto* token = std::get_if<jwt::Token>(&parsed)) {
        grant.provider = &providerFor(*token, place.providers);
        grant.token = readToken(*grant.provider, std::move(*token));
      }
      grants_.push_back(std::move(grant));
    }
  }
}

Failure Walk::takeByAny(const std::vector<const Provider*>& providers, std::string_view text) {
  const size_t wanted = wanted_.size();
  Failure out = Failure::kMissing;
  for (const Provider* provider : providers) {
    const Failure failure = take(*provider, text, {});
    if (failure == Failure::kNone) {
      wanted_.resize(wanted);  // those of the providers in front do not matter
      return failure;
    }
    if (failure != Failure::kIssuer) note(*provider, failure);
    out = telling(out, failure);
  }
  return out;
}

Failure Walk::take(const Provider& provider, std::string_view text, const Audiences& audiences) {
  Verdict verdict = verifier_.verify(provider, text, audiences);
  if (verdict.token) grants_.push_back({&provider, std::move(verdict.token)});
  const bool unknown = verdict.failure == Failure::kUnknownKey || verdict.failure == Failure::kNoKeys;
  if (unknown && std::find(wanted_.begin(), wanted_.end(), &provider.keys) == wanted_.end()) {
    wanted_.push_back(&provider.keys);
  }
  return verdict.failure;
}

void Walk::note(const Provider& provider, Failure failure) {
  if (!provider.failure_key.empty()) failed_.push_back({&provider, failure});
}

}  // namespace sluice::extensions::http_filters::jwt_authn
