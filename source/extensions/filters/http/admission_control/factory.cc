#include "source/extensions/filters/http/admission_control/factory.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "envoy/extensions/filters/http/admission_control/v3/admission_control.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/admission_control/filter.h"

namespace sluice::extensions::http_filters::admission_control {
namespace {

using Proto = envoy::extensions::filters::http::admission_control::v3::AdmissionControl;

// OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED
// and UNAUTHENTICATED.
constexpr uint32_t kGrpcSuccess =
    1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 11 | 1u << 12 | 1u << 16;

// A percentage as a share, at most 1.
double compileShare(const envoy::config::core::v3::RuntimePercent& percent, const runtime::Snapshot* snapshot) {
  const double fallback = percent.default_value().value();
  const double value = snapshot == nullptr ? fallback : snapshot->number(percent.runtime_key(), fallback);
  return std::clamp(value, 0.0, 100.0) / 100;
}

// `context` stands at the criteria.
void compileCriteria(const Proto::SuccessCriteria& proto, const config::Context& context, Rules& out) {
  out.http_success = {{0, 500}};
  out.grpc_success = kGrpcSuccess;
  if (proto.has_http_criteria()) out.http_success.clear();
  for (int i = 0; i < proto.http_criteria().http_success_status_size(); ++i) {
    const auto& range = proto.http_criteria().http_success_status(i);
    const config::Context at = context.child("http_criteria").child("http_success_status", static_cast<size_t>(i));
    if (range.start() < 100 || range.end() > 600 || range.start() > range.end()) {
      at.error("is no range of statuses; start is 100 or more, end is not below start and not over 600");
      continue;
    }
    if (range.start() == range.end())
      at.warn("has no status in it, because end is not part of a range; add one to end");
    out.http_success.emplace_back(static_cast<uint16_t>(range.start()), static_cast<uint16_t>(range.end()));
  }
  if (proto.has_grpc_criteria()) out.grpc_success = 0;
  for (int i = 0; i < proto.grpc_criteria().grpc_success_status_size(); ++i) {
    const uint32_t status = proto.grpc_criteria().grpc_success_status(i);
    if (status > 16) {
      context.child("grpc_criteria")
          .child("grpc_success_status", static_cast<size_t>(i))
          .error("is no status of gRPC; use 0 (OK) to 16 (UNAUTHENTICATED)");
      continue;
    }
    out.grpc_success |= 1u << status;
  }
}

Rules compileRules(const Proto& proto, const config::FactoryContext& context) {
  const runtime::Snapshot* snapshot = context.services.runtime.get();
  Rules out;
  if (proto.has_enabled()) out.enabled = config::compileFlag(proto.enabled(), snapshot);
  compileCriteria(proto.success_criteria(), context.at.child("success_criteria"), out);
  if (proto.has_sampling_window()) {
    out.window = std::chrono::floor<std::chrono::seconds>(config::compileMilliseconds(proto.sampling_window()));
    if (out.window.count() == 0) {
      context.at.child("sampling_window").error("is less than 1 s, and requests are counted by seconds");
    }
  }
  // Less than 1 would refuse less than what failed.
  if (proto.has_aggression()) out.aggression = std::fmax(1.0, config::compileNumber(proto.aggression(), snapshot));
  if (proto.has_sr_threshold()) out.threshold = compileShare(proto.sr_threshold(), snapshot);
  if (out.threshold < 0.01) {
    context.at.child("sr_threshold").error("is less than 1%: nothing would ever be refused; set `enabled` to false");
  }
  if (proto.has_rps_threshold()) {
    const double fallback = proto.rps_threshold().default_value();
    out.min_rate = snapshot == nullptr ? fallback : snapshot->number(proto.rps_threshold().runtime_key(), fallback);
  }
  if (proto.has_max_rejection_probability()) {
    out.max_probability = compileShare(proto.max_rejection_probability(), snapshot);
  }
  return out;
}

class Factory : public config::HttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    Settings settings;
    settings.rules = compileRules(proto, context);
    const auto make = [length = settings.rules.window](worker::WorkerServices&) {
      return std::make_unique<Window>(length);
    };
    settings.windows = std::make_shared<const worker::WorkerLocal<Window>>(context.services.local_slots, make);
    const std::string base = context.owner + "admission_control.";
    settings.rejected = context.stats->counter(base + "rq_rejected");
    settings.success = context.stats->counter(base + "rq_success");
    settings.failure = context.stats->counter(base + "rq_failure");
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::admission_control
