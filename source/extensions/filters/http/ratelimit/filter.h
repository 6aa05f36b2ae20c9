// Asks a service whether a request is within the limits that its route names.
// (proto: envoy.extensions.filters.http.ratelimit.v3.RateLimit, RateLimitPerRoute)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/extensions/filters/http/ratelimit/client.h"
#include "source/filter/grpc_client.h"
#include "source/filter/http_filter.h"
#include "source/filter/request_type.h"
#include "source/filter/token.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/route/mutation.h"
#include "source/route/rate_limits.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::http_filters::ratelimit {

struct Stats {
  observability::Counter ok, error, over_limit, failure_mode_allowed;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  filter::GrpcTarget target;
  std::string domain;
  uint32_t stage = 0;
  filter::RequestType request_type = filter::RequestType::kBoth;
  runtime::Fraction enabled{1, 1};   // of the requests: the service is asked about them
  runtime::Fraction enforced{1, 1};  // of those over the limit: are refused
  bool failure_mode_deny = false;
  std::optional<runtime::Fraction> failure_mode_deny_share;  // instead
  bool resource_exhausted = false;  // what a gRPC client is told: this, or what the status maps to
  bool quota_headers = false;       // x-ratelimit-*
  bool ratelimited_header = true;   // x-envoy-ratelimited
  bool retry_after = false;         // of refusals
  std::string metadata_namespace = "envoy.filters.http.ratelimit";
  uint16_t status = 429;
  uint16_t status_on_error = 500;
  route::HeaderMutations response;  // of refusals
  route::RateLimitList limits;      // instead of those of the routes
  route::FilterSlot limits_slot = {};
  std::string node_cluster;
  Stats stats;
};

struct RouteSettings final : route::PerFilterConfig {
  using HostLimits = route::HostLimits;
  HostLimits host_limits = HostLimits::kIfRouteHasNone;
  route::RateLimitList limits;  // instead of the route's
  std::string domain;           // empty: the filter's
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

  // Tells the service what had to wait until now.
  void onStreamEnd(filter::Context& context) override;

 private:
  // What there is to say about the request, now or at its end.
  std::vector<Descriptor> describe(filter::Context& context, bool at_end) const;
  std::string question(const filter::Context& context, const std::vector<Descriptor>& descriptors) const;
  void answered(int status, std::string_view message, filter::Context& context);
  // Puts what is told of quotas among the headers of the response.
  void tellQuota(Verdict& verdict) const;
  void refuse(Verdict& verdict, filter::Context& context);
  // Counts a failure; nullopt: the request goes on.
  std::optional<filter::Reply> failed(filter::Context& context);

  const Settings& settings_;
  bool enabled_ = false;     // for this request
  bool asking_ = false;      // and there was no answer
  std::vector<bool> shown_;  // of the descriptors that were sent: x-ratelimit-* tells of them
  filter::HeaderChanges response_changes_;
  filter::ResumeToken token_;
  filter::UnaryCall call_;  // cancelled with the stream
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::ratelimit
