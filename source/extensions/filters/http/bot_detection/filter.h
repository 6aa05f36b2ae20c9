// Refuses requests of programs by what they call themselves.
// (proto: sluice.extensions.filters.http.bot_detection.v1.BotDetection)
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/match/string.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::http_filters::bot_detection {

struct Rules {
  std::vector<match::StringMatcher> allow;  // before the others
  std::vector<match::StringMatcher> deny;
  bool deny_known_bots = true;
  bool deny_missing = false;
  uint16_t status = 403;
  runtime::Fraction enforced{1, 1};  // of the requests

  // Why a user agent is refused, in static text; empty: it is not.
  std::string_view refuses(std::string_view user_agent) const;
};

// Whether it calls itself a program, as far as is usual.
bool isKnownBot(std::string_view user_agent);

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Rules rules;
  observability::Counter allowed, denied, shadow_denied;
};

using RouteSettings = route::RouteSettings<Rules>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::bot_detection
