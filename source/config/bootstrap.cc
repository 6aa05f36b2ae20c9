#include "source/config/bootstrap.h"

#include <map>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/bootstrap/internal_listener/v3/internal_listener.pb.h"
#include "source/config/any_type.h"
#include "source/config/log_format.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using envoy::config::bootstrap::v3::Admin;
using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::Address;

const Cluster* findCluster(const Bootstrap& bootstrap, std::string_view name) {
  for (const Cluster& cluster : bootstrap.static_resources().clusters()) {
    if (cluster.name() == name) return &cluster;
  }
  return nullptr;
}

// `kind` names the list's items in errors. Items without a name are the rules' business.
template <typename List>
void checkUniqueNames(const List& items, std::string_view kind, const Context& context) {
  std::map<std::string_view, int> first;
  for (int i = 0; i < items.size(); ++i) {
    if (items[i].name().empty()) continue;
    const auto [known, added] = first.try_emplace(items[i].name(), i);
    if (added) continue;
    const std::string list = absl::StrCat(std::string(kind), "s");
    context.child(list, static_cast<size_t>(i))
        .child("name")
        .error(absl::StrCat("\"", items[i].name(), "\" is the name of ", list, "[", known->second, "], too; names of ",
                            list, " are unique"));
  }
}

// The text of an address that only one listener may have; empty for port 0, where the kernel chooses.
std::string addressKey(const Address& address) {
  if (address.has_pipe()) return address.pipe().path();
  const auto& socket = address.socket_address();
  if (socket.port_value() == 0 || socket.port_value() > 65535) return {};
  const auto ip = net::Address::fromIp(socket.address(), static_cast<uint16_t>(socket.port_value()));
  if (!ip) return {};
  return ip->toString() + (socket.protocol() == envoy::config::core::v3::SocketAddress::UDP ? " (UDP)" : "");
}

void checkUniqueAddresses(const Bootstrap& bootstrap, const Context& context) {
  const auto& listeners = bootstrap.static_resources().listeners();
  std::map<std::string, std::string> users;
  if (bootstrap.admin().has_address()) users.emplace(addressKey(bootstrap.admin().address()), "admin");
  for (int i = 0; i < listeners.size(); ++i) {
    if (listeners[i].has_api_listener() || !listeners[i].has_address()) continue;
    const std::string key = addressKey(listeners[i].address());
    if (key.empty()) continue;
    const auto [known, added] = users.try_emplace(key, absl::StrCat("static_resources.listeners[", i, "]"));
    if (added) continue;
    context.child("static_resources")
        .child("listeners", static_cast<size_t>(i))
        .child("address")
        .error(absl::StrCat(key, " is the address of ", known->second, ", too; give each its own"));
  }
}

// Null after an error.
const Cluster* checkServer(const std::string& name, const Bootstrap& bootstrap, const Context& context) {
  const Cluster* cluster = findCluster(bootstrap, name);
  if (cluster == nullptr) {
    context.error(
        absl::StrCat("names the cluster \"", name, "\", which is not in static_resources.clusters; add it there"));
  } else if (cluster->type() == Cluster::EDS) {
    context.error(absl::StrCat("names the cluster \"", name,
                               "\", whose endpoints come from EDS themselves; use STATIC or STRICT_DNS"));
    return nullptr;
  }
  return cluster;
}

void checkGrpcServer(const GrpcSource& source, const Bootstrap& bootstrap, const Context& context) {
  const Cluster* cluster = checkServer(source.cluster, bootstrap, context);
  if (cluster == nullptr) return;
  if (const std::string& socket = cluster->transport_socket().typed_config().type_url();
      !socket.empty() && !absl::EndsWith(socket, ".RawBuffer") && !absl::EndsWith(socket, ".UpstreamTlsContext")) {
    context.error(absl::StrCat("names the cluster \"", source.cluster, "\", whose transport_socket is ", socket,
                               "; a configuration stream is plain or an UpstreamTlsContext"));
  }
}

// `context` stands at the ApiConfigSource.
void checkGrpcSource(const GrpcSource& source, const Bootstrap& bootstrap, const Context& context) {
  const auto at = [&context](size_t index) {
    return context.child("grpc_services", index).child("envoy_grpc").child("cluster_name");
  };
  checkGrpcServer(source, bootstrap, at(0));
  for (size_t i = 0; i < source.fallback.size(); ++i) checkGrpcServer(source.fallback[i], bootstrap, at(i + 1));
}

bool hasNode(const Bootstrap& bootstrap) {
  return !bootstrap.node().id().empty() && !bootstrap.node().cluster().empty();
}

void checkLocalCluster(const Bootstrap& bootstrap, const Context& context) {
  const std::string& name = bootstrap.cluster_manager().local_cluster_name();
  if (name.empty()) return;
  const Context at = context.child("cluster_manager").child("local_cluster_name");
  if (findCluster(bootstrap, name) == nullptr) {
    at.error(absl::StrCat("names the cluster \"", name, "\", which is not in static_resources.clusters; add it there"));
  }
  if (!bootstrap.node().has_locality()) {
    at.warn("no host is known to be in the zone of this process; say in node.locality where it is");
  }
}

void compileAdmin(const Admin& admin, const Context& context, BootstrapSettings& settings) {
  if (!admin.profile_path().empty()) {
    context.child("profile_path")
        .warn("there is no profiler in this program; attach one, such as perf, to the process");
  }
  if (!admin.has_address()) return;
  settings.admin_address = compileAddress(admin.address(), context.child("address"));
}

// What may be on its way to internal listeners, in bytes.
int compileExtensions(const Bootstrap& bootstrap, const Context& context) {
  using envoy::extensions::bootstrap::internal_listener::v3::InternalListener;
  uint32_t kib = 1024;
  for (int i = 0; i < bootstrap.bootstrap_extensions_size(); ++i) {
    const Context at = context.child("bootstrap_extensions", static_cast<size_t>(i)).child("typed_config");
    const auto message = unpackAny(bootstrap.bootstrap_extensions(i).typed_config(), at);
    const auto* internal = dynamic_cast<const InternalListener*>(message.get());
    if (internal != nullptr && internal->has_buffer_size_kb()) {
      kib = internal->buffer_size_kb().value();
    } else if (message != nullptr && internal == nullptr) {
      at.error(absl::StrCat(message->GetTypeName(), " is no extension of the bootstrap; there is ",
                            InternalListener::descriptor()->full_name()));
    }
  }
  return static_cast<int>(kib * 1024);
}

void compileSources(const Bootstrap& bootstrap, const Context& context, DynamicSources& sources) {
  const auto& dynamic = bootstrap.dynamic_resources();
  const Context at = context.child("dynamic_resources");
  if (dynamic.has_ads_config()) {
    sources.ads = compileApiConfigSource(dynamic.ads_config(), at.child("ads_config"));
    if (sources.ads) {
      checkGrpcSource(*sources.ads, bootstrap, at.child("ads_config"));
    }
    if (!hasNode(bootstrap))
      context.child("node").error("needs id and cluster, by which a control plane knows this proxy");
  }
  const auto compile = [&](const auto& source, const Context& field) {
    std::optional<ResourceSource> compiled = compileConfigSource(source, field);
    if (compiled && !checkSource(*compiled, bootstrap, field)) compiled.reset();
    return compiled;
  };
  if (dynamic.has_lds_config()) sources.lds = compile(dynamic.lds_config(), at.child("lds_config"));
  if (dynamic.has_cds_config()) sources.cds = compile(dynamic.cds_config(), at.child("cds_config"));
}

std::optional<GrpcSource> compileLoadReports(const Bootstrap& bootstrap, const Context& context) {
  if (!bootstrap.cluster_manager().has_load_stats_config()) return std::nullopt;
  const Context at = context.child("cluster_manager").child("load_stats_config");
  envoy::config::core::v3::ApiConfigSource message = bootstrap.cluster_manager().load_stats_config();
  // Envoy asks for none here.
  if (message.transport_api_version() == envoy::config::core::v3::AUTO) {
    message.set_transport_api_version(envoy::config::core::v3::V3);
  }
  std::optional<GrpcSource> source = compileApiConfigSource(message, at);
  if (source) checkGrpcSource(*source, bootstrap, at);
  if (!hasNode(bootstrap)) at.error("needs node.id and node.cluster in the bootstrap");
  return source;
}

}  // namespace

bool checkSource(const ResourceSource& source, const Bootstrap& bootstrap, const Context& context) {
  const ErrorMark mark(context);
  if (source.kind == ResourceSource::Kind::kAds && !bootstrap.dynamic_resources().has_ads_config()) {
    context.child("ads").error("needs dynamic_resources.ads_config in the bootstrap, which describes the stream");
  }
  if (source.kind == ResourceSource::Kind::kSelf) {
    context.child("self").error(
        "is the server that a cluster or listener came from, and this one stands in the bootstrap; write ads or "
        "api_config_source");
  }
  if (source.kind == ResourceSource::Kind::kGrpc) {
    checkGrpcSource(source.grpc, bootstrap, context.child("api_config_source"));
    if (!hasNode(bootstrap)) context.error("needs node.id and node.cluster in the bootstrap");
  }
  if (source.kind == ResourceSource::Kind::kRest) {
    checkServer(source.rest.cluster, bootstrap, context.child("api_config_source").child("cluster_names", 0));
    if (!hasNode(bootstrap)) context.error("needs node.id and node.cluster in the bootstrap");
  }
  return !mark.hit();
}

std::optional<BootstrapSettings> compileBootstrap(const Bootstrap& bootstrap, const Context& context) {
  const ErrorMark mark(context);
  BootstrapSettings settings;
  const Context resources = context.child("static_resources");
  checkUniqueNames(bootstrap.static_resources().listeners(), "listener", resources);
  checkUniqueNames(bootstrap.static_resources().clusters(), "cluster", resources);
  checkUniqueAddresses(bootstrap, context);
  checkLocalCluster(bootstrap, context);
  if (bootstrap.has_admin()) compileAdmin(bootstrap.admin(), context.child("admin"), settings);
  compileSources(bootstrap, context, settings.sources);
  settings.load_reports = compileLoadReports(bootstrap, context);
  const CompiledRuntime runtime = compileRuntime(bootstrap.layered_runtime(), context.child("layered_runtime"));
  settings.runtime = runtime.snapshot;
  settings.internal_buffer = compileExtensions(bootstrap, context);
  settings.log_format = compileLogFormat(bootstrap.application_log_config(), context.child("application_log_config"));
  settings.connection_limits = compileConnectionLimits(bootstrap, runtime, context);
  if (mark.hit()) return std::nullopt;
  return settings;
}

}  // namespace sluice::config
