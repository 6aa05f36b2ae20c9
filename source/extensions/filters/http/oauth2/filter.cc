#include "source/extensions/filters/http/oauth2/filter.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/oauth2/id_token.h"
#include "source/filter/credentials/client_hash.h"
#include "source/filter/credentials/spoofed_names.h"
#include "source/filter/identity.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

constexpr std::string_view kStatus = "x-envoy-oauth-status", kReason = "x-envoy-oauth-failure-reason";

bool anyMatches(const HeaderMatchers& matchers, const http::RequestHeaders& headers) {
  return std::any_of(matchers.begin(), matchers.end(), [&](const auto& matcher) { return matcher.matches(headers); });
}

int64_t wallSeconds(const filter::Context& context) {
  return std::chrono::duration_cast<std::chrono::seconds>(context.wallNow().time_since_epoch()).count();
}

}  // namespace

// What a thread of the pool works with.
struct Filter::Signing {
  Client client;
  std::string grant, key;
  int64_t now;
  std::optional<filter::HttpCallRequest> request = {};  // nullopt: the key does not sign
};

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  context_ = &context;
  config_ = context.settingsOr(settings_.config).get();
  if (config_ == nullptr) return filter::Next{};
  if (headers.path.empty()) return filter::Reply{400, "A path is missing.\n", "oauth_path_missing"};
  const bool passes = anyMatches(config_->pass_through, headers);
  allow_failed_ = anyMatches(config_->allow_failed, headers);
  deny_redirect_ = anyMatches(config_->deny_redirect, headers);
  jar_.emplace(config_->cookies, headers);
  cleanse(headers);
  if (passes) {
    context.count(settings_.stats.passthrough);
    return filter::Next{};
  }
  sealer_ = config_->keys->get(context.worker());
  if (sealer_ == nullptr) return notReady("oauth_secret_missing");
  now_ = wallSeconds(context);
  scope_ = config_->cookies.domain.empty() ? hostOfAuthority(headers.authority) : config_->cookies.domain;
  cookies_.emplace(config_->cookies, *jar_, isSecure());
  session_ = readSession(*jar_, form());
  const std::string_view path = headers.path.substr(0, headers.path.find('?'));
  if (config_->signout_path.matches(path)) return signOut();
  if (config_->callback_path.matches(path)) return onCallback(headers);
  if (session_ && session_->expires > now_) {
    admit();
    return filter::Next{};
  }
  if (session_ && mayRenew(*session_)) return askForTokens(refreshGrant(session_->refresh_token));
  const bool had_one = jar_->value(CookieKind::kHmac, "").has_value();
  Answer answer = refuse(session_  ? "oauth_session_expired"
                         : had_one ? "oauth_session_invalid"
                                   : "oauth_session_missing");
  if (answer) return std::move(*answer);
  return filter::Next{};
}

void Filter::cleanse(http::RequestHeaders& headers) {
  removeCookies(config_->cookies, headers);
  // Of a route's configuration the filter's own cookies go, too.
  if (settings_.config != nullptr && settings_.config.get() != config_) {
    removeCookies(settings_.config->cookies, headers);
  }
  for (const std::string_view name : {std::string_view(config_->id_token_header), kStatus, kReason}) {
    if (!name.empty()) filter::removeAlike(headers, name);
  }
}

void Filter::admit() {
  context_->count(settings_.stats.success);
  http::RequestHeaders& headers = context_->request();
  if (!config_->preserve_authorization) headers.remove(http::Name::kAuthorization);
  if (config_->forward_bearer && !session_->access_token.empty()) {
    headers.set(http::Name::kAuthorization, base::strCat("Bearer ", session_->access_token));
  }
  if (!config_->id_token_header.empty() && !session_->id_token.empty()) {
    headers.set(config_->id_token_header, session_->id_token);
  }
  std::optional<jwt::Token> token = readIdToken(session_->id_token);
  context_->setIdentity(token ? identityOf(*std::move(token)) : filter::identityFields({.method = "oauth2"}));
  forgetLogins(*jar_, *cookies_);
}

bool Filter::mayRenew(const Session& session) const {
  // Browsers drop the cookies then; who has kept them does not.
  return config_->renewals != nullptr && !session.refresh_token.empty() &&
         now_ - session.expires < config_->refresh_lifetime.count();
}

void Filter::waitForRenewal() {
  renewal_ = config_->renewals->renew(context_->worker(), hashText(session_->refresh_token), std::move(token_request_),
                                      config_->retries,
                                      [this](const TokenAnswer& answer, bool first) { onRenewed(answer, first); });
  timer_ = context_->calls().after(kMaxRenewalWait, [this] {
    renewal_.reset();
    onRenewed(TokenFailure{"oauth_renewal_timeout", true}, true);
  });
}

void Filter::onRenewed(const TokenAnswer& answer, bool first) {
  if (!token_) return;
  const std::string_view failure = takeRenewed(answer);
  if (first) context_->count(failure.empty() ? settings_.stats.refresh_success : settings_.stats.refresh_failure);
  if (failure.empty()) {
    admit();
    return token_.resume();
  }
  Answer refused = refuse(failure);
  refused ? token_.reply(std::move(*refused)) : token_.resume();
}

std::string_view Filter::takeRenewed(const TokenAnswer& answer) {
  if (const auto* const failure = std::get_if<TokenFailure>(&answer)) return failure->details;
  const Tokens& tokens = std::get<Tokens>(answer);
  Session next = *session_;
  next.access_token = tokens.access_token;
  if (!tokens.refresh_token.empty()) next.refresh_token = tokens.refresh_token;
  if (!tokens.id_token.empty()) {
    const std::optional<jwt::Token> token = readIdToken(tokens.id_token), before = readIdToken(session_->id_token);
    if (!token) return "oauth_id_token_malformed";
    const std::string_view wrong = checkIdToken(
        *token,
        {.client_id = config_->client.id, .now = static_cast<double>(now_), .before = before ? &*before : nullptr});
    if (!wrong.empty()) return wrong;
    next.id_token = tokens.id_token;
  }
  return keepSession(std::move(next), tokens.expires_in) ? "" : "oauth_session_too_large";
}

Filter::Answer Filter::refuse(std::string_view reason) {
  http::RequestHeaders& headers = context_->request();
  if (allow_failed_) {
    if (!config_->preserve_authorization) headers.remove(http::Name::kAuthorization);
    headers.set(kStatus, "failed");
    headers.set(kReason, reason);
    return std::nullopt;
  }
  context_->count(settings_.stats.unauthorized);
  if (!deny_redirect_ && isNavigation(headers)) return beginLogin();
  return filter::Reply{401, "Log in first.\n", reason, {{"www-authenticate", "Bearer"}, {"cache-control", "no-store"}}};
}

filter::Reply Filter::signOut() {
  const std::optional<std::string> here = site();
  if (!here) return {400, "The host of this request is none to go back to.\n", "oauth_site_unknown"};
  cookies_->clearAll();
  if (config_->end_session_url.empty()) return leadTo(*here + "/", "oauth_signed_out");
  std::string url = base::strCat(config_->end_session_url, "client_id=", base::percentEncoded(config_->client.id));
  if (session_ && !session_->id_token.empty()) base::strAppend(url, "&id_token_hint=", session_->id_token);
  if (config_->tell_post_logout) {
    const std::string back = config_->post_logout_uri ? formatted(*config_->post_logout_uri) : *here + "/";
    if (!hostOf(back)) return {400, "There is no page to go back to.\n", "oauth_post_logout_uri_invalid"};
    base::strAppend(url, "&post_logout_redirect_uri=", base::percentEncoded(back));
  }
  return leadTo(std::move(url), "oauth_signed_out");
}

filter::HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context&) {
  if (!cookies_) return filter::Next{};
  const std::vector<std::string> fields = cookies_->take();
  if (fields.empty()) return filter::Next{};
  for (const std::string& field : fields) headers.add(http::Name::kSetCookie, field);
  // They are this browser's alone, whatever the page may be.
  headers.set(http::Name::kCacheControl, "no-store");
  return filter::Next{};
}

// --- the token endpoint ----------------------------------------------------------------------------------------------

filter::HookResult Filter::askForTokens(std::string grant) {
  static const std::string kNone;
  const std::string* secret = &kNone;
  if (config_->client.auth != AuthType::kTls) secret = config_->token_secret->get(context_->worker()).get();
  if (secret == nullptr) return notReady("oauth_secret_missing");
  if (config_->signers != nullptr) return sign(std::move(grant), *secret);
  token_request_ = tokenRequest(config_->client, std::move(grant), *secret, now_).value();
  token_ = context_->resumeToken();
  sendTokenRequest();
  return filter::Pause{};
}

// Not here: a signature by RSA takes milliseconds, and strangers may ask for as many as they like.
filter::HookResult Filter::sign(std::string grant, const std::string& key) {
  const auto signing = std::make_shared<Signing>(Signing{config_->client, std::move(grant), key, now_});
  signing_ = config_->signers->run(
      context_->worker().loop, filter::clientHash(context_->info().downstream_remote_address),
      [signing] {
        signing->request = tokenRequest(signing->client, std::move(signing->grant), signing->key, signing->now);
      },
      [this, signing] { onSigned(std::move(signing->request)); });
  if (signing_ == nullptr) return notReady("oauth_signing_overflow");
  token_ = context_->resumeToken();
  return filter::Pause{};
}

void Filter::onSigned(std::optional<filter::HttpCallRequest> request) {
  if (!token_) return;
  if (!request) return token_.reply(notReady("oauth_client_key_unusable"));
  token_request_ = *std::move(request);
  sendTokenRequest();
}

// --- what answers have -----------------------------------------------------------------------------------------------

bool Filter::keepSession(Session session, std::optional<std::chrono::seconds> expires_in) {
  const std::chrono::seconds lifetime = expires_in.value_or(config_->default_lifetime);
  session.expires = now_ + lifetime.count();
  Session kept = session;
  if (!config_->keep_access_token) kept.access_token.clear();
  if (!config_->keep_id_token) kept.id_token.clear();
  if (!config_->keep_refresh_token) kept.refresh_token.clear();
  const bool renewable = config_->renewals != nullptr && !kept.refresh_token.empty();
  CookieWriter cookies = *cookies_;
  if (!writeSession(kept, renewable ? std::max(lifetime, config_->refresh_lifetime) : lifetime, form(), cookies)) {
    return false;
  }
  cookies_.emplace(std::move(cookies));
  session_ = std::move(session);
  return true;
}

void Filter::addCookies(filter::Reply& reply) {
  for (std::string& field : cookies_->take()) reply.headers.emplace_back("set-cookie", std::move(field));
}

filter::Reply Filter::leadTo(std::string url, std::string_view details) {
  filter::Reply out{302, "", details, {{"location", std::move(url)}, {"cache-control", "no-store"}}};
  addCookies(out);
  return out;
}

filter::Reply Filter::pageOf(uint16_t status, std::string_view details, const Page& page) {
  filter::Reply out{status,
                    htmlOf(page),
                    details,
                    {{"content-type", std::string(kHtml)},
                     {"content-security-policy", std::string(kPagePolicy)},
                     {"referrer-policy", "no-referrer"},
                     {"cache-control", "no-store"}}};
  addCookies(out);
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2
