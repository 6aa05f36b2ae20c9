#include "source/extensions/filters/network/tcp_proxy/factory.h"

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "source/base/arena.h"
#include "source/config/access_log_factory.h"
#include "source/config/cluster_reference.h"
#include "source/config/holding.h"
#include "source/config/metadata_match.h"
#include "source/config/network_filter_factory.h"
#include "source/config/route_mutations.h"
#include "source/config/values.h"
#include "source/extensions/filters/network/tcp_proxy/proxy.h"
#include "source/http/rules.h"

namespace sluice::extensions::network_filters::tcp_proxy {
namespace {

using Proto = envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using config::Context;

class TcpProxy : public filter::TerminalNetworkFilter {
 public:
  explicit TcpProxy(std::shared_ptr<const Settings> settings) : settings_(std::move(settings)) {}

  void serve(filter::Accepted accepted, worker::WorkerServices& worker,
             base::List<filter::LiveConnection>& list) const override {
    Proxy::start(worker, settings_, std::move(accepted), list);
  }

 private:
  const std::shared_ptr<const Settings> settings_;
};

Stats makeStats(const std::string& prefix, observability::Scope& scope) {
  const std::string base = absl::StrCat("tcp.", prefix, ".");
  return {scope.counter(base + "downstream_cx_total"),
          scope.counter(base + "downstream_cx_no_route"),
          scope.counter(base + "downstream_cx_rx_bytes_total"),
          scope.counter(base + "downstream_cx_tx_bytes_total"),
          scope.counter(base + "idle_timeout"),
          scope.counter(base + "max_downstream_connection_duration")};
}

using CriteriaPtr = std::shared_ptr<const stream::MetadataCriteria>;

void addTarget(Settings& settings, const std::string& name, uint64_t weight, CriteriaPtr metadata_match,
               const Context& context, config::Services& services) {
  if (name.empty()) return context.error("no name; say which cluster connections go to");
  const uint64_t before = settings.targets.empty() ? 0 : settings.targets.back().weights_up_to;
  settings.targets.push_back({config::clusterNamed(name, "connections are closed", context, services), before + weight,
                              std::move(metadata_match)});
}

void compileTargets(const Proto& proto, const Context& context, config::Services& services, Settings& settings) {
  settings.metadata_match = config::compileMetadataMatch(proto.metadata_match());
  if (!proto.has_weighted_clusters()) {
    return addTarget(settings, proto.cluster(), 1, settings.metadata_match, context.child("cluster"), services);
  }
  const Context at = context.child("weighted_clusters");
  for (int i = 0; i < proto.weighted_clusters().clusters_size(); ++i) {
    const auto& cluster = proto.weighted_clusters().clusters(i);
    addTarget(settings, cluster.name(), cluster.weight(),
              config::compileMetadataMatch(cluster.metadata_match(), settings.metadata_match),
              at.child("clusters", i).child("name"), services);
  }
}

void compileAccessLogs(const Proto& proto, const config::FactoryContext& context, Settings& settings) {
  settings.access_logs = config::compileAccessLogs(proto.access_log(), context);
  const auto& options = proto.access_log_options();
  const bool old_forms = proto.has_access_log_flush_interval() || proto.flush_access_log_on_connected();
  if (proto.has_access_log_options() && old_forms) {
    context.at.child("access_log_options")
        .error("stands beside access_log_flush_interval or flush_access_log_on_connected; keep the options only");
  }
  if (options.has_access_log_flush_interval()) {
    settings.log_interval = config::compileMilliseconds(options.access_log_flush_interval());
  } else if (proto.has_access_log_flush_interval()) {
    settings.log_interval = config::compileMilliseconds(proto.access_log_flush_interval());
  }
  settings.log_on_start = options.flush_access_log_on_start();
  settings.log_on_connected = options.flush_access_log_on_connected() || proto.flush_access_log_on_connected();
}

std::shared_ptr<const stream::Formatter> compileHostname(const std::string& hostname, const Context& context) {
  if (hostname.find('%') == std::string::npos) {
    base::Arena arena;
    if (!http::validAuthority({http::copyPadded(arena, hostname), hostname.size()})) {
      context.error(absl::StrCat("'", hostname, "' is no host; write host:port"));
      return nullptr;
    }
  }
  auto formatter =
      stream::TextFormatter::compile(hostname, {.omit_empty_values = true, .escape = stream::Escape::kNone});
  if (formatter.ok()) return std::make_shared<const stream::TextFormatter>(*std::move(formatter));
  context.error(std::string(formatter.status().message()));
  return nullptr;
}

TunnelSettings compileTunnel(const Proto::TunnelingConfig& proto, const Context& context) {
  TunnelSettings out;
  out.hostname = compileHostname(proto.hostname(), context.child("hostname"));
  out.headers.add = config::compileHeaderAdditions(proto.headers_to_add(), "headers_to_add", context);
  if (!proto.use_post()) {
    if (!proto.post_path().empty()) {
      context.child("post_path").error("is for POST, and this is CONNECT; set use_post, or remove post_path");
    }
    return out;
  }
  out.post_path = proto.post_path().empty() ? "/" : proto.post_path();
  base::Arena arena;
  const std::string_view path(http::copyPadded(arena, out.post_path), out.post_path.size());
  if (!path.starts_with("/") || !http::validTarget(path)) {
    context.child("post_path").error(absl::StrCat("'", out.post_path, "' is no path; begin it with /"));
  }
  return out;
}

class Factory : public config::NetworkFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const Context& at = context.at;
    const config::ErrorMark mark(at);
    config::Holding holding(context);
    auto settings = std::make_shared<Settings>();
    settings->stats = makeStats(proto.stat_prefix(), holding.stats());
    settings->listener_name = context.listener;
    settings->filter_chain_name = context.filter_chain;
    settings->listener_metadata = context.listener_metadata;
    compileTargets(proto, at, context.services, *settings);
    settings->hash_source = proto.hash_policy_size() > 0 && proto.hash_policy(0).has_source_ip();
    if (proto.has_idle_timeout()) settings->idle_timeout = config::compileMilliseconds(proto.idle_timeout());
    if (proto.has_max_downstream_connection_duration()) {
      settings->max_duration = config::compileMilliseconds(proto.max_downstream_connection_duration());
    }
    if (proto.has_max_connect_attempts()) settings->max_connect_attempts = proto.max_connect_attempts().value();
    if (proto.has_tunneling_config()) {
      settings->tunnel = compileTunnel(proto.tunneling_config(), at.child("tunneling_config"));
    }
    compileAccessLogs(proto, holding.context(at, context.owner), *settings);
    if (mark.hit()) return nullptr;
    return std::make_shared<TcpProxy>(holding.tie(std::move(settings)));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.network_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::tcp_proxy
