#include "source/extensions/filters/http/adaptive_concurrency/factory.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/runtime_compiler.h"
#include "source/config/stable_bytes.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/adaptive_concurrency/filter.h"

namespace sluice::extensions::http_filters::adaptive_concurrency {
namespace {

using Proto = envoy::extensions::filters::http::adaptive_concurrency::v3::AdaptiveConcurrency;
using Gradient = envoy::extensions::filters::http::adaptive_concurrency::v3::GradientControllerConfig;

// Numbers of the message, which layers of the runtime may replace by Envoy's keys.
class Numbers {
 public:
  explicit Numbers(const runtime::Snapshot* snapshot) : snapshot_(snapshot) {}

  double of(const std::string& key, double value) const {
    if (snapshot_ == nullptr) return value;
    return snapshot_->number(absl::StrCat("adaptive_concurrency.gradient_controller.", key), value);
  }
  // A count of at least 1.
  uint32_t count(const std::string& key, bool given, const google::protobuf::UInt32Value& value,
                 uint32_t fallback) const {
    return static_cast<uint32_t>(std::clamp<double>(of(key, given ? value.value() : fallback), 1, UINT32_MAX));
  }
  // A share of 0 to 1.
  double share(const std::string& key, bool given, const envoy::type::v3::Percent& value, double fallback) const {
    return std::clamp(of(key, given ? value.value() : fallback), 0.0, 100.0) / 100;
  }
  // The key is of milliseconds; 0: neither says anything.
  std::chrono::nanoseconds interval(const std::string& key, const google::protobuf::Duration& value) const {
    const double milliseconds = of(key, -1);
    if (milliseconds < 1) return config::compileDuration(value);
    return std::chrono::milliseconds(static_cast<int64_t>(std::min(milliseconds, 1e12)));
  }

 private:
  const runtime::Snapshot* const snapshot_;
};

// `at` stands at the gradient controller.
Rules compileRules(const Gradient& proto, const runtime::Snapshot* snapshot, const config::Context& at) {
  const auto& limits = proto.concurrency_limit_params();
  const auto& measuring = proto.min_rtt_calc_params();
  const Numbers numbers(snapshot);
  Rules out;
  out.percentile = numbers.share("sample_aggregate_percentile", proto.has_sample_aggregate_percentile(),
                                 proto.sample_aggregate_percentile(), 50);
  out.update_interval = numbers.interval("sample_rtt_calc_interval_ms", limits.concurrency_update_interval());
  out.max_limit =
      numbers.count("max_concurrency_limit", limits.has_max_concurrency_limit(), limits.max_concurrency_limit(), 1000);
  out.measure_interval = numbers.interval("min_rtt_calc_interval_ms", measuring.interval());
  out.measure_count =
      numbers.count("min_rtt_aggregate_request_count", measuring.has_request_count(), measuring.request_count(), 50);
  out.jitter = numbers.share("jitter", measuring.has_jitter(), measuring.jitter(), 15);
  out.buffer = numbers.share("min_rtt_buffer", measuring.has_buffer(), measuring.buffer(), 25);
  out.measure_limit = numbers.count("min_concurrency", measuring.has_min_concurrency(), measuring.min_concurrency(), 3);
  out.measure_at_limit = limits.has_min_concurrency_limit() || numbers.of("min_concurrency_limit", 0) >= 1;
  out.min_limit = numbers.count("min_concurrency_limit", limits.has_min_concurrency_limit(),
                                limits.min_concurrency_limit(), out.measure_limit);
  if (out.min_limit > out.max_limit) {
    at.child("concurrency_limit_params")
        .warn(absl::StrCat("the lowest limit, ", out.min_limit, ", is above the highest, ", out.max_limit,
                           ", and holds at all times"));
  }
  const config::Context measuring_at = at.child("min_rtt_calc_params");
  if (out.measure_interval.count() == 0 && !measuring.has_fixed_value()) {
    measuring_at.error("needs an interval of measurements, or a fixed_value");
  }
  if (out.measure_interval.count() != 0 && measuring.has_fixed_value()) {
    measuring_at.child("fixed_value").warn("has no effect beside an interval of measurements");
  }
  using std::chrono::microseconds;
  out.fixed_best = std::max(microseconds(1),
                            std::chrono::duration_cast<microseconds>(config::compileDuration(measuring.fixed_value())));
  return out;
}

class Factory : public config::HttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    const Gradient& gradient = proto.gradient_controller_config();
    const runtime::Snapshot* snapshot = context.services.runtime.get();
    const config::ErrorMark mark(context.at);
    const Rules rules = compileRules(gradient, snapshot, context.at.child("gradient_controller_config"));
    if (mark.hit()) return nullptr;
    Settings settings;
    if (proto.has_enabled()) settings.enabled = config::compileFlag(proto.enabled(), snapshot);
    settings.status = config::errorStatus(proto.concurrency_limit_exceeded_status().code(), settings.status);
    // A chain that is loaded anew goes on with what was learnt, unless it has other rules.
    settings.controller = context.shared<Controller>(
        absl::StrCat("controller ", context.owner, " ", config::stableBytes(gradient)), rules);
    const std::string prefix = context.owner + "adaptive_concurrency.gradient_controller.";
    settings.blocked = context.stats->counter(prefix + "rq_blocked");
    settings.gauges = std::make_shared<Gauges>(settings.controller, prefix, *context.stats);
    context.services.stats.addLate(settings.gauges);
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::adaptive_concurrency
