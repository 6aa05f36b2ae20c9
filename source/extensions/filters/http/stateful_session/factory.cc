#include "source/extensions/filters/http/stateful_session/factory.h"

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/stateful_session/v3/stateful_session.pb.h"
#include "envoy/extensions/http/stateful_session/cookie/v3/cookie.pb.h"
#include "envoy/extensions/http/stateful_session/envelope/v3/envelope.pb.h"
#include "envoy/extensions/http/stateful_session/header/v3/header.pb.h"
#include "source/config/any_type.h"
#include "source/config/cookies.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/stateful_session/filter.h"
#include "source/filter/header_changes.h"

namespace sluice::extensions::http_filters::stateful_session {
namespace {

using config::Context;
using envoy::extensions::filters::http::stateful_session::v3::StatefulSession;
using envoy::extensions::filters::http::stateful_session::v3::StatefulSessionPerRoute;
using envoy::extensions::http::stateful_session::cookie::v3::CookieBasedSessionState;
using envoy::extensions::http::stateful_session::envelope::v3::EnvelopeSessionState;
using envoy::extensions::http::stateful_session::header::v3::HeaderBasedSessionState;

// In lower case.
std::string compileHeader(const std::string& name, const Context& at) {
  std::string lower = absl::AsciiStrToLower(name);
  if (!config::isToken(lower)) at.error("is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
  if (lower == "host" || filter::isFraming(lower)) {
    at.error("belongs to one message on one connection, so it can keep no session; name another header");
  }
  return lower;
}

Settings compileSettings(const StatefulSession& proto, const Context& at) {
  Settings out;
  out.strict = proto.strict();
  if (const uint32_t status = proto.status_on_strict_destination_not_found(); status != 0) {
    const Context at_status = at.child("status_on_strict_destination_not_found");
    if (status < 200 || status > 599) at_status.error(absl::StrCat("is ", status, "; a final status is 200 to 599"));
    if (!proto.strict()) at_status.warn("does nothing without strict; set that, or remove it");
    out.strict_status = static_cast<uint16_t>(status);
  }
  if (!proto.has_session_state()) return out;
  const Context state = at.child("session_state").child("typed_config");
  const auto message = config::unpackAny(proto.session_state().typed_config(), state);
  if (message == nullptr) return out;
  if (message->GetDescriptor() == CookieBasedSessionState::descriptor()) {
    out.place = Settings::Place::kCookie;
    out.cookie =
        config::compileCookie(static_cast<const CookieBasedSessionState&>(*message).cookie(), state.child("cookie"));
  } else if (message->GetDescriptor() == HeaderBasedSessionState::descriptor()) {
    out.place = Settings::Place::kHeader;
    out.header = compileHeader(static_cast<const HeaderBasedSessionState&>(*message).name(), state.child("name"));
  } else if (message->GetDescriptor() == EnvelopeSessionState::descriptor()) {
    out.place = Settings::Place::kEnvelope;
    const auto& header = static_cast<const EnvelopeSessionState&>(*message).header();
    out.header = compileHeader(header.name(), state.child("header").child("name"));
  } else {
    state.error(absl::StrCat(message->GetDescriptor()->full_name(),
                             " keeps no sessions; known: ", CookieBasedSessionState::descriptor()->full_name(), ", ",
                             HeaderBasedSessionState::descriptor()->full_name(), ", ",
                             EnvelopeSessionState::descriptor()->full_name()));
  }
  return out;
}

std::optional<Counters> makeCounters(const StatefulSession& proto, const config::FactoryContext& context) {
  if (proto.stat_prefix().empty()) return std::nullopt;
  const std::string base = absl::StrCat(context.owner, "stateful_session.", proto.stat_prefix(), ".");
  const auto counter = [&](const char* name) { return context.stats->counter(base + name); };
  return Counters{counter("routed"), counter("failed_open"), counter("failed_closed"), counter("no_session")};
}

class Factory : public config::RoutedHttpFilterOf<StatefulSession, StatefulSessionPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return "it chooses the host, and an attempt has one"; }

  config::HttpFilterPtr makeFilter(const StatefulSession& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(
        FilterSettings{compileSettings(proto, context.at), makeCounters(proto, context)});
  }

  config::RouteConfigPtr makeRouteConfig(const StatefulSessionPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(
        proto.disabled(), compileSettings(proto.stateful_session(), context.at.child("stateful_session")));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::stateful_session
