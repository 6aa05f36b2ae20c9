#include "source/extensions/filters/http/oauth2_server/filter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/oauth2_server/json_object.h"
#include "source/filter/context.h"
#include "source/http/query.h"
#include "source/jwt/token.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

constexpr std::string_view kForm = "application/x-www-form-urlencoded";
constexpr std::string_view kBasic = "basic ";
constexpr std::string_view kRetryAfter = "1";  // seconds

WallTime secondsOf(std::chrono::system_clock::time_point time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

filter::Reply json(uint16_t status, std::string body, std::string_view details) {
  return {.status = status,
          .body = std::move(body),
          .details = details,
          .headers = {{"content-type", "application/json"}, {"cache-control", "no-store"}, {"pragma", "no-cache"}},
          .as_asked = true};
}

filter::Reply page(uint16_t status, std::string_view text, std::string_view details) {
  return {.status = status,
          .body = base::strCat(text, "\n"),
          .details = details,
          .headers = {{"cache-control", "no-store"}, {"x-content-type-options", "nosniff"}}};
}

filter::Reply wrongMethod(std::string_view allowed) {
  filter::Reply out = page(405, base::strCat("Use ", allowed, "."), "oauth2_method_not_allowed");
  out.headers.emplace_back("allow", allowed);
  return out;
}

bool isForm(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
  return absl::EqualsIgnoreCase(base::toAbsl(type), base::toAbsl(kForm));
}

struct Login {
  std::string client, secret;
};

// Of "Basic"; nullopt: it is none. (RFC 6749 section 2.3.1)
std::optional<Login> readBasic(std::string_view value) {
  if (!absl::StartsWithIgnoreCase(base::toAbsl(value), base::toAbsl(kBasic))) return std::nullopt;
  std::string text;
  if (!absl::Base64Unescape(base::toAbsl(value.substr(kBasic.size())), &text)) return std::nullopt;
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Login{base::formDecoded(std::string_view(text).substr(0, colon)),
               base::formDecoded(std::string_view(text).substr(colon + 1))};
}

// Empty: nobody is logged in, though requests without a credential may pass as somebody's.
std::string_view subjectOf(stream::StreamInfo& info) {
  const auto textOf = [&](std::string_view name) {
    const stream::MetadataValue* const found = info.metadata().find(stream::kIdentityMetadata, {std::string(name)});
    const auto* const text = found == nullptr ? nullptr : std::get_if<std::string>(&found->value);
    return text == nullptr ? std::string_view() : std::string_view(*text);
  };
  return textOf("method") == "anonymous" ? std::string_view() : textOf("subject");
}

std::string_view textClaim(const jwt::Token& token, std::string_view name) {
  for (const stream::MetadataField& field : token.claims) {
    const auto* const text = std::get_if<std::string>(&field.value.value);
    if (field.name == name && text != nullptr) return *text;
  }
  return {};
}

// An access token that this server has signed, of `issuer`; expired or not.
std::optional<jwt::Token> readAccessToken(std::string_view text, std::string_view issuer, const jwt::KeySet* keys) {
  auto parsed = jwt::parse(std::string(text));
  auto* const token = std::get_if<jwt::Token>(&parsed);
  size_t tries = 1;
  if (token == nullptr || keys == nullptr || token->issuer != issuer || !token->expires ||
      jwt::verify(*token, *keys, tries) != jwt::Failure::kNone) {
    return std::nullopt;
  }
  return std::move(*token);
}

WallTime expiryOf(const jwt::Token& token) {
  return WallTime(std::chrono::seconds(static_cast<int64_t>(*token.expires)));
}

// Refresh tokens have no dots.
bool isSigned(std::string_view token) {
  return token.find('.') != std::string_view::npos;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const auto found = std::find(settings_.paths.begin(), settings_.paths.end(), headers.pathOnly());
  if (found == settings_.paths.end()) return filter::Next{};
  endpoint_ = static_cast<Endpoint>(found - settings_.paths.begin());
  if (settings_.server == nullptr) return page(503, "There is no store.", "oauth2_no_store");
  clients_ = settings_.clients->clients.get(context.worker());
  switch (endpoint_) {
    case Endpoint::kMetadata:
    case Endpoint::kJwks: {
      if (headers.method != "GET" && headers.method != "HEAD") return wrongMethod("GET, HEAD");
      const bool is_keys = endpoint_ == Endpoint::kJwks;
      filter::Reply out = json(200, is_keys ? settings_.server->published(context.worker())->json : settings_.metadata,
                               "oauth2_public");
      out.headers = {{"content-type", "application/json"},
                     {"cache-control", base::strCat("public, max-age=", settings_.keys_max_age.count())}};
      return out;
    }
    case Endpoint::kAuthorize:
      return headers.method == "GET" ? authorize(context) : wrongMethod("GET");
    case Endpoint::kToken:
    case Endpoint::kIntrospect:
    case Endpoint::kRevoke:
      break;
  }
  if (headers.method != "POST") return wrongMethod("POST");
  if (!isForm(headers.get(http::Name::kContentType).value_or(""))) {
    return refuse({"invalid_request", "The body has to be a form (application/x-www-form-urlencoded)."}, context);
  }
  return filter::Collect{Form::kMaxBody};
}

filter::HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  const Form form = Form::parse(body.bytes());
  if (!form.wrong().empty()) return refuse({"invalid_request", form.wrong()}, context);
  auto who = authenticate(form, context);
  if (auto* const refusal = std::get_if<filter::Reply>(&who)) return std::move(*refusal);
  const Client& client = *std::get<const Client*>(who);
  if (endpoint_ == Endpoint::kToken) return grant(form, client, context);
  return endpoint_ == Endpoint::kIntrospect ? introspect(form, client, context) : revoke(form, client, context);
}

std::variant<const Client*, filter::Reply> Filter::authenticate(const Form& form, filter::Context& context) {
  const auto header = context.request().getAll("authorization");
  const std::string_view in_form = form.get("client_id");
  Login login{std::string(in_form), std::string(form.get("client_secret"))};
  if (!form.get("client_assertion").empty() || !form.get("client_assertion_type").empty()) {
    return refuse({"invalid_request", "Clients do not show themselves by assertions here."}, context);
  }
  if (header) {
    if (!login.secret.empty()) {
      return refuse({"invalid_request", "The client shows itself in several ways."}, context);
    }
    auto basic = readBasic(*header);
    if (!basic) return refuseClient("Authorization is not of Basic.", context);
    if (!in_form.empty() && in_form != basic->client) {
      return refuse({"invalid_request", "client_id is not that of Authorization."}, context);
    }
    login = *std::move(basic);
  }
  const Client* const client = clients_->find(login.client);
  const Client nobody;
  const bool has_secret = (client == nullptr ? nobody : *client).hasSecret(login.secret, secondsOf(context.wallNow()));
  if (client == nullptr) return refuseClient("The client is unknown, or shows a wrong secret.", context);
  const net::TlsInfo* const tls = context.info().downstreamTls();
  if (!client->secrets.empty()) {
    if (!has_secret) return refuseClient("The client is unknown, or shows a wrong secret.", context);
  } else if (!login.secret.empty()) {
    return refuseClient("The client has no secret.", context);
  } else if (client->certificate && !client->hasCertificate(tls)) {
    return refuseClient("The client does not show its certificate.", context);
  }
  return client;
}

Terms Filter::termsOf(const Client& client, filter::Context& context) const {
  return {.client = client.id,
          .bound = client.bound ? boundTo(context.info().downstreamTls()) : "",
          .access_lifetime = client.access_lifetime,
          .refresh_lifetime = client.refresh_lifetime,
          .refreshes = client.refreshes,
          .is_public = client.isPublic(),
          .most = client.most};
}

// --- /authorize ------------------------------------------------------------------------------------------------------

filter::HookResult Filter::authorize(filter::Context& context) {
  const Form form = Form::parse(http::queryOf(context.request().path).value_or(""));
  auto out = oauth2_server::authorize(form, *clients_, subjectOf(context.info()), settings_.code_lifetime);
  if (const auto* const told = std::get_if<Page>(&out)) {
    context.count(settings_.refused);
    return page(told->status, told->text, told->status == 401 ? "oauth2_login_required" : "oauth2_untrusted_redirect");
  }
  if (auto* const error = std::get_if<ReturnedError>(&out)) {
    context.count(settings_.refused);
    return_ = std::move(error->to);
    return sendBack("error", error->refusal.error, error->refusal.description, "oauth2_authorization_refused");
  }
  auto& granted = std::get<Granted>(out);
  return_ = std::move(granted.to);
  return ask(std::move(granted.question), context, &Filter::codeReply);
}

filter::Reply Filter::codeReply(const Answer& answer, filter::Context& context) {
  if (const auto* const refusal = std::get_if<Refusal>(&answer)) {
    context.count(settings_.unavailable);
    return sendBack("error", refusal->error, refusal->description, "oauth2_unavailable");
  }
  context.count(settings_.codes);
  return sendBack("code", std::get<Code>(answer).code, {}, "oauth2_code");
}

// Not 307, which would send what a form holds on. (RFC 9700 section 4.12)
filter::Reply Filter::sendBack(std::string_view name, std::string_view value, std::string_view description,
                               std::string_view details) const {
  return {.status = 303,
          .body = {},
          .details = details,
          .headers = {{"location", returnUrl(return_, settings_.issuer, name, value, description)},
                      {"cache-control", "no-store"},
                      {"referrer-policy", "no-referrer"}},
          .as_asked = true};
}

// --- /token ----------------------------------------------------------------------------------------------------------

filter::HookResult Filter::grant(const Form& form, const Client& client, filter::Context& context) {
  const auto refused = [&](std::string_view error, std::string_view description) {
    return refuse({error, description}, context);
  };
  const std::string_view type = form.get("grant_type");
  if (type.empty()) return refused("invalid_request", "grant_type is missing.");
  const bool is_code = type == "authorization_code", is_refresh = type == "refresh_token",
             is_client = type == "client_credentials";
  if (!is_code && !is_refresh && !is_client) return refused("unsupported_grant_type", "grant_type is not known here.");
  if ((is_code && !client.uses_codes) || (is_refresh && !client.refreshes) || (is_client && !client.acts_itself)) {
    return refused("unauthorized_client", "The client may not use this grant.");
  }
  Terms terms = termsOf(client, context);
  if (client.bound && terms.bound.empty()) {
    return refused("invalid_request", "The client's tokens are bound to a certificate, and there is none.");
  }
  const std::string resource(form.get("resource"));
  if (is_client) {
    auto granted = grantFor(client, form.get("scope"), resource);
    if (const auto* const refusal = std::get_if<Refusal>(&granted)) return refuse(*refusal, context);
    return ask(ClientQuestion{std::get<Grant>(std::move(granted)), std::move(terms)}, context, &Filter::tokenReply);
  }
  if (is_refresh) {
    if (form.get("refresh_token").empty()) return refused("invalid_request", "refresh_token is missing.");
    return ask(RefreshQuestion{std::string(form.get("refresh_token")), std::string(form.get("scope")), resource,
                               std::move(terms)},
               context, &Filter::tokenReply);
  }
  if (form.get("code").empty()) return refused("invalid_request", "code is missing.");
  const auto challenge = challengeOf(form.get("code_verifier"));
  if (!challenge) return refused("invalid_request", "code_verifier is missing or malformed.");
  return ask(ExchangeQuestion{std::string(form.get("code")), std::string(form.get("redirect_uri")), *challenge,
                              resource, std::move(terms)},
             context, &Filter::tokenReply);
}

filter::Reply Filter::tokenReply(const Answer& answer, filter::Context& context) {
  if (const auto* const refusal = std::get_if<Refusal>(&answer)) return refuse(*refusal, context);
  const auto& tokens = std::get<Tokens>(answer);
  context.count(settings_.tokens);
  return json(200,
              JsonObject()
                  .text("access_token", tokens.access_token)
                  .text("token_type", "Bearer")
                  .number("expires_in", (tokens.expires - tokens.issued).count())
                  .textIfAny("refresh_token", tokens.refresh_token)
                  .textIfAny("scope", tokens.grant.scope)
                  .end(),
              "oauth2_tokens");
}

// --- /introspect and /revoke -----------------------------------------------------------------------------------------

filter::HookResult Filter::introspect(const Form& form, const Client& client, filter::Context& context) {
  const std::string_view text = form.get("token");
  if (client.isPublic()) return refuseClient("A client without a secret may not introspect.", context);
  if (text.empty()) return refuse({"invalid_request", "token is missing."}, context);
  introspecting_ = client.id;
  if (!isSigned(text)) return ask(IntrospectQuestion{std::string(text), {}}, context, &Filter::introspectionReply);

  const auto token = readAccessToken(text, settings_.issuer, settings_.server->published(context.worker())->set.get());
  const auto isFor = [&](const std::string& audience) {
    return std::find(client.introspects.begin(), client.introspects.end(), audience) != client.introspects.end();
  };
  const bool known = token && expiryOf(*token) > secondsOf(context.wallNow()) &&
                     (textClaim(*token, "client_id") == client.id ||
                      std::any_of(token->audiences.begin(), token->audiences.end(), isFor));
  if (!known) return introspectionReply(Activity{}, context);
  JsonObject claims;
  claims.flag("active", true).text("token_type", "Bearer");
  for (const stream::MetadataField& field : token->claims) {
    std::string value;
    stream::appendJson(field.value, value);
    claims.json(field.name, value);
  }
  claims_ = claims.end();
  return ask(IntrospectQuestion{{}, token->id}, context, &Filter::introspectionReply);
}

filter::Reply Filter::introspectionReply(const Answer& answer, filter::Context& context) {
  if (const auto* const refusal = std::get_if<Refusal>(&answer)) return refuse(*refusal, context);
  const auto& activity = std::get<Activity>(answer);
  context.count(settings_.introspected);
  const bool is_refresh = claims_.empty();
  if (!activity.active || (is_refresh && activity.grant.client != introspecting_)) {
    return json(200, JsonObject().flag("active", false).end(), "oauth2_introspection");
  }
  if (!is_refresh) return json(200, claims_, "oauth2_introspection");
  JsonObject out;
  out.flag("active", true)
      .text("iss", settings_.issuer)
      .text("client_id", activity.grant.client)
      .text("sub", activity.grant.subject)
      .textIfAny("scope", activity.grant.scope)
      .texts("aud", activity.grant.audiences)
      .number("exp", activity.expires.time_since_epoch().count());
  if (!activity.bound.empty()) out.json("cnf", JsonObject().text("x5t#S256", activity.bound).end());
  return json(200, out.end(), "oauth2_introspection");
}

filter::HookResult Filter::revoke(const Form& form, const Client& client, filter::Context& context) {
  const std::string_view text = form.get("token");
  if (text.empty()) return refuse({"invalid_request", "token is missing."}, context);
  if (!isSigned(text)) {
    return ask(RevokeQuestion{client.id, std::string(text), {}, {}}, context, &Filter::revocationReply);
  }
  const auto token = readAccessToken(text, settings_.issuer, settings_.server->published(context.worker())->set.get());
  if (!token) return revocationReply(Done{}, context);
  if (textClaim(*token, "client_id") != client.id) {
    return refuse({"invalid_grant", "The token is another client's."}, context);
  }
  return ask(RevokeQuestion{client.id, {}, token->id, expiryOf(*token)}, context, &Filter::revocationReply);
}

filter::Reply Filter::revocationReply(const Answer& answer, filter::Context& context) {
  if (const auto* const refusal = std::get_if<Refusal>(&answer)) return refuse(*refusal, context);
  context.count(settings_.revoked);
  return json(200, "", "oauth2_revocation");
}

// --- common ----------------------------------------------------------------------------------------------------------

filter::HookResult Filter::ask(Question question, filter::Context& context, OnAnswer reply) {
  token_ = context.resumeToken();
  asked_ = settings_.server->ask(context.worker(), settings_.issuer, std::move(question),
                                 [this, &context, reply](const Answer& answer, bool reused) {
                                   if (!token_) return;
                                   if (reused) context.count(settings_.reused);
                                   token_.reply((this->*reply)(answer, context));
                                 });
  return filter::Pause{};
}

filter::Reply Filter::refuse(const Refusal& refusal, filter::Context& context) const {
  const bool unavailable = refusal.error == "temporarily_unavailable";
  context.count(unavailable ? settings_.unavailable : settings_.refused);
  filter::Reply out =
      json(unavailable ? 503 : 400,
           JsonObject().text("error", refusal.error).textIfAny("error_description", refusal.description).end(),
           context.arena().concat(std::string_view("oauth2_"), refusal.error));
  if (unavailable) out.headers.emplace_back("retry-after", kRetryAfter);
  return out;
}

filter::Reply Filter::refuseClient(std::string_view description, filter::Context& context) const {
  context.count(settings_.client_refused);
  filter::Reply out =
      json(401, JsonObject().text("error", "invalid_client").text("error_description", description).end(),
           "oauth2_invalid_client");
  out.headers.emplace_back("www-authenticate", "Basic realm=\"oauth2\", charset=\"UTF-8\"");
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2_server
