#include "source/extensions/filters/http/stateful_session/filter.h"

#include <algorithm>

#include "source/extensions/filters/http/stateful_session/envelope.h"
#include "source/extensions/filters/http/stateful_session/session_value.h"
#include "source/http/grpc.h"

namespace sluice::extensions::http_filters::stateful_session {

using filter::HookResult;
using filter::Next;
using Place = Settings::Place;

namespace {

// Whether a client sends a cookie of that path along (RFC 6265, 5.1.4).
bool pathMatches(std::string_view request, std::string_view cookie) {
  if (cookie.empty() || cookie == "/") return true;
  if (!request.starts_with(cookie)) return false;
  return request.size() == cookie.size() || cookie.ends_with('/') || request[cookie.size()] == '/';
}

std::chrono::seconds unixTime(const filter::Context& context) {
  return std::chrono::duration_cast<std::chrono::seconds>(context.wallNow().time_since_epoch());
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const auto* of_route = context.routeConfigAs<RouteSettings>();
  const Settings& settings = of_route != nullptr ? of_route->settings : settings_;
  if (settings.place == Place::kNone) return Next{};
  if (settings.place == Place::kCookie && !pathMatches(headers.pathOnly(), settings.cookie.path)) return Next{};
  in_force_ = &settings;
  host_ = settings.place == Place::kEnvelope ? openedHost(headers, context) : sessionHost(headers, context);
  if (!host_.empty()) context.setUpstreamHost(host_, settings.strict);
  return Next{};
}

std::string_view Filter::sessionHost(const http::RequestHeaders& headers, filter::Context& context) const {
  const std::optional<std::string_view> text = in_force_->place == Place::kCookie
                                                   ? http::cookieValue(headers, in_force_->cookie.name)
                                                   : headers.get(in_force_->header);
  if (!text) return {};
  const std::optional<SessionValue> value = decodeSession(*text);
  if (!value || (value->expires && *value->expires < unixTime(context))) return {};
  return context.arena().copy(value->address);
}

std::string_view Filter::openedHost(http::RequestHeaders& headers, filter::Context& context) const {
  const std::string_view name = in_force_->header;
  const std::optional<std::string_view> text = headers.get(name);
  const std::optional<Envelope> envelope = text ? openEnvelope(*text) : std::nullopt;
  if (!envelope) return {};
  headers.set(name, envelope->value);
  return context.arena().copy(envelope->address);
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (in_force_ == nullptr) return Next{};
  const stream::StreamInfo& info = context.info();
  const std::string_view host = info.upstream_host;
  if (host.empty()) {
    if (host_.empty() || !in_force_->strict) return Next{};
    if (!info.response_flags.has(stream::ResponseFlag::kNoHealthyUpstream)) return Next{};
    count(&Counters::failed_closed, context);
    if (!http::grpc::isGrpcRequest(context.request())) headers.status = in_force_->strict_status;
    return Next{};
  }
  count(host_.empty() ? &Counters::no_session : host == host_ ? &Counters::routed : &Counters::failed_open, context);
  // A host that could not answer is none to come back to.
  if (info.response_code_details != "via_upstream") return Next{};
  if (in_force_->place == Place::kEnvelope) {
    seal(host, headers);
  } else if (host != host_) {
    keep(host, headers, context);
  }
  return Next{};
}

// Of several values none is the session's.
void Filter::seal(std::string_view host, http::ResponseHeaders& headers) const {
  const std::string_view name = in_force_->header;
  const auto count =
      std::count_if(headers.begin(), headers.end(), [name](const auto& field) { return field.name == name; });
  if (count == 1) headers.set(name, sealEnvelope(host, *headers.get(name)));
}

void Filter::keep(std::string_view host, http::ResponseHeaders& headers, filter::Context& context) const {
  if (in_force_->place == Place::kHeader) return headers.set(std::string_view(in_force_->header), encodeHeader(host));
  SessionValue value{std::string(host), {}};
  if (in_force_->cookie.max_age) value.expires = unixTime(context) + *in_force_->cookie.max_age;
  headers.addView(http::Name::kSetCookie, http::setCookieText(context.arena(), in_force_->cookie, encodeCookie(value)));
}

}  // namespace sluice::extensions::http_filters::stateful_session
