#include "source/server/bootstrap.h"

#include <set>

#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/config/access_log_factory.h"
#include "source/config/config_source.h"
#include "source/config/connect_options.h"
#include "source/config/health_compiler.h"
#include "source/config/holding.h"
#include "source/config/loader.h"
#include "source/config/registry.h"
#include "source/config/validate.h"

namespace sluice::server {
namespace {

using config::Context;
using HttpConnectionManager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using ScopedRoutes = envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes;

// A source inside a listener or a cluster.
void checkSource(const envoy::config::core::v3::ConfigSource& source, const BootstrapProto& bootstrap,
                 const Context& context) {
  if (const auto compiled = config::compileConfigSource(source, context)) {
    config::checkSource(*compiled, bootstrap, context);
  }
}

// What can be seen of their sources alone was said when they were compiled.
void checkScopes(const ScopedRoutes& scopes, const BootstrapProto& bootstrap, const Context& context) {
  const auto check = [&](const envoy::config::core::v3::ConfigSource& source, const Context& at) {
    config::ErrorList said;
    const auto compiled = config::compileConfigSource(source, Context(said));
    if (compiled) config::checkSource(*compiled, bootstrap, at);
  };
  if (scopes.has_rds_config_source()) check(scopes.rds_config_source(), context.child("rds_config_source"));
  if (!scopes.has_scoped_rds()) return;
  check(scopes.scoped_rds().scoped_rds_config_source(), context.child("scoped_rds").child("scoped_rds_config_source"));
}

// Where the connection managers of a chain get their route tables.
void checkRds(const envoy::config::listener::v3::FilterChain& chain, const BootstrapProto& bootstrap,
              const Context& context) {
  for (int i = 0; i < chain.filters_size(); ++i) {
    HttpConnectionManager manager;
    if (!chain.filters(i).typed_config().UnpackTo(&manager)) continue;
    const Context at = context.child("filters", i).child("typed_config");
    if (manager.has_rds()) {
      checkSource(manager.rds().config_source(), bootstrap, at.child("rds").child("config_source"));
    }
    if (manager.has_scoped_routes()) checkScopes(manager.scoped_routes(), bootstrap, at.child("scoped_routes"));
  }
}

// (proto: Admin.access_log, and access_log_path, which is a file log in the default format)
void compileAdminLogs(const envoy::config::bootstrap::v3::Admin& admin, const Context& context,
                      config::Services& services, CompiledBootstrap& out) {
  config::Holding holding(services);
  for (auto& log : config::compileAccessLogs(admin.access_log(), holding.context(context, "admin"))) {
    out.admin_access_logs.push_back(holding.tie(std::move(log)));
  }
  if (admin.access_log_path().empty()) return;
  envoy::extensions::access_loggers::file::v3::FileAccessLog log;
  log.set_path(admin.access_log_path());
  const auto* factory = services.registry.access_logs.find(log.GetDescriptor()->full_name());
  if (factory == nullptr) return;
  if (auto compiled = factory->compile(log, holding.context(context.child("access_log_path"), "admin")))
    out.admin_access_logs.push_back(holding.tie(std::move(compiled)));
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

bool compileBootstrap(const BootstrapProto& bootstrap, const Context& context, config::Services& services,
                      CompiledBootstrap& out, const ServingParts* serving) {
  const config::ErrorMark mark(context);
  const Context statics = context.child("static_resources");
  BootstrapSecrets checked(bootstrap);
  if (serving == nullptr) services.secrets = &checked;
  (serving == nullptr ? checked : serving->secrets).load(statics);

  services.node_cluster = bootstrap.node().cluster();
  services.node_id = bootstrap.node().id();
  out.settings = config::compileBootstrap(bootstrap, context);
  if (out.settings) services.runtime = out.settings->runtime;
  services.outlier_log = config::openOutlierLog(bootstrap, context, services);
  services.upstream_bind = config::compileUpstreamBind(bootstrap, context);
  compileAdminLogs(bootstrap.admin(), context.child("admin"), services, out);
  std::set<std::string> cluster_names;
  for (const auto& proto : bootstrap.static_resources().clusters()) cluster_names.insert(proto.name());
  if (!bootstrap.dynamic_resources().has_cds_config()) {
    services.cluster_exists = [&cluster_names](std::string_view name) {
      return cluster_names.contains(std::string(name));
    };
  }
  for (int i = 0; i < bootstrap.static_resources().clusters_size(); ++i) {
    const auto& proto = bootstrap.static_resources().clusters(i);
    const Context at = statics.child("clusters", i);
    auto init = serving != nullptr ? serving->cluster_init(proto.name()) : nullptr;
    if (auto config = config::compileCluster(proto, at, services, init.get())) {
      out.clusters.push_back({std::move(config), &proto, std::move(init)});
    }
  }

  for (int i = 0; i < bootstrap.static_resources().clusters_size(); ++i) {
    const auto& proto = bootstrap.static_resources().clusters(i);
    if (!proto.has_eds_cluster_config()) continue;
    const Context at = statics.child("clusters", i).child("eds_cluster_config").child("eds_config");
    if (proto.eds_cluster_config().has_eds_config())
      checkSource(proto.eds_cluster_config().eds_config(), bootstrap, at);
  }

  for (int i = 0; i < bootstrap.static_resources().listeners_size(); ++i) {
    const auto& proto = bootstrap.static_resources().listeners(i);
    const Context at = statics.child("listeners", i);
    auto init = serving != nullptr ? serving->listener_init(proto.name()) : nullptr;
    std::optional<config::CompiledListener> compiled = config::compileListener(proto, at, services, init.get());
    if (compiled) out.listeners.push_back({*std::move(compiled), &proto, std::move(init)});
    for (int c = 0; c < proto.filter_chains_size(); ++c) {
      checkRds(proto.filter_chains(c), bootstrap, at.child("filter_chains", c));
    }
    checkRds(proto.default_filter_chain(), bootstrap, at.child("default_filter_chain"));
  }
  if (services.secrets == &checked) services.secrets = nullptr;
  services.cluster_exists = nullptr;
  return !mark.hit();
}

}  // namespace sluice::server
