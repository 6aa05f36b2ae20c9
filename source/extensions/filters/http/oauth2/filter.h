// Lets requests through whose browsers have logged in at an OAuth 2 or OpenID Connect provider, and leads others there:
// the authorization code grant with PKCE. (proto: envoy.extensions.filters.http.oauth2.v3.OAuth2; RFC 6749, 7636, 9700)
//
// The proxy keeps nothing of a session: all of it is in cookies that only the proxy can make. Cookies of it never go to
// hosts. Who the user is by the ID token is said as the request's identity.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/oauth2/cookies.h"
#include "source/extensions/filters/http/oauth2/login.h"
#include "source/extensions/filters/http/oauth2/page.h"
#include "source/extensions/filters/http/oauth2/renewals.h"
#include "source/extensions/filters/http/oauth2/session.h"
#include "source/extensions/filters/http/oauth2/settings.h"
#include "source/extensions/filters/http/oauth2/urls.h"
#include "source/filter/calls.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/worker/thread_pool.h"

namespace sluice::extensions::http_filters::oauth2 {

constexpr std::chrono::seconds kMaxRenewalWait{30};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

 private:
  struct Signing;
  // What the request is answered; nullopt: it goes on.
  using Answer = std::optional<filter::Reply>;

  // What clients may not say, and what hosts need not know.
  void cleanse(http::RequestHeaders& headers);
  void admit();
  bool mayRenew(const Session& session) const;
  void waitForRenewal();
  void onRenewed(const TokenAnswer& answer, bool first);
  // Why it did not; empty: session_ is new.
  std::string_view takeRenewed(const TokenAnswer& answer);
  // Of a request that has no session, for that reason.
  Answer refuse(std::string_view reason);
  filter::Reply signOut();

  // --- logins (filter_login.cc) ---
  filter::Reply beginLogin();
  filter::HookResult onCallback(const http::RequestHeaders& headers);
  void exchange();
  void onExchanged(filter::HttpCallResponse response);
  filter::Reply finishLogin(const TokenAnswer& answer);
  // Why it is not what was asked for; empty: it is.
  std::string_view checkTokens(const Tokens& tokens) const;
  filter::Reply failLogin(uint16_t status, std::string_view details, const Page& page);

  // Whether clients see this site by https, be it that a proxy in front takes off TLS.
  bool isSecure() const;
  // Scheme and host of this site, as clients see it; nullopt: the request says something that is none.
  std::optional<std::string> site() const;
  std::optional<std::string> returnUrl() const;
  bool mayLeadTo(std::string_view url) const;
  std::string formatted(const stream::TextFormatter& format) const;

  // For `grant`, at the end of a login or in a renewal.
  filter::HookResult askForTokens(std::string grant);
  filter::HookResult sign(std::string grant, const std::string& key);
  void onSigned(std::optional<filter::HttpCallRequest> request);
  void sendTokenRequest() { login_ ? exchange() : waitForRenewal(); }
  filter::Reply notReady(std::string_view details);
  // False: it does not fit into cookies, and none are set.
  bool keepSession(Session session, std::optional<std::chrono::seconds> expires_in);
  // With the cookies that are to be set.
  filter::Reply leadTo(std::string url, std::string_view details);
  filter::Reply pageOf(uint16_t status, std::string_view details, const Page& page);
  void addCookies(filter::Reply& reply);

  SessionForm form() const { return {*sealer_, scope_, config_->encrypted}; }
  LoginPlace place() const { return {*sealer_, scope_, now_}; }

  const Settings& settings_;
  const Config* config_ = nullptr;  // null: nothing is asked of the request
  filter::Context* context_ = nullptr;
  bool allow_failed_ = false, deny_redirect_ = false;
  std::shared_ptr<const Sealer> sealer_;
  std::string scope_;
  int64_t now_ = 0;  // seconds since 1970
  std::optional<CookieJar> jar_;
  std::optional<CookieWriter> cookies_;
  std::optional<Session> session_;

  std::optional<Login> login_;  // that the callback ends
  std::string issuer_;          // that it has named
  filter::HttpCallRequest token_request_;
  uint32_t retries_ = 0;

  filter::ResumeToken token_;
  std::unique_ptr<worker::ThreadPool::Task> signing_;
  std::unique_ptr<Renewals::Wait> renewal_;
  std::unique_ptr<filter::Call> call_, timer_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::oauth2
