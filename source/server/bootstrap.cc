#include "source/server/bootstrap.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/config/loader.h"
#include "source/config/validate.h"
#include "source/config/values.h"

namespace sluice::server {
namespace {

using config::Context;
using HttpConnectionManager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using envoy::config::core::v3::ApiConfigSource;
using envoy::config::core::v3::ConfigSource;

// What the configuration sources need of the rest of the bootstrap.
class SourceChecker {
 public:
  SourceChecker(const BootstrapProto& bootstrap, const std::set<std::string>& clusters)
      : bootstrap_(bootstrap), clusters_(clusters) {}

  void check(const ConfigSource& source, const Context& context) const {
    switch (source.config_source_specifier_case()) {
      case ConfigSource::kAds:
        if (!bootstrap_.dynamic_resources().has_ads_config()) {
          context.child("ads").error(
              "this source is the aggregated stream, but dynamic_resources.ads_config is not set");
        }
        return;
      case ConfigSource::kApiConfigSource:
        return checkApi(source.api_config_source(), context.child("api_config_source"));
      case ConfigSource::kPathConfigSource:
        if (source.path_config_source().path().empty())
          context.child("path_config_source").child("path").error("no path");
        return;
      default:
        context.error("no configuration source; set ads, api_config_source or path_config_source");
    }
  }

  void checkApi(const ApiConfigSource& api, const Context& context) const {
    if (api.api_type() != ApiConfigSource::GRPC && api.api_type() != ApiConfigSource::DELTA_GRPC) {
      context.child("api_type").error("only GRPC and DELTA_GRPC are supported");
    }
    if (api.grpc_services_size() != 1) {
      return context.child("grpc_services")
          .error(absl::StrCat("has ", api.grpc_services_size(), " entries; exactly one is needed"));
    }
    const Context grpc = context.child("grpc_services", 0).child("envoy_grpc");
    const std::string& cluster = api.grpc_services(0).envoy_grpc().cluster_name();
    if (cluster.empty())
      return grpc.child("cluster_name").error("no cluster; name the static cluster of the control plane");
    if (!clusters_.contains(cluster)) {
      grpc.child("cluster_name")
          .error(absl::StrCat("cluster '", cluster,
                              "' is not in static_resources.clusters; the control plane's cluster has to be static"));
    }
  }

 private:
  const BootstrapProto& bootstrap_;
  const std::set<std::string>& clusters_;
};

bool usesXds(const BootstrapProto& bootstrap) {
  return bootstrap.has_dynamic_resources();
}

}  // namespace

bool loadBootstrap(const Options& options, BootstrapProto& bootstrap, config::ErrorList& errors,
                   config::Positions& positions) {
  config::Loader loader(errors, positions);
  if (!options.config_path.empty()) loader.loadFile(options.config_path, bootstrap);
  if (!options.config_yaml.empty()) loader.mergeYaml(options.config_yaml, bootstrap);
  if (!options.service_node.empty()) bootstrap.mutable_node()->set_id(options.service_node);
  if (!options.service_cluster.empty()) bootstrap.mutable_node()->set_cluster(options.service_cluster);
  config::validate(bootstrap, Context(errors, &positions));
  return errors.empty();
}

std::vector<std::string> rdsNamesOf(const envoy::config::listener::v3::Listener& listener) {
  std::vector<std::string> names;
  auto collect = [&names](const envoy::config::listener::v3::FilterChain& chain) {
    for (const auto& filter : chain.filters()) {
      HttpConnectionManager manager;
      if (filter.typed_config().UnpackTo(&manager) && manager.has_rds()) {
        names.push_back(manager.rds().route_config_name());
      }
    }
  };
  for (const auto& chain : listener.filter_chains()) collect(chain);
  if (listener.has_default_filter_chain()) collect(listener.default_filter_chain());
  return names;
}

bool compileBootstrap(const BootstrapProto& bootstrap, const Context& context, config::Services& services,
                      CompiledBootstrap& out) {
  const size_t errors_before = context.errors().total();
  const Context statics = context.child("static_resources");

  std::set<std::string> cluster_names;
  std::map<std::string, int> first_cluster;
  for (int i = 0; i < bootstrap.static_resources().clusters_size(); ++i) {
    const auto& proto = bootstrap.static_resources().clusters(i);
    const Context at = statics.child("clusters", i);
    const auto [first, is_new] = first_cluster.emplace(proto.name(), i);
    if (!is_new) {
      at.child("name").error(
          absl::StrCat("cluster '", proto.name(), "' stands twice; clusters[", first->second, "] has that name"));
    }
    cluster_names.insert(proto.name());
    if (auto config = config::compileCluster(proto, at)) out.clusters.push_back({std::move(config), &proto});
  }

  const SourceChecker sources(bootstrap, cluster_names);
  const bool dynamic_clusters = bootstrap.dynamic_resources().has_cds_config();
  if (!dynamic_clusters) {
    services.cluster_exists = [&cluster_names](std::string_view name) {
      return cluster_names.contains(std::string(name));
    };
  }
  for (int i = 0; i < bootstrap.static_resources().clusters_size(); ++i) {
    const auto& proto = bootstrap.static_resources().clusters(i);
    if (!proto.has_eds_cluster_config()) continue;
    const Context at = statics.child("clusters", i).child("eds_cluster_config").child("eds_config");
    if (proto.eds_cluster_config().has_eds_config()) sources.check(proto.eds_cluster_config().eds_config(), at);
  }

  std::map<std::string, int> first_listener;
  for (int i = 0; i < bootstrap.static_resources().listeners_size(); ++i) {
    const auto& proto = bootstrap.static_resources().listeners(i);
    const Context at = statics.child("listeners", i);
    if (!proto.name().empty()) {
      const auto [first, is_new] = first_listener.emplace(proto.name(), i);
      if (!is_new) {
        at.child("name").error(
            absl::StrCat("listener '", proto.name(), "' stands twice; listeners[", first->second, "] has that name"));
      }
    }
    std::optional<config::CompiledListener> compiled = config::compileListener(proto, at, services);
    if (compiled) out.listeners.push_back({*std::move(compiled), &proto, rdsNamesOf(proto)});
    for (int c = 0; c < proto.filter_chains_size(); ++c) {
      for (int f = 0; f < proto.filter_chains(c).filters_size(); ++f) {
        HttpConnectionManager manager;
        if (!proto.filter_chains(c).filters(f).typed_config().UnpackTo(&manager) || !manager.has_rds()) continue;
        sources.check(
            manager.rds().config_source(),
            at.child("filter_chains", c).child("filters", f).child("typed_config").child("rds").child("config_source"));
      }
    }
  }
  std::map<net::Address, std::string> by_address;
  for (const CompiledBootstrap::Listener& listener : out.listeners) {
    for (const net::Address& address : listener.compiled.addresses) {
      if (address.port() == 0 && address.isIp()) continue;
      const auto [other, is_new] = by_address.emplace(address, listener.compiled.name);
      if (!is_new) {
        statics.child("listeners")
            .error(absl::StrCat("listeners '", other->second, "' and '", listener.compiled.name,
                                "' have the same address ", address.toString()));
      }
    }
  }

  if (usesXds(bootstrap)) {
    const auto& dynamic = bootstrap.dynamic_resources();
    const Context at = context.child("dynamic_resources");
    if (dynamic.has_ads_config()) sources.checkApi(dynamic.ads_config(), at.child("ads_config"));
    if (dynamic.has_lds_config()) sources.check(dynamic.lds_config(), at.child("lds_config"));
    if (dynamic.has_cds_config()) sources.check(dynamic.cds_config(), at.child("cds_config"));
    if (bootstrap.node().id().empty() || bootstrap.node().cluster().empty()) {
      context.child("node").error(
          "node.id and node.cluster are needed for dynamic configuration; set them here or by --service-node and "
          "--service-cluster");
    }
  }
  if (bootstrap.has_admin()) {
    const Context at = context.child("admin");
    if (!bootstrap.admin().has_address()) {
      at.child("address").error("no address; leave `admin` out to have no admin server");
    } else {
      out.admin = config::compileAddress(bootstrap.admin().address(), at.child("address"));
    }
    if (bootstrap.admin().access_log_size() > 0 || !bootstrap.admin().access_log_path().empty()) {
      at.warn("access logs of the admin server are not written");
    }
  }
  return context.errors().total() == errors_before;
}

}  // namespace sluice::server
