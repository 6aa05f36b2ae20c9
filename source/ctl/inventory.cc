#include "source/ctl/inventory.h"

#include <fstream>
#include <sstream>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/cluster_compiler.h"
#include "source/config/document.h"
#include "source/config/loader.h"
#include "source/config/stable_bytes.h"
#include "source/config/validate.h"
#include "source/control_plane/intent_file.h"
#include "source/control_plane/resource_validator.h"
#include "source/server/bootstrap.h"

namespace sluice::ctl {
namespace {

using ClusterProto = envoy::config::cluster::v3::Cluster;
using EndpointsProto = envoy::config::endpoint::v3::ClusterLoadAssignment;
using ListenerProto = envoy::config::listener::v3::Listener;
using envoy::service::discovery::v3::DiscoveryResponse;

std::string textOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  return text.str();
}

enum class Kind { kBootstrap, kResources, kIntent };

// What cannot be read is told by who reads it as a bootstrap.
Kind kindOf(const std::string& path) {
  const config::Format format = config::formatOf(path);
  if (format != config::Format::kYaml && format != config::Format::kJson) return Kind::kBootstrap;
  config::Document document;
  config::ErrorList ignored;
  const std::string text = textOf(path);
  const bool parsed = format == config::Format::kJson ? document.parseJson(text, path, ignored)
                                                      : document.parseYaml(text, path, ignored);
  if (!parsed || document.root().kind != config::DocumentNode::Kind::kMapping) return Kind::kBootstrap;
  Kind kind = Kind::kBootstrap;
  for (const config::DocumentNode::Entry& entry : document.root().entries) {
    if (entry.key->text == "nodes") return Kind::kIntent;
    if (entry.key->text == "resources") kind = Kind::kResources;
  }
  return kind;
}

std::string nameOf(const google::protobuf::Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByNumber(1);
  const bool named = field != nullptr && !field->is_repeated() &&
                     field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING;
  return named ? message.GetReflection()->GetString(message, field) : std::string();
}

bool refuseTwice(const config::Context& context, std::string_view what, std::string_view name) {
  context.error(base::strCat("there is another ", what, " '", name, "'; remove one of them"));
  return false;
}

}  // namespace

Inventory::Inventory(const config::Registry& registry)
    : services_{.registry = registry,
                .stats = stats_,
                .log_files = nullptr,
                .cluster_names = cluster_names_,
                .filter_slots = filter_slots_,
                .route_slots = route_slots_} {}

std::unique_ptr<Inventory> Inventory::read(const std::string& path, const config::Registry& registry,
                                           config::ErrorList& errors) {
  auto out = std::make_unique<Inventory>(registry);
  const Kind kind = kindOf(path);
  const bool good = kind == Kind::kIntent      ? out->readIntent(path, errors)
                    : kind == Kind::kResources ? out->readResources(path, errors)
                                               : out->readBootstrap(path, errors);
  return good ? std::move(out) : nullptr;
}

bool Inventory::add(const google::protobuf::Message& resource, const config::Context& context) {
  if (resource.GetDescriptor() == ListenerProto::descriptor()) {
    const auto& proto = static_cast<const ListenerProto&>(resource);
    auto compiled = config::compileListener(proto, context, services_);
    if (!compiled) return false;
    const std::string name = compiled->name;
    const bool is_new = listeners.try_emplace(name, Listener{*std::move(compiled), proto}).second;
    return is_new || refuseTwice(context, "listener", name);
  }
  if (resource.GetDescriptor() == ClusterProto::descriptor()) {
    const auto& proto = static_cast<const ClusterProto&>(resource);
    auto config = config::compileCluster(proto, context, services_);
    if (config == nullptr) return false;
    const bool is_new = clusters.try_emplace(proto.name(), Cluster{std::move(config), proto}).second;
    return is_new || refuseTwice(context, "cluster", proto.name());
  }
  if (resource.GetDescriptor() == EndpointsProto::descriptor()) {
    const auto& proto = static_cast<const EndpointsProto&>(resource);
    auto assignment = config::compileEdsAssignment(proto, proto.cluster_name(), context);
    if (!assignment) return false;
    auto shared = std::make_shared<const upstream::cluster::Assignment>(*std::move(assignment));
    const bool is_new = endpoints.try_emplace(proto.cluster_name(), Endpoints{std::move(shared), proto}).second;
    return is_new || refuseTwice(context, "assignment of", proto.cluster_name());
  }
  const std::string& type = resource.GetDescriptor()->full_name();
  const std::string name = nameOf(resource);
  return others.try_emplace({type, name}, config::stableBytes(resource)).second || refuseTwice(context, type, name);
}

bool Inventory::readBootstrap(const std::string& path, config::ErrorList& errors) {
  server::Options options;
  options.config_path = path;
  config::Positions positions;
  if (!server::loadBootstrap(options, bootstrap, errors, positions)) return false;
  server::CompiledBootstrap compiled;
  if (!server::compileBootstrap(bootstrap, config::Context(errors, &positions), services_, compiled)) return false;
  for (server::CompiledBootstrap::Listener& listener : compiled.listeners) {
    const std::string name = listener.compiled.name;
    listeners.try_emplace(name, Listener{std::move(listener.compiled), *listener.proto});
  }
  for (server::CompiledBootstrap::Cluster& cluster : compiled.clusters) {
    const std::string name = cluster.config->name;
    clusters.try_emplace(name, Cluster{std::move(cluster.config), *cluster.proto});
  }
  is_bootstrap = true;
  bootstrap.mutable_static_resources()->clear_listeners();
  bootstrap.mutable_static_resources()->clear_clusters();
  return true;
}

bool Inventory::readResources(const std::string& path, config::ErrorList& errors) {
  config::Positions positions;
  DiscoveryResponse response;
  if (!config::Loader(errors, positions).loadFile(path, response)) return false;
  const config::Context context(errors, &positions);
  if (!config::validate(response, context)) return false;
  for (int i = 0; i < response.resources_size(); ++i) {
    const config::Context at = context.child("resources", static_cast<size_t>(i));
    const auto message = config::unpackAny(response.resources(i), at);
    if (message != nullptr) add(*message, at);
  }
  return errors.empty();
}

bool Inventory::readIntent(const std::string& path, config::ErrorList& errors) {
  const auto file =
      control_plane::readIntentFile(path, textOf(path), control_plane::ProxyValidator(services_.registry), errors);
  if (file == nullptr) return false;
  for (const control_plane::IntentResource& each : file->resources) {
    google::protobuf::Any any;
    any.set_type_url(std::string(control_plane::typeUrl(each.resource->type)));
    any.set_value(each.resource->bytes);
    const config::Context at(errors, nullptr, each.location.path);
    const auto message = config::unpackAny(any, at);
    if (message != nullptr) add(*message, at);
  }
  return errors.empty();
}

}  // namespace sluice::ctl
