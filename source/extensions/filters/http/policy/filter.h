// Refuses requests that a rule of any level does not admit.
// (proto: sluice.extensions.filters.http.policy.v1.Policy, PolicySet)
#pragma once

#include <optional>
#include <string_view>

#include "source/extensions/filters/http/policy/policy_set.h"
#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/route.h"

namespace sluice::extensions::http_filters::policy {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  PolicySet policies;
  bool may_disable = false;
  observability::Counter allowed, denied, reported;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  std::optional<filter::Reply> onRouteChanged(const http::RequestHeaders& headers, filter::Context& context) override;

 private:
  // The refusal; nullopt: the request is let in. What reports only is asked once.
  std::optional<filter::Reply> judge(const http::RequestHeaders& headers, filter::Context& context);
  filter::Reply refuse(const Rule& rule, filter::Context& context) const;

  const Settings& settings_;
  bool judged_ = false;
  // By which it was judged last; null: there was none.
  const route::WeightedCluster* share_ = nullptr;
  std::string_view path_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::policy
