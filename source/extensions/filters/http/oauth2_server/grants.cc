#include "source/extensions/filters/http/oauth2_server/grants.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>

#include "source/base/base64_url.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

// A refresh token is where its login is found and a secret, 16 and 32 bytes. The login's id is a hash of the first, as
// `jti` of access tokens shows it: who sees those cannot make something that looks like an old refresh token.
constexpr size_t kHandle = 16, kSecret = 32, kId = 16;

std::string randomBytes(size_t size) {
  std::string out(size, '\0');
  RAND_bytes(reinterpret_cast<uint8_t*>(out.data()), size);
  return out;
}

std::string loginIdOf(std::string_view handle) {
  const Digest digest = filter::digestOf(handle);
  return {reinterpret_cast<const char*>(digest.data()), kId};
}

struct RefreshToken {
  std::string login;
  Digest digest;
};

std::optional<RefreshToken> readRefreshToken(std::string_view text) {
  const auto bytes = base::fromBase64Url(text);
  if (!bytes || bytes->size() != kHandle + kSecret) return std::nullopt;
  return RefreshToken{loginIdOf(std::string_view(*bytes).substr(0, kHandle)), filter::digestOf(*bytes)};
}

// The login that an access token of this `jti` is of; empty: of none.
std::string loginOf(std::string_view token_id) {
  const size_t dot = token_id.find('.');
  if (dot == std::string_view::npos) return {};
  return base::fromBase64Url(token_id.substr(0, dot)).value_or("");
}

// Takes the first name off a scope.
std::string_view takeName(std::string_view& scope) {
  const std::string_view name = scope.substr(0, scope.find(' '));
  scope.remove_prefix(std::min(scope.size(), name.size() + 1));
  return name;
}

// A set, as strangers choose how many there are.
std::set<std::string_view> namesOf(std::string_view scope) {
  std::set<std::string_view> out;
  while (!scope.empty()) out.insert(takeName(scope));
  return out;
}

}  // namespace

std::string randomText() {
  return base::toBase64Url(randomBytes(kSecret));
}

bool isWithin(std::string_view scope, std::string_view granted) {
  const auto wanted = namesOf(scope), names = namesOf(granted);
  return std::includes(names.begin(), names.end(), wanted.begin(), wanted.end());
}

std::string commonScope(std::string_view scope, std::string_view wanted) {
  const auto names = namesOf(wanted);
  std::string out;
  while (!scope.empty()) {
    const std::string_view name = takeName(scope);
    if (names.contains(name)) base::strAppend(out, out.empty() ? "" : " ", name);
  }
  return out;
}

Decision Grants::decide(const Question& question) {
  return std::visit([this](const auto& asked) { return on(asked); }, question);
}

Decision Grants::changed(Answer answer, std::vector<Change> changes) {
  for (const Change& change : changes) state_.apply(change);
  return {std::move(answer), std::move(changes)};
}

bool Grants::isRoom(size_t (State::*count)() const, size_t limit) {
  return (state_.*count)() < limit;
}

// RFC 6749 section 4.1.2, RFC 9700 section 4.14.2: who shows it a second time may have stolen it, or it was stolen.
Decision Grants::revoked(const std::string& login, std::string_view description) {
  if (state_.login(login) == nullptr) return refused("invalid_grant", description);  // it is over as it is
  Decision out = changed(Refusal{"invalid_grant", description}, {LoginRevoked{login}});
  out.reused = true;
  return out;
}

Decision Grants::on(const CodeQuestion& question) {
  const bool is_room = state_.codesOf(question.grant.subject) < rules_.limits.per_user;
  if (!is_room || !isRoom(&State::codes, rules_.limits.codes)) {
    return refused("temporarily_unavailable", "Too many logins wait.");
  }
  CodeRecord record;
  std::string code = randomText();
  record.digest = filter::digestOf(code);
  record.grant = question.grant;
  record.redirect_uri = question.redirect_uri;
  record.challenge = question.challenge;
  record.expires = now_ + question.lifetime;
  return changed(Code{std::move(code)}, {std::move(record)});
}

Decision Grants::on(const ExchangeQuestion& question) {
  const CodeRecord* const found = state_.code(filter::digestOf(question.code));
  if (found == nullptr || found->expires <= now_)
    return refused("invalid_grant", "The code is unknown or has expired.");
  if (found->grant.client != question.terms.client) return refused("invalid_grant", "The code is another client's.");
  if (!found->login.empty()) return revoked(found->login, "The code was used before.");
  if (found->redirect_uri != question.redirect_uri) {
    return refused("invalid_grant", "redirect_uri is not that of the authorization request.");
  }
  if (!filter::sameDigest(found->challenge, question.challenge)) {
    return refused("invalid_grant", "code_verifier is not that of code_challenge.");
  }
  const auto grant = narrowed(found->grant, question.resource, question.terms);
  if (!grant) return refused("invalid_target", "resource is none that was granted.");
  // Nobody fills what is there for all: a user's own go first.
  std::vector<Change> changes;
  const std::string& user = found->grant.subject;
  if (state_.loginsOf(user) >= rules_.limits.per_user) {
    changes.push_back(LoginRevoked{state_.firstOver(user)->id});
  } else if (!isRoom(&State::logins, rules_.limits.logins)) {
    return refused("temporarily_unavailable", "There are too many.");
  }

  LoginRecord login;
  login.id = randomBytes(kHandle);  // its handle, until it is issued
  login.grant = found->grant;
  login.bound = question.terms.bound;
  login.has_refresh = question.terms.refreshes;
  login.refresh_expires = now_ + question.terms.refresh_lifetime;
  CodeRecord used = *found;
  used.login = loginIdOf(login.id);
  changes.push_back(std::move(used));
  return issue(std::move(login), *grant, question.terms, std::move(changes));
}

std::optional<Grant> Grants::narrowed(const Grant& granted, const std::string& resource, const Terms& terms) const {
  Grant out{granted.client, granted.subject, commonScope(granted.scope, terms.most.scope), {}};
  for (const std::string& audience : granted.audiences) {
    const auto& most = terms.most.audiences;
    const bool wanted = resource.empty() || resource == audience;
    if (wanted && std::find(most.begin(), most.end(), audience) != most.end()) out.audiences.push_back(audience);
  }
  if (out.audiences.empty()) return std::nullopt;
  return out;
}

// `login.id` is its handle.
Decision Grants::issue(LoginRecord login, const Grant& grant, const Terms& terms, std::vector<Change> changes) {
  Tokens tokens;
  if (login.has_refresh) {
    const std::string refresh = login.id + randomBytes(kSecret);
    login.current = filter::digestOf(refresh);
    tokens.refresh_token = base::toBase64Url(refresh);
  }
  login.id = loginIdOf(login.id);
  tokens.grant = grant;
  tokens.bound = terms.bound;
  tokens.id = base::strCat(base::toBase64Url(login.id), ".", base::toBase64Url(randomBytes(kId)));
  tokens.issued = now_;
  tokens.expires = now_ + terms.access_lifetime;
  // Its access tokens are known to be its own as long as they live.
  login.expires = std::max({login.expires, tokens.expires, login.has_refresh ? login.refresh_expires : tokens.expires});
  changes.push_back(std::move(login));
  return changed(std::move(tokens), std::move(changes));
}

Decision Grants::on(const RefreshQuestion& question) {
  const auto unknown = [this] { return refused("invalid_grant", "The refresh token is unknown, revoked or expired."); };
  const auto token = readRefreshToken(question.token);
  const LoginRecord* const found = token ? state_.login(token->login) : nullptr;
  if (found == nullptr || !found->has_refresh || found->refresh_expires <= now_) return unknown();
  if (found->grant.client != question.terms.client) {
    return refused("invalid_grant", "The refresh token is another client's.");
  }
  const bool is_current = filter::sameDigest(found->current, token->digest);
  const bool is_late =
      !is_current && filter::sameDigest(found->previous, token->digest) && now_ < found->rotated + rules_.reuse_grace;
  if (!is_current && !is_late) return revoked(token->login, "The refresh token was used before.");
  // Others show who they are by more than the token. (RFC 8705 section 6.3)
  if (question.terms.is_public && found->bound != question.terms.bound) {
    return refused("invalid_grant", "The refresh token is bound to another certificate.");
  }
  auto grant = narrowed(found->grant, question.resource, question.terms);
  if (!grant) return refused("invalid_target", "resource is none that was granted.");
  if (!isWithin(question.scope, grant->scope)) return refused("invalid_scope", "scope is more than was granted.");
  if (!question.scope.empty()) grant->scope = commonScope(grant->scope, question.scope);

  LoginRecord login = *found;
  login.id = base::fromBase64Url(question.token)->substr(0, kHandle);
  login.bound = question.terms.bound;
  if (is_current) {
    login.previous = found->current;
    login.rotated = now_;
  }
  return issue(std::move(login), *grant, question.terms, {});
}

Decision Grants::on(const ClientQuestion& question) {
  Tokens tokens;
  tokens.grant = question.grant;
  tokens.bound = question.terms.bound;
  tokens.id = base::toBase64Url(randomBytes(kId));
  tokens.issued = now_;
  tokens.expires = now_ + question.terms.access_lifetime;
  return {std::move(tokens)};
}

Decision Grants::on(const IntrospectQuestion& question) {
  if (question.refresh_token.empty()) {
    const std::string login = loginOf(question.id);
    const bool active = !state_.isRevoked(question.id) && (login.empty() || state_.login(login) != nullptr);
    return {Activity{.active = active}};
  }
  const auto token = readRefreshToken(question.refresh_token);
  const LoginRecord* const found = token ? state_.login(token->login) : nullptr;
  if (found == nullptr || !found->has_refresh || found->refresh_expires <= now_ ||
      !filter::sameDigest(found->current, token->digest)) {
    return {Activity{}};
  }
  return {Activity{.active = true, .grant = found->grant, .bound = found->bound, .expires = found->refresh_expires}};
}

Decision Grants::on(const RevokeQuestion& question) {
  if (question.refresh_token.empty()) {
    const std::string login = loginOf(question.id);
    const bool is_over = question.expires <= now_ || state_.isRevoked(question.id);
    if (is_over || (!login.empty() && state_.login(login) == nullptr)) return {Done{}};
    if (isRoom(&State::revoked, rules_.limits.revoked_tokens)) {
      return changed(Done{}, {TokenRevoked{question.id, question.expires}});
    }
    if (!login.empty()) return changed(Done{}, {LoginRevoked{login}});  // takes no room
    return refused("temporarily_unavailable", "There are too many.");
  }
  const auto token = readRefreshToken(question.refresh_token);
  const LoginRecord* const found = token ? state_.login(token->login) : nullptr;
  if (found == nullptr || !found->has_refresh) return {Done{}};
  if (found->grant.client != question.client) return refused("invalid_grant", "The token is another client's.");
  // An old one, too, ends the login: whoever has it means this one.
  return changed(Done{}, {LoginRevoked{token->login}});
}

}  // namespace sluice::extensions::http_filters::oauth2_server
