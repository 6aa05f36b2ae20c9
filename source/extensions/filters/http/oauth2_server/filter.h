// Answers at the paths of an OAuth 2.0 authorization server.
// (proto: sluice.extensions.filters.http.oauth2_server.v1.OAuth2Server)
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "source/extensions/filters/http/oauth2_server/authorization.h"
#include "source/extensions/filters/http/oauth2_server/clients.h"
#include "source/extensions/filters/http/oauth2_server/form.h"
#include "source/extensions/filters/http/oauth2_server/token_server.h"
#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/observability/stats.h"

namespace sluice::extensions::http_filters::oauth2_server {

enum class Endpoint : unsigned char { kToken, kAuthorize, kIntrospect, kRevoke, kJwks, kMetadata };
constexpr size_t kEndpoints = 6;

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::array<std::string, kEndpoints> paths;  // by Endpoint
  std::string issuer;
  std::string metadata;                 // the document of RFC 8414
  std::chrono::seconds keys_max_age{};  // for who keeps the key set
  std::chrono::seconds code_lifetime{60};
  std::shared_ptr<const ClientSource> clients;
  std::shared_ptr<TokenServer> server;  // null: the configuration is only checked
  observability::Counter codes, tokens, refused, client_refused, reused, introspected, revoked, unavailable;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;

 private:
  using OnAnswer = filter::Reply (Filter::*)(const Answer& answer, filter::Context& context);

  filter::HookResult authorize(filter::Context& context);
  filter::HookResult grant(const Form& form, const Client& client, filter::Context& context);
  filter::HookResult introspect(const Form& form, const Client& client, filter::Context& context);
  filter::HookResult revoke(const Form& form, const Client& client, filter::Context& context);
  // Waits for what main says, and replies with what `reply` makes of it.
  filter::HookResult ask(Question question, filter::Context& context, OnAnswer reply);

  // Who asks, or why that is not known.
  std::variant<const Client*, filter::Reply> authenticate(const Form& form, filter::Context& context);
  Terms termsOf(const Client& client, filter::Context& context) const;

  filter::Reply codeReply(const Answer& answer, filter::Context& context);
  filter::Reply tokenReply(const Answer& answer, filter::Context& context);
  filter::Reply introspectionReply(const Answer& answer, filter::Context& context);
  filter::Reply revocationReply(const Answer& answer, filter::Context& context);
  filter::Reply refuse(const Refusal& refusal, filter::Context& context) const;
  filter::Reply refuseClient(std::string_view description, filter::Context& context) const;
  filter::Reply sendBack(std::string_view name, std::string_view value, std::string_view description,
                         std::string_view details) const;

  const Settings& settings_;
  Endpoint endpoint_{};
  std::shared_ptr<const Clients> clients_;  // as they were when the request came
  Return return_;
  std::string introspecting_;  // the client's id
  std::string claims_;         // of the access token that is introspected: JSON
  filter::ResumeToken token_;
  std::unique_ptr<TokenServer::Asked> asked_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::oauth2_server
