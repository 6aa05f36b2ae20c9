// Sends the requests of a session to the host that answered its first one.
// (proto: envoy.extensions.filters.http.stateful_session.v3.StatefulSession)
//
// The session lives with the client, in a cookie or a header that names the host, or in an envelope around a header of
// the host's own; nothing is kept here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/http/cookie.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::stateful_session {

struct Counters {
  observability::Counter routed;         // to the session's host
  observability::Counter failed_open;    // to another one
  observability::Counter failed_closed;  // to none, because of `strict`
  observability::Counter no_session;     // there was no session yet
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  enum class Place : uint8_t { kNone, kCookie, kHeader, kEnvelope };
  Place place = Place::kNone;
  http::CookieSettings cookie;
  std::string header;  // kHeader, kEnvelope: in lower case
  bool strict = false;
  uint16_t strict_status = 503;
};

struct FilterSettings : Settings {
  std::optional<Counters> counters;
};

struct RouteSettings final : route::PerFilterConfig {
  explicit RouteSettings(bool disabled, Settings settings = {})
      : PerFilterConfig(disabled), settings(std::move(settings)) {}
  const Settings settings;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const FilterSettings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

 private:
  std::string_view sessionHost(const http::RequestHeaders& headers, filter::Context& context) const;
  // What the host said stands in the header from now on.
  std::string_view openedHost(http::RequestHeaders& headers, filter::Context& context) const;
  void seal(std::string_view host, http::ResponseHeaders& headers) const;
  void keep(std::string_view host, http::ResponseHeaders& headers, filter::Context& context) const;
  void count(observability::Counter Counters::*which, filter::Context& context) const {
    if (settings_.counters) context.count((*settings_.counters).*which);
  }

  const FilterSettings& settings_;
  const Settings* in_force_ = nullptr;  // null: no session for this request
  std::string_view host_;               // the session's, in the stream's arena; empty: there is no session yet
};

using FilterFactory = filter::Factory<Filter, FilterSettings>;

}  // namespace sluice::extensions::http_filters::stateful_session
