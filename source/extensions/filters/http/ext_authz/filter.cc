#include "source/extensions/filters/http/ext_authz/filter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/base/ascii.h"
#include "source/filter/context.h"
#include "source/http/grpc.h"
#include "source/http/rules.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::ext_authz {
namespace {

using filter::HookResult;
using filter::HttpCallResponse;
using filter::Reply;
using http::Field;
using http::Name;
using http::RequestHeaders;

constexpr std::string_view kPartialBody = "x-envoy-auth-partial-body";
constexpr std::string_view kFailureModeAllowed = "x-envoy-auth-failure-mode-allowed";
constexpr std::string_view kHeadersToRemove = "x-envoy-auth-headers-to-remove";
constexpr std::string_view kMetadata = "envoy.filters.http.ext_authz";
constexpr std::string_view kShadowState = "envoy.filters.http.ext_authz.shadow";

// `host` is the authority, which stays the client's.
bool framing(Name id) {
  return id == Name::kHost || filter::isFraming(id);
}

bool framing(std::string_view name) {
  return framing(http::nameOf(name));
}

}  // namespace

bool Filter::enabledFor(filter::Context& context) const {
  const Enabled& enabled = settings_.enabled;
  return context.sample(enabled.share) &&
         (!enabled.metadata || enabled.metadata->matches(context.info().dynamic_metadata.get()));
}

HookResult Filter::onRequestHeaders(RequestHeaders&, filter::Context& context) {
  body_ = settings_.body;
  if (const auto* route = context.routeConfigAs<RouteSettings>()) {
    if (route->skip) {
      context.count(settings_.stats.disabled);
      return filter::Next{};
    }
    if (route->no_body) body_.reset();
    if (route->body) body_ = route->body;
  }
  if (!enabledFor(context)) {
    context.count(settings_.stats.disabled);
    if (settings_.enabled.deny_others && !settings_.shadow) return errorReply();
    return filter::Next{};
  }
  if (!body_ || context.requestHeadersOnly()) return ask({}, context);
  return filter::Collect{body_->max_request_bytes, body_->allow_partial};
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  const std::string_view bytes = body.bytes().substr(0, body_->max_request_bytes);
  body_partial_ = !body.complete() || bytes.size() < body.bytes().size();
  return ask(bytes, context);
}

HookResult Filter::ask(std::string_view body, filter::Context& context) {
  if (settings_.grpc) return askGrpc(body, context);
  const RequestHeaders& client = context.request();
  RequestHeaders headers(context.arena());
  for (const Field& field : client) {
    if (framing(field.id) || settings_.disallowed_headers.matches(field.name)) continue;
    if (field.id == Name::kAuthorization || settings_.allowed_headers.matches(field.name)) {
      headers.addView(field.id, field.name, field.value);
    }
  }
  headers.remove(kPartialBody);
  if (body_) headers.addView(kPartialBody, body_partial_ ? "true" : "false");
  if (!settings_.headers_to_add.empty()) {
    settings_.headers_to_add.apply(headers, stream::FormatContext{.request = &client, .info = context.info()});
  }

  filter::HttpCallRequest request;
  request.cluster = settings_.cluster;
  request.method = client.method;
  request.path.reserve(settings_.path_prefix.size() + client.path.size() + 1);
  request.path.assign(settings_.path_prefix).append(client.path);
  if (client.method == "CONNECT") {
    // The service's 200 would be a tunnel: it is asked about the request, not to be its proxy.
    request.method = "GET";
    if (request.path.empty()) request.path = "/";
    headers.set("x-forwarded-method", "CONNECT");
  }
  request.authority = client.authority;
  for (const Field& field : headers) request.headers.emplace_back(field.name, field.value);
  request.body = body;
  request.timeout = settings_.timeout;
  token_ = context.resumeToken();
  call_ = context.calls().send(std::move(request),
                               [this, &context](HttpCallResponse response) { answered(std::move(response), context); });
  return filter::Pause{};
}

void Filter::answered(HttpCallResponse response, filter::Context& context) {
  if (!token_) return;  // the stream was answered meanwhile
  if (response.status == 0) {
    const bool malformed = response.failure == "protocol_error" || response.failure == "response_too_large";
    return failed(malformed, context);
  }
  if (response.status >= 500) return failed(false, context);
  takeMetadata(response, context);
  if (response.status == 200) return allowed(response, context);

  context.count(settings_.stats.denied);
  Reply reply{response.status,
              std::move(response.body),
              "ext_authz_denied",
              {},
              stream::ResponseFlag::kUnauthorizedExternalService};
  for (auto& [name, value] : response.headers) {
    if (framing(name)) continue;
    const bool always = name == "www-authenticate" || name == "location";
    if (settings_.client_headers.empty() || always || settings_.client_headers.matches(name)) {
      reply.headers.emplace_back(std::move(name), std::move(value));
    }
  }
  refuse(std::move(reply), context);
}

void Filter::takeMetadata(const HttpCallResponse& response, filter::Context& context) const {
  for (const auto& [name, value] : response.headers) {
    if (settings_.metadata_headers.matches(name)) context.info().metadata().set(kMetadata, name, {value});
  }
}

// Whether the rules make no error of what the service wants to change.
bool Filter::allows(const HttpCallResponse& response) const {
  if (!settings_.rules.disallow_is_error) return true;
  const auto allowed = [this](std::string_view name) { return framing(name) || settings_.rules.allows(name); };
  return std::all_of(response.headers.begin(), response.headers.end(), [&](const auto& header) {
    const auto& [name, value] = header;
    bool all = allowed(name) ||
               !(settings_.upstream_headers.matches(name) || settings_.upstream_headers_to_append.matches(name));
    if (name == kHeadersToRemove) {
      http::forEachElement(value, [&](std::string_view listed) { all = all && allowed(base::lowered(listed)); });
    }
    return all;
  });
}

// What was decided where it is only noted, as Envoy's ShadowDecision reads as JSON.
void Filter::note(std::string_view result, uint16_t status, filter::Context& context) const {
  std::string text = absl::StrCat("{\"checkResult\":\"", absl::string_view(result.data(), result.size()), "\"");
  if (status != 0) absl::StrAppend(&text, ",\"statusCode\":", status);
  context.info().filterState().set(kShadowState, text + "}");
}

void Filter::refuse(Reply reply, filter::Context& context) {
  if (settings_.max_denied_body != 0 && reply.body.size() > settings_.max_denied_body) {
    reply.body.resize(settings_.max_denied_body);
  }
  if (!settings_.shadow) return token_.reply(std::move(reply));
  note("DENIED", reply.status, context);
  stripIdentity(context.request());
  token_.resume();
}

void Filter::goOn(bool changed, filter::Context& context) {
  if (settings_.shadow) note("OK", 0, context);
  if (changed && settings_.clear_route_cache) context.rematchRoute();
  if (token_) token_.resume();
}

// What the service may set the client may not, whether the service sets it this time or not.
void Filter::stripIdentity(RequestHeaders& headers) const {
  if (settings_.failure_mode_allow_header_add) headers.remove(kFailureModeAllowed);
  if (!settings_.strip_identity || settings_.upstream_headers.empty()) return;
  headers.removeIf([this](const Field& field) {
    if (framing(field.id) || !settings_.upstream_headers.matches(field.name)) return false;
    const bool ordinary = field.id != Name::kOther && field.id != Name::kAuthorization;
    return !ordinary || settings_.upstream_headers.matchesExactly(field.name);
  });
}

void Filter::allowed(const HttpCallResponse& response, filter::Context& context) {
  if (!allows(response)) return unfit(context);
  context.count(settings_.stats.ok);
  RequestHeaders& headers = context.request();
  stripIdentity(headers);
  bool changed = false;
  const auto may = [this](std::string_view name) { return !framing(name) && settings_.rules.allows(name); };
  for (const auto& [name, value] : response.headers) {
    if (name == kHeadersToRemove) {
      changed = true;
      http::forEachElement(value, [&](std::string_view listed) {
        const std::string lowered = base::lowered(listed);
        if (may(lowered)) headers.remove(lowered);
      });
    }
  }
  // All of the client's go before the first of the service's comes: a name may come more than once.
  for (const auto& [name, value] : response.headers) {
    if (may(name) && settings_.upstream_headers.matches(name)) headers.remove(name);
  }
  for (const auto& [name, value] : response.headers) {
    if (framing(name)) continue;
    if (settings_.client_headers_on_success.matches(name)) for_client_.emplace_back(name, value);
    if (!may(name)) continue;
    if (settings_.upstream_headers.matches(name)) {
      changed = true;
      headers.add(name, value);
    } else if (settings_.upstream_headers_to_append.matches(name)) {
      changed = true;
      headers.append(context.arena().copy(name), value);
    }
  }
  goOn(changed, context);
}

void Filter::failed(bool malformed, filter::Context& context) {
  fail(malformed, errorReply(), context);
}

// An answer that asks for what cannot be done to a message, or must not.
void Filter::unfit(filter::Context& context) {
  if (!settings_.validate && !settings_.rules.disallow_is_error) return failed(true, context);
  context.count(settings_.stats.invalid);
  Reply reply = errorReply();
  reply.status = 500;
  reply.details = "ext_authz_invalid";
  fail(true, std::move(reply), context);
}

void Filter::fail(bool malformed, Reply reply, filter::Context& context) {
  context.count(settings_.stats.error);
  if (settings_.shadow) {
    note("ERROR", 0, context);
    stripIdentity(context.request());
    return token_.resume();
  }
  if (settings_.failure_mode_allow && !malformed) {
    context.count(settings_.stats.failure_mode_allowed);
    stripIdentity(context.request());
    if (settings_.failure_mode_allow_header_add) context.request().add(kFailureModeAllowed, "true");
    return token_.resume();
  }
  token_.reply(std::move(reply));
}

Reply Filter::errorReply() const {
  return {settings_.status_on_error, "", "ext_authz_error", {}, stream::ResponseFlag::kUnauthorizedExternalService};
}

// --- gRPC ------------------------------------------------------------------------------------------------------------

HookResult Filter::askGrpc(std::string_view body, filter::Context& context) {
  const auto* route = context.routeConfigAs<RouteSettings>();
  const std::string message = encodeCheck({.request = context.request(),
                                           .info = context.info(),
                                           .allowed = settings_.allowed_headers,
                                           .disallowed = settings_.disallowed_headers,
                                           .body = body,
                                           .body_as_bytes = body_ && body_->as_bytes,
                                           .raw_headers = settings_.raw_headers,
                                           .context_extensions = route ? &route->context_extensions : nullptr,
                                           .told = settings_.told,
                                           .route_metadata = context.routeMetadata(),
                                           .route_namespaces = settings_.route_namespaces});
  token_ = context.resumeToken();
  grpc_call_ = std::make_unique<filter::UnaryCall>();
  grpc_call_->start(context.calls(), *settings_.grpc, kCheckPath, message,
                    [this, &context](int status, std::string_view answer) { grpcAnswered(status, answer, context); });
  return filter::Pause{};
}

void Filter::grpcAnswered(int status, std::string_view message, filter::Context& context) {
  using namespace http::grpc;
  if (!token_) return;
  if (status != kOk) return failed(status == kInternal || status == kResourceExhausted, context);
  std::optional<Decision> decision = decodeCheck(message);
  if (!decision) return failed(true, context);
  for (stream::MetadataField& field : decision->metadata) {
    if (settings_.takes_metadata) context.info().metadata().set(kMetadata, field.name, std::move(field.value));
  }
  if (decision->failed) return grpcFailed(*decision, context);
  if (!decision->allowed) return grpcDenied(*decision, context);
  grpcAllowed(*decision, context);
}

// Responses are the service's to change, but for what belongs to the connection.
static filter::MutationRules responseRules() {
  return {.allow_envoy = true};
}

void Filter::grpcAllowed(const Decision& decision, filter::Context& context) {
  RequestHeaders& headers = context.request();
  stripIdentity(headers);
  if (applyChanges(decision.request_headers, settings_.rules, headers).failed) return unfit(context);
  const bool changes_query = !decision.query_set.empty() || !decision.query_remove.empty();
  if (changes_query && !headers.path.empty()) {  // CONNECT has none
    filter::HeaderChanges path;
    path.set.push_back({":path", withQuery(headers.path, decision)});
    if (applyChanges(path, responseRules(), headers).failed) return unfit(context);
  }
  context.count(settings_.stats.ok);
  response_changes_ = decision.response_headers;
  goOn(changes_query || !decision.request_headers.empty(), context);
}

void Filter::grpcDenied(Decision& decision, filter::Context& context) {
  http::ResponseHeaders headers(context.arena());
  if (applyChanges(decision.response_headers, responseRules(), headers).failed) return unfit(context);
  context.count(settings_.stats.denied);
  Reply reply{decision.status,
              std::move(decision.body),
              "ext_authz_denied",
              {},
              stream::ResponseFlag::kUnauthorizedExternalService};
  for (const Field& field : headers) reply.headers.emplace_back(field.name, field.value);
  refuse(std::move(reply), context);
}

// The service could not decide, and says what is to be answered then.
void Filter::grpcFailed(Decision& decision, filter::Context& context) {
  http::ResponseHeaders headers(context.arena());
  if (applyChanges(decision.response_headers, responseRules(), headers).failed) return unfit(context);
  Reply reply = errorReply();
  if (decision.status != 0) reply.status = decision.status;
  reply.body = std::move(decision.body);
  for (const Field& field : headers) reply.headers.emplace_back(field.name, field.value);
  fail(false, std::move(reply), context);
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context&) {
  if (!response_changes_.empty()) applyChanges(response_changes_, responseRules(), headers);
  for (const auto& [name, value] : for_client_) headers.add(name, value);
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::ext_authz
