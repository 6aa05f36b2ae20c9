#include "source/extensions/filters/http/oauth2/factory_config.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/base/ascii.h"
#include "source/base/entropy.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/config/cookies.h"
#include "source/config/generic_secret.h"
#include "source/config/http_uri.h"
#include "source/config/rate_limits.h"
#include "source/config/route_texts.h"
#include "source/config/thread_pool.h"
#include "source/config/value_format.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/oauth2/urls.h"
#include "source/http/query.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

namespace v3 = envoy::extensions::filters::http::oauth2::v3;
using config::Context;
using config::FactoryContext;
using std::chrono::seconds;

constexpr size_t kMaxSigners = 4;  // threads that sign

// --- the provider ----------------------------------------------------------------------------------------------------

void checkUrl(const std::string& url, const Context& at) {
  if (!hostOf(url)) at.error("is no URL that browsers can be sent to; write https://HOST/PATH");
  if (url.find('#') != std::string::npos)
    at.error("has a fragment, which no server gets; remove \"#\" and what follows");
}

// With what separates it from more parameters.
std::string openQuery(const std::string& url) {
  return url + (url.find('?') == std::string::npos ? "?" : "&");
}

std::string compileAuthorizationUrl(const v3::OAuth2Config& proto, const Context& at) {
  const std::string& endpoint = proto.authorization_endpoint();
  checkUrl(endpoint, at);
  for (const char* own : {"response_type", "client_id", "scope", "redirect_uri", "state", "nonce", "code_challenge",
                          "code_challenge_method"}) {
    if (http::queryParameterOf(endpoint, own)) {
      at.error(absl::StrCat("has the parameter \"", own, "\", which each login has from this filter; remove it"));
    }
  }
  const std::string scopes = proto.auth_scopes().empty() ? "user" : absl::StrJoin(proto.auth_scopes(), " ");
  std::string out = openQuery(endpoint);
  base::strAppend(out, "response_type=code&client_id=", base::percentEncoded(proto.credentials().client_id()),
                  "&scope=", base::percentEncoded(scopes), "&");
  for (const std::string& resource : proto.resources()) {
    base::strAppend(out, "resource=", base::percentEncoded(resource), "&");
  }
  return out;
}

// The scheme is for people: the cluster says how it connects.
void compileEndpoint(const envoy::config::core::v3::HttpUri& proto, const FactoryContext& context, Client& out) {
  const Context at = context.at.child("uri");
  const std::string& uri = proto.uri();
  if (!hostOf(uri)) return at.error("is no URL; write https://HOST/PATH");
  const std::string_view rest = std::string_view(uri).substr(uri.find("://") + 3);
  out.token_uri = uri;
  config::compileHttpUri(proto, rest, "answered", context, out.endpoint);
}

Retries compileRetries(const v3::OAuth2Config& config) {
  if (!config.has_retry_policy()) return {};
  const auto& proto = config.retry_policy();
  Retries out{.most = proto.has_num_retries() ? proto.num_retries().value() : 1};
  if (!proto.has_retry_back_off()) return out;
  out.base = config::compileMilliseconds(proto.retry_back_off().base_interval());
  out.longest = proto.retry_back_off().has_max_interval()
                    ? config::compileMilliseconds(proto.retry_back_off().max_interval())
                    : out.base * 10;
  return out;
}

Client compileClient(const v3::OAuth2Config& proto, const FactoryContext& context) {
  Client out{.id = proto.credentials().client_id()};
  switch (proto.auth_type()) {
    case v3::OAuth2Config::BASIC_AUTH:
      out.auth = AuthType::kBasic;
      break;
    case v3::OAuth2Config::TLS_CLIENT_AUTH:
      out.auth = AuthType::kTls;
      break;
    case v3::OAuth2Config::PRIVATE_KEY_JWT:
      out.auth = AuthType::kPrivateKey;
      break;
    default:
      break;
  }
  if (proto.has_private_key_jwt_config()) {
    const auto& signing = proto.private_key_jwt_config();
    if (out.auth != AuthType::kPrivateKey) {
      context.at.child("private_key_jwt_config").error("has no effect without auth_type: PRIVATE_KEY_JWT");
    }
    out.algorithm = static_cast<SigningAlgorithm>(signing.signing_algorithm());
    if (signing.has_assertion_lifetime()) {
      out.assertion_lifetime =
          std::chrono::duration_cast<seconds>(config::compileDuration(signing.assertion_lifetime()));
    }
  }
  if (!proto.has_token_endpoint()) {
    context.at.child("token_endpoint").error("is missing; say where tokens are had");
  } else {
    compileEndpoint(proto.token_endpoint(), context.child("token_endpoint"), out);
  }
  return out;
}

// --- cookies ---------------------------------------------------------------------------------------------------------

CookieRule compileCookie(const std::string& name, const char* usual, const v3::CookieConfig* proto, const Context& at) {
  CookieRule out{.name = name.empty() ? usual : name};
  config::checkCookieName(out.name, at);
  if (out.name.size() > 256) at.error("is longer than 256 bytes");
  if (proto == nullptr) return out;
  out.same_site = static_cast<SameSite>(proto->same_site());
  if (!proto->path().empty()) out.path = proto->path();
  out.partitioned = proto->partitioned();
  return out;
}

// Names that tell them apart, also with "." and more behind them.
void checkNames(const CookieRules& rules, const Context& at) {
  for (const CookieRule& one : rules.of) {
    for (const CookieRule& other : rules.of) {
      if (&one != &other && (one.name == other.name || other.name.starts_with(one.name + "."))) {
        at.error(absl::StrCat("\"", other.name, "\" may be taken for a cookie called \"", one.name,
                              "\"; give each a name of its own"));
        return;
      }
    }
    if (one.name.starts_with("__Host-") && (one.path != "/" || !rules.domain.empty())) {
      at.error(absl::StrCat("\"", one.name, "\" is refused by browsers with a domain or another path than \"/\""));
    }
  }
}

CookieRules compileCookies(const v3::OAuth2Config& proto, const Context& at) {
  const auto& names = proto.credentials().cookie_names();
  const auto& configs = proto.cookie_configs();
  const Context at_names = at.child("credentials").child("cookie_names");
  CookieRules out;
  out.domain = proto.credentials().cookie_domain();
  const auto add = [&](CookieKind kind, const std::string& name, const char* usual, const v3::CookieConfig* config,
                       const char* field) {
    out.of[static_cast<size_t>(kind)] = compileCookie(name, usual, config, at_names.child(field));
  };
  add(CookieKind::kBearerToken, names.bearer_token(), "BearerToken",
      configs.has_bearer_token_cookie_config() ? &configs.bearer_token_cookie_config() : nullptr, "bearer_token");
  add(CookieKind::kHmac, names.oauth_hmac(), "OauthHMAC",
      configs.has_oauth_hmac_cookie_config() ? &configs.oauth_hmac_cookie_config() : nullptr, "oauth_hmac");
  add(CookieKind::kExpires, names.oauth_expires(), "OauthExpires",
      configs.has_oauth_expires_cookie_config() ? &configs.oauth_expires_cookie_config() : nullptr, "oauth_expires");
  add(CookieKind::kIdToken, names.id_token(), "IdToken",
      configs.has_id_token_cookie_config() ? &configs.id_token_cookie_config() : nullptr, "id_token");
  add(CookieKind::kRefreshToken, names.refresh_token(), "RefreshToken",
      configs.has_refresh_token_cookie_config() ? &configs.refresh_token_cookie_config() : nullptr, "refresh_token");
  add(CookieKind::kNonce, names.oauth_nonce(), "OauthNonce",
      configs.has_oauth_nonce_cookie_config() ? &configs.oauth_nonce_cookie_config() : nullptr, "oauth_nonce");
  add(CookieKind::kVerifier, names.code_verifier(), "CodeVerifier",
      configs.has_code_verifier_cookie_config() ? &configs.code_verifier_cookie_config() : nullptr, "code_verifier");
  checkNames(out, at_names);
  const auto checkReturn = [&](CookieKind kind, const char* field) {
    if (out[kind].same_site == SameSite::kStrict) {
      at.child("cookie_configs")
          .child(field)
          .child("same_site")
          .error("is STRICT, with which it does not come back with the answer of the provider; use LAX");
    }
  };
  checkReturn(CookieKind::kNonce, "oauth_nonce_cookie_config");
  checkReturn(CookieKind::kVerifier, "code_verifier_cookie_config");
  return out;
}

// --- the rest --------------------------------------------------------------------------------------------------------

void compileSeconds(bool is_set, const google::protobuf::Duration& proto, const Context& at, seconds& out) {
  if (!is_set) return;
  out = std::chrono::duration_cast<seconds>(config::compileDuration(proto));
  if (out < seconds(1)) at.error("is less than a second; remove it, or write how long it is");
  if (out > kMaxLifetime) at.error("is longer than ten years");
}

HeaderMatchers compileMatchers(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::HeaderMatcher>& protos, std::string_view field,
    const Context& at, config::Regexes& regexes) {
  HeaderMatchers out;
  for (int i = 0; i < protos.size(); ++i) {
    out.push_back(config::compileHeaderMatcher(protos[i], at.child(field, static_cast<size_t>(i)), regexes));
  }
  return out;
}

std::vector<std::string> compileDomains(const v3::OAuth2Config& proto, const Context& at) {
  std::vector<std::string> out;
  for (int i = 0; i < proto.allowed_redirect_domains_size(); ++i) {
    const std::string& domain = proto.allowed_redirect_domains(i);
    const std::string_view host = std::string_view(domain).substr(domain.starts_with("*.") ? 2 : 0);
    const bool has_port = std::count(host.begin(), host.end(), ':') == 1;  // an IPv6 address has more
    const bool known = !host.empty() && !has_port && host.find_first_of("*/@?#[] ") == std::string_view::npos;
    if (!known) {
      at.child("allowed_redirect_domains", static_cast<size_t>(i))
          .error("is no host; write \"example.com\" (for all ports), or \"*.example.com\" for those below it");
    }
    out.push_back(base::lowered(domain));
  }
  return out;
}

void compileLogout(const v3::OAuth2Config& proto, const Context& at, Config& out) {
  const std::string& endpoint = proto.end_session_endpoint();
  const Context at_back = at.child("post_logout_redirect_uri");
  if (endpoint.empty()) {
    if (proto.has_post_logout_redirect_uri()) at_back.error("has no effect without end_session_endpoint");
    return;
  }
  checkUrl(endpoint, at.child("end_session_endpoint"));
  out.end_session_url = openQuery(endpoint);
  const auto& back = proto.post_logout_redirect_uri();
  out.tell_post_logout = !back.disabled();
  if (!back.uri().empty()) out.post_logout_uri = config::compileValueFormat(back.uri(), at_back.child("uri"));
}

// What goes on to hosts.
void compileForwarding(const v3::OAuth2Config& proto, const Context& at, Config& out) {
  out.forward_bearer = proto.forward_bearer_token();
  out.preserve_authorization = proto.preserve_authorization_header();
  if (out.forward_bearer && out.preserve_authorization) {
    at.child("preserve_authorization_header").error("cannot be: forward_bearer_token writes that header");
  }
  if (out.forward_bearer && !out.keep_access_token) {
    at.child("forward_bearer_token").error("has no token to forward with disable_access_token_set_cookie");
  }
  if (!proto.has_forward_id_token()) return;
  const Context at_header = at.child("forward_id_token").child("header");
  out.id_token_header = config::compileHeaderName(proto.forward_id_token().header(), at_header);
  if (out.id_token_header == "authorization" || out.id_token_header == "cookie") {
    at_header.error("is for other things; use a header of its own");
  }
  if (!out.keep_id_token) {
    at.child("forward_id_token").error("has no token to forward with disable_id_token_set_cookie");
  }
}

// Null: sessions are not renewed. Of a client at a token endpoint there is one: a session is good in each configuration
// with them, and its refresh token is to be used once by all of these.
std::shared_ptr<const Renewals> compileRenewals(const v3::OAuth2Config& proto, const FactoryContext& context,
                                                const Config& config, const std::string& client) {
  const bool wanted = !proto.has_use_refresh_token() || proto.use_refresh_token().value();
  if (!config.keep_refresh_token && proto.has_use_refresh_token() && wanted) {
    context.at.child("use_refresh_token").error("has no token to use with disable_refresh_token_set_cookie");
  }
  if (!wanted || !config.keep_refresh_token || context.services.main == nullptr) return nullptr;
  return context.services.objects.get<Renewals>(
      client, [&] { return std::make_shared<Renewals>(*context.services.main, base::drawSeed()); });
}

}  // namespace

std::shared_ptr<const Config> compileConfig(const v3::OAuth2Config& proto, const FactoryContext& context) {
  const config::ErrorMark mark(context.at);
  const Context& at = context.at;
  config::Regexes regexes;
  auto out = std::make_shared<Config>();
  out->client = compileClient(proto, context);
  out->retries = compileRetries(proto);
  out->authorization_url = compileAuthorizationUrl(proto, at.child("authorization_endpoint"));
  out->openid =
      std::find(proto.auth_scopes().begin(), proto.auth_scopes().end(), "openid") != proto.auth_scopes().end();
  out->redirect_uri = config::compileValueFormat(proto.redirect_uri(), at.child("redirect_uri"));
  if (!proto.original_request_uri().empty()) {
    out->original_uri = config::compileValueFormat(proto.original_request_uri(), at.child("original_request_uri"));
  }
  out->callback_path =
      regexes.stringMatcher(proto.redirect_path_matcher().path(), at.child("redirect_path_matcher").child("path"));
  out->signout_path = regexes.stringMatcher(proto.signout_path().path(), at.child("signout_path").child("path"));
  out->allowed_domains = compileDomains(proto, at);
  out->pass_through = compileMatchers(proto.pass_through_matcher(), "pass_through_matcher", at, regexes);
  out->allow_failed = compileMatchers(proto.allow_failed_matcher(), "allow_failed_matcher", at, regexes);
  out->deny_redirect = compileMatchers(proto.deny_redirect_matcher(), "deny_redirect_matcher", at, regexes);
  out->cookies = compileCookies(proto, at);
  compileSeconds(proto.has_csrf_token_expires_in(), proto.csrf_token_expires_in(), at.child("csrf_token_expires_in"),
                 out->login_times.nonce);
  compileSeconds(proto.has_code_verifier_token_expires_in(), proto.code_verifier_token_expires_in(),
                 at.child("code_verifier_token_expires_in"), out->login_times.verifier);
  compileSeconds(proto.has_default_expires_in(), proto.default_expires_in(), at.child("default_expires_in"),
                 out->default_lifetime);
  compileSeconds(proto.has_default_refresh_token_expires_in(), proto.default_refresh_token_expires_in(),
                 at.child("default_refresh_token_expires_in"), out->refresh_lifetime);
  out->encrypted = !proto.disable_token_encryption();
  out->keep_access_token = !proto.disable_access_token_set_cookie();
  out->keep_id_token = !proto.disable_id_token_set_cookie();
  out->keep_refresh_token = !proto.disable_refresh_token_set_cookie();
  compileLogout(proto, at, *out);
  compileForwarding(proto, at, *out);
  const FactoryContext credentials = context.child("credentials");
  out->token_secret =
      config::compileGenericSecret(proto.credentials().token_secret(), credentials.child("token_secret"));
  const Secret hmac = config::compileGenericSecret(proto.credentials().hmac_secret(), credentials.child("hmac_secret"));
  if (mark.hit() || hmac == nullptr || out->token_secret == nullptr) return nullptr;
  const std::string client = joined({out->client.id, out->client.token_uri});
  out->keys = std::make_unique<const Keys>(hmac, client, context.services.local_slots);
  out->renewals = compileRenewals(proto, context, *out, client);
  if (out->client.auth == AuthType::kPrivateKey) {
    out->signers = context.services.objects.get<worker::ThreadPool>("oauth2 assertions", [&context] {
      return config::makeThreadPool(config::computingPoolSize(kMaxSigners), context.services);
    });
  }
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2
