#include "source/extensions/filters/http/fault/factory.h"

#include <memory>
#include <string>

#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/rate_limits.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/fault/filter.h"
#include "source/filter/metadata_struct.h"

namespace sluice::extensions::http_filters::fault {
namespace {

namespace v3 = envoy::extensions::filters::http::fault::v3;
using Proto = v3::HTTPFault;

// Keys of the runtime layers stand before what is configured.
class Runtime {
 public:
  explicit Runtime(const runtime::Snapshot* snapshot) : snapshot_(snapshot) {}

  runtime::Fraction share(const std::string& key, std::string_view usual,
                          const envoy::type::v3::FractionalPercent& percentage) const {
    const runtime::Fraction configured = config::compileFraction(percentage);
    return snapshot_ == nullptr ? configured
                                : snapshot_->fraction(key.empty() ? usual : std::string_view(key), configured);
  }
  // A whole number from 0 to `most`.
  uint64_t number(const std::string& key, std::string_view usual, uint64_t configured, uint64_t most) const {
    if (snapshot_ == nullptr) return configured;
    const double found =
        snapshot_->number(key.empty() ? usual : std::string_view(key), static_cast<double>(configured));
    return found >= 0 && found <= static_cast<double>(most) ? static_cast<uint64_t>(found) : configured;
  }

 private:
  const runtime::Snapshot* const snapshot_;
};

Delay compileDelay(const Proto& proto, const Runtime& runtime) {
  const auto& delay = proto.delay();
  Delay out;
  out.share = runtime.share(proto.delay_percent_runtime(), "fault.http.delay.fixed_delay_percent", delay.percentage());
  out.by_header = delay.has_header_delay();
  if (out.by_header) return out;
  const auto fixed = static_cast<uint64_t>(config::compileMilliseconds(delay.fixed_delay()).count());
  out.fixed = std::chrono::milliseconds(static_cast<int64_t>(runtime.number(
      proto.delay_duration_runtime(), "fault.http.delay.fixed_duration_ms", fixed, uint64_t{10} * 366 * 86'400'000)));
  return out;
}

Abort compileAbort(const Proto& proto, const Runtime& runtime) {
  const auto& abort = proto.abort();
  Abort out;
  out.share = runtime.share(proto.abort_percent_runtime(), "fault.http.abort.abort_percent", abort.percentage());
  out.by_header = abort.has_header_abort();
  if (out.by_header) return out;
  out.http_status = static_cast<uint16_t>(
      runtime.number(proto.abort_http_status_runtime(), "fault.http.abort.http_status", abort.http_status(), 599));
  if (abort.error_type_case() == v3::FaultAbort::kGrpcStatus) {
    out.grpc_status = static_cast<int>(runtime.number(proto.abort_grpc_status_runtime(), "fault.http.abort.grpc_status",
                                                      abort.grpc_status(), INT32_MAX));
  }
  return out;
}

Throughput compileThroughput(const Proto& proto, const Runtime& runtime) {
  const auto& limit = proto.response_rate_limit();
  Throughput out;
  if (limit.has_fixed_limit()) out.kib_per_second = limit.fixed_limit().limit_kbps();
  if (limit.has_header_limit()) out.kib_per_second = 0;
  out.share = runtime.share(proto.response_rate_limit_percent_runtime(), "fault.http.rate_limit.response_percent",
                            limit.percentage());
  return out;
}

Faults compileFaults(const Proto& proto, const config::FactoryContext& context) {
  const Runtime runtime(context.services.runtime.get());
  Faults out;
  if (proto.has_delay()) out.delay = compileDelay(proto, runtime);
  if (proto.has_abort()) out.abort = compileAbort(proto, runtime);
  if (proto.has_response_rate_limit()) out.throughput = compileThroughput(proto, runtime);
  out.upstream_cluster = proto.upstream_cluster();
  config::Regexes regexes;
  for (int i = 0; i < proto.headers_size(); ++i) {
    const config::Context at = context.at.child("headers", static_cast<size_t>(i));
    out.headers.push_back(config::compileHeaderMatcher(proto.headers(i), at, regexes));
  }
  out.downstream_nodes = {proto.downstream_nodes().begin(), proto.downstream_nodes().end()};
  const uint64_t most = proto.has_max_active_faults() ? proto.max_active_faults().value() : UINT32_MAX;
  out.max_active = static_cast<uint32_t>(
      runtime.number(proto.max_active_faults_runtime(), "fault.http.max_active_faults", most, UINT32_MAX));
  out.metadata = filter::readStruct(proto.filter_metadata());
  return out;
}

Stats makeStats(const config::FactoryContext& context) {
  const auto counter = [&](const char* name) { return context.stats->counter(context.owner + "fault." + name); };
  return {counter("aborts_injected"), counter("delays_injected"), counter("faults_overflow"),
          counter("response_rl_injected"), context.stats->gauge(context.owner + "fault.active_faults")};
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(Settings{
        compileFaults(proto, context), context.shared<base::SharedLimit>("active faults"), makeStats(context)});
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileFaults(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::fault
