// Logins: to the provider and back.
#include <algorithm>
#include <utility>
#include <variant>

#include "source/base/failure_delay.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/oauth2/filter.h"
#include "source/extensions/filters/http/oauth2/id_token.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

constexpr Page kNoLogin{"This login cannot go on",
                        "It was not begun in this browser, or too long ago, or the browser does not keep cookies."};
constexpr Page kRefused{"The login did not work", "The login service has said no."};
constexpr Page kAway{"The login service does not answer", "It may work again in a little while."};
constexpr Page kWrong{"The login did not work", "What the login service says cannot be used."};
constexpr Page kLoop{"The login leads nowhere",
                     "Several logins have worked, but nothing of them was there afterwards. The browser may not keep "
                     "this site's cookies."};

constexpr size_t kMaxQuote = 512;

Page withLink(Page page, std::string_view link) {
  page.link = link;
  return page;
}

bool isStrict(const CookieRules& rules) {
  return std::any_of(rules.of.begin(), rules.of.end(),
                     [](const CookieRule& rule) { return rule.same_site == SameSite::kStrict; });
}

}  // namespace

filter::Reply Filter::beginLogin() {
  std::optional<std::string> return_url = returnUrl();
  std::string redirect_uri = formatted(*config_->redirect_uri);
  const std::optional<std::string> host = hostOf(redirect_uri);
  const bool known = config_->allowed_domains.empty() || (host && isAmong(*host, config_->allowed_domains));
  if (!return_url || !host || !known) {
    return {400, "The host of this request is none to come back to from a login.\n", "oauth_redirect_host_refused"};
  }
  if (loginsInARow(*jar_, place()) >= kMaxLoginsInARow) {
    context_->count(settings_.stats.failure);
    forgetLogins(*jar_, *cookies_);
    return pageOf(401, "oauth_login_loop", withLink(kLoop, *return_url));
  }
  const Login login = Login::begin(std::move(redirect_uri), *std::move(return_url));
  writeLogin(login, config_->login_times, place(), *jar_, *cookies_);
  std::string url = base::strCat(config_->authorization_url, "redirect_uri=", base::percentEncoded(login.redirect_uri),
                                 "&state=", stateOf(login, *sealer_), "&code_challenge=", login.challenge(),
                                 "&code_challenge_method=S256");
  if (config_->openid) base::strAppend(url, "&nonce=", login.tokenNonce());
  return leadTo(std::move(url), "oauth_login_begins");
}

filter::HookResult Filter::onCallback(const http::RequestHeaders& headers) {
  if (headers.method != "GET") {
    return filter::Reply{405, "A login ends by GET.\n", "oauth_callback_method", {{"allow", "GET"}}};
  }
  std::optional<Callback> callback = readCallback(headers.path);
  if (!callback) return failLogin(400, "oauth_callback_malformed", kWrong);
  login_ = readState(callback->state, *sealer_);
  if (!login_ || !mayLeadTo(login_->return_url)) return failLogin(401, "oauth_state_unknown", kNoLogin);
  if (!readLogin(*jar_, place(), *login_)) {
    // Somebody has gone back to what is over.
    if (session_ && session_->expires > now_) return leadTo(login_->return_url, "oauth_login_over");
    return failLogin(401, "oauth_login_unknown", withLink(kNoLogin, login_->return_url));
  }
  endLogin(login_->id, *cookies_);
  if (!callback->error.empty()) {
    const std::string said = base::strCat(callback->error, ": ", callback->error_description).substr(0, kMaxQuote);
    Page page = withLink(kRefused, login_->return_url);
    page.quote = said;
    return failLogin(401, "oauth_provider_error", page);
  }
  if (callback->code.empty()) return failLogin(400, "oauth_callback_malformed", kWrong);
  issuer_ = std::move(callback->issuer);
  return askForTokens(codeGrant(callback->code, login_->verifier, login_->redirect_uri));
}

void Filter::exchange() {
  call_ = context_->calls().send(token_request_,
                                 [this](filter::HttpCallResponse response) { onExchanged(std::move(response)); });
}

void Filter::onExchanged(filter::HttpCallResponse response) {
  if (!token_) return;
  const TokenAnswer answer = readTokenAnswer(response);
  const auto* const failure = std::get_if<TokenFailure>(&answer);
  if (failure != nullptr && failure->transient && retries_ < config_->retries.most) {
    const auto delay =
        base::failureDelay(++retries_, config_->retries.base, config_->retries.longest, context_->worker().random);
    timer_ = context_->calls().after(std::chrono::ceil<std::chrono::milliseconds>(delay), [this] { exchange(); });
    return;
  }
  filter::Reply reply = finishLogin(answer);
  token_.reply(std::move(reply));
}

filter::Reply Filter::finishLogin(const TokenAnswer& answer) {
  const std::string& url = login_->return_url;
  if (const auto* const failure = std::get_if<TokenFailure>(&answer)) {
    return failure->transient ? failLogin(503, failure->details, withLink(kAway, url))
                              : failLogin(401, failure->details, withLink(kRefused, url));
  }
  const Tokens& tokens = std::get<Tokens>(answer);
  const std::string_view wrong = checkTokens(tokens);
  if (!wrong.empty()) return failLogin(401, wrong, withLink(kWrong, url));
  const int in_a_row = loginsInARow(*jar_, place()) + 1;
  if (!keepSession(
          {.access_token = tokens.access_token, .id_token = tokens.id_token, .refresh_token = tokens.refresh_token},
          tokens.expires_in)) {
    return failLogin(401, "oauth_session_too_large", kWrong);
  }
  countLogin(in_a_row, place(), *cookies_);
  context_->count(settings_.stats.success);
  if (!isStrict(config_->cookies)) return leadTo(url, "oauth_logged_in");
  filter::Reply out = leadTo(url, "oauth_logged_in");
  out.status = 200;
  out.headers.front() = {"content-type", std::string(kHtml)};
  out.body = htmlLeadingTo(url);
  return out;
}

std::string_view Filter::checkTokens(const Tokens& tokens) const {
  if (tokens.id_token.empty()) return config_->openid ? "oauth_id_token_missing" : "";
  const std::optional<jwt::Token> token = readIdToken(tokens.id_token);
  if (!token) return "oauth_id_token_malformed";
  const std::string nonce = config_->openid ? login_->tokenNonce() : std::string();
  return checkIdToken(
      *token, {.client_id = config_->client.id, .nonce = nonce, .issuer = issuer_, .now = static_cast<double>(now_)});
}

filter::Reply Filter::notReady(std::string_view details) {
  if (login_) return failLogin(503, details, kAway);
  return {503, "The login of this site does not work yet.\n", details};
}

filter::Reply Filter::failLogin(uint16_t status, std::string_view details, const Page& page) {
  context_->count(settings_.stats.failure);
  return pageOf(status, details, page);
}

// --- where browsers may be sent --------------------------------------------------------------------------------------

std::string Filter::formatted(const stream::TextFormatter& format) const {
  std::string out;
  format.format(stream::FormatContext{.request = &context_->request(), .info = context_->info()}, out);
  return out;
}

bool Filter::isSecure() const {
  if (!config_->original_uri) return context_->request().scheme == "https";
  return formatted(*config_->original_uri).starts_with("https://");
}

std::optional<std::string> Filter::site() const {
  const http::RequestHeaders& headers = context_->request();
  std::string out = config_->original_uri ? formatted(*config_->original_uri)
                                          : base::strCat(headers.scheme, "://", headers.authority);
  if (out.ends_with('/')) out.pop_back();
  const std::optional<std::string> host = hostOf(out);
  const bool bare = host && out.find_first_of("/?#", out.find("://") + 3) == std::string::npos;
  const bool known = config_->allowed_domains.empty() || (host && isAmong(*host, config_->allowed_domains));
  return bare && known ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::string> Filter::returnUrl() const {
  const std::optional<std::string> here = site();
  if (!here) return std::nullopt;
  const std::string_view path = context_->request().path;
  std::string out = base::strCat(*here, path);
  return path.starts_with('/') && out.size() <= kMaxReturnUrl && hostOf(out) ? std::move(out) : *here + "/";
}

bool Filter::mayLeadTo(std::string_view url) const {
  const std::optional<std::string> host = hostOf(url);
  if (!host) return false;
  if (!config_->allowed_domains.empty()) return isAmong(*host, config_->allowed_domains);
  if (!config_->cookies.domain.empty() && isWithin(*host, config_->cookies.domain)) return true;
  const std::optional<std::string> here = site();
  return here && hostOf(*here) == host;
}

}  // namespace sluice::extensions::http_filters::oauth2
