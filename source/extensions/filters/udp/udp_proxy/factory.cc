#include "source/extensions/filters/udp/udp_proxy/factory.h"

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/udp/udp_proxy/v3/route.pb.h"
#include "envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy.pb.h"
#include "source/base/xx_hash.h"
#include "source/config/access_log_factory.h"
#include "source/config/cluster_reference.h"
#include "source/config/holding.h"
#include "source/config/matcher_compiler.h"
#include "source/config/udp_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/udp/udp_proxy/proxy.h"

namespace sluice::extensions::udp_filters::udp_proxy {
namespace {

using Proto = envoy::extensions::filters::udp::udp_proxy::v3::UdpProxyConfig;
using Route = envoy::extensions::filters::udp::udp_proxy::v3::Route;
using config::Context;

Stats makeStats(const std::string& prefix, observability::Scope& scope) {
  const std::string base = absl::StrCat("udp.", prefix, ".");
  auto counter = [&](const char* name) { return scope.counter(base + name); };
  return {counter("downstream_sess_total"),
          counter("downstream_sess_no_route"),
          counter("downstream_sess_overflow"),
          counter("downstream_sess_rx_bytes"),
          counter("downstream_sess_rx_datagrams"),
          counter("downstream_sess_rx_datagrams_dropped"),
          counter("downstream_sess_rx_errors"),
          counter("downstream_sess_tx_bytes"),
          counter("downstream_sess_tx_datagrams"),
          counter("downstream_sess_tx_errors"),
          counter("idle_timeout"),
          scope.gauge(base + "downstream_sess_active")};
}

class Factory : public config::UdpFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::UdpFilter> compile(const google::protobuf::Message& message,
                                                   config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const Context& at = context.at;
    const config::ErrorMark mark(at);
    config::Holding holding(context);
    auto settings = std::make_shared<Settings>();
    settings->stats = makeStats(proto.stat_prefix(), holding.stats());
    settings->matcher = compileRoute(proto, context);
    if (proto.has_idle_timeout()) {
      settings->idle_timeout = config::compileMilliseconds(proto.idle_timeout());
      if (settings->idle_timeout.count() < 1) {
        at.child("idle_timeout").error("must be at least 1ms: nothing else tells that a client is gone");
      }
    }
    const auto& socket = proto.upstream_socket_config();
    if (socket.has_max_rx_datagram_size()) settings->max_rx_datagram_size = socket.max_rx_datagram_size().value();
    if (socket.has_prefer_gro()) settings->prefer_gro = socket.prefer_gro().value();
    if (proto.hash_policies_size() > 0) {
      const Proto::HashPolicy& policy = proto.hash_policies(0);
      settings->hash_source = policy.source_ip();
      if (!policy.key().empty()) settings->hash = base::xxHash64(policy.key());
    }
    settings->per_packet = proto.use_per_packet_load_balancing();
    settings->access_logs = config::compileAccessLogs(proto.access_log(), holding.context(at, context.owner));
    if (mark.hit()) return nullptr;
    return std::make_shared<Filter>(holding.tie(std::move(settings)));
  }

 private:
  static std::shared_ptr<const match::Matcher> compileRoute(const Proto& proto, const config::FactoryContext& context) {
    config::Services& services = context.services;
    if (!proto.has_matcher()) {
      auto always = std::make_shared<match::Matcher>();
      always->on_no_match.emplace().action = clusterId(proto.cluster(), context.at, services);
      return always;
    }
    const auto action = [&services](const google::protobuf::Any& config,
                                    const Context& at) -> std::optional<match::Action> {
      const auto message = config::unpackAny(config, at);
      if (message == nullptr) return std::nullopt;
      if (message->GetDescriptor() != Route::descriptor()) {
        at.error(absl::StrCat(message->GetDescriptor()->full_name(), " is no action of udp_proxy; write ",
                              Route::descriptor()->full_name()));
        return std::nullopt;
      }
      return clusterId(static_cast<const Route&>(*message).cluster(), at, services);
    };
    const config::MatchPlace place{"udp_proxy", match::kAddresses, false, action};
    return config::compileMatcher(proto.matcher(), place, context.child("matcher"));
  }

  static upstream::ClusterId clusterId(const std::string& name, const Context& context, config::Services& services) {
    return config::clusterNamed(name, "datagrams are dropped", context, services);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.udp_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::udp_filters::udp_proxy
