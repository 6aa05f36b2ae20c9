#include "source/ctl/file_configuration.h"

#include "absl/strings/str_cat.h"

namespace sluice::ctl {

FileConfiguration::FileConfiguration(const config::Registry& registry)
    : registry_(registry),
      services_{.registry = registry,
                .stats = stats_,
                .log_files = nullptr,
                .cluster_names = cluster_names_,
                .filter_slots = filter_slots_,
                .route_slots = routes_} {}

std::unique_ptr<FileConfiguration> FileConfiguration::load(const std::string& path, const config::Registry& registry,
                                                           config::ErrorList& errors) {
  server::Options options;
  options.config_path = path;
  return load(options, registry, errors);
}

std::unique_ptr<FileConfiguration> FileConfiguration::load(const server::Options& options,
                                                           const config::Registry& registry,
                                                           config::ErrorList& errors) {
  std::unique_ptr<FileConfiguration> out(new FileConfiguration(registry));
  if (!server::loadBootstrap(options, out->bootstrap_, errors, out->positions_)) return nullptr;
  const config::Context context(errors, &out->positions_);
  if (!server::compileBootstrap(out->bootstrap_, context, out->services_, out->compiled_)) return nullptr;
  return out;
}

std::vector<explain::Listener> FileConfiguration::listeners() const {
  std::vector<explain::Listener> out;
  const auto& protos = bootstrap_.static_resources().listeners();
  for (const server::CompiledBootstrap::Listener& each : compiled_.listeners) {
    size_t index = 0;
    while (&protos[static_cast<int>(index)] != each.proto) ++index;
    out.push_back({.compiled = &each.compiled,
                   .proto = each.proto,
                   .addresses = each.compiled.addresses,
                   .path = absl::StrCat("static_resources.listeners[", index, "]"),
                   .note = {}});
  }
  return out;
}

std::shared_ptr<const route::Table> FileConfiguration::tableOf(const route::TableSlot& slot) const {
  return routes_.find(slot);
}

std::optional<explain::Cluster> FileConfiguration::cluster(const std::string& name) const {
  const auto& protos = bootstrap_.static_resources().clusters();
  for (int i = 0; i < protos.size(); ++i) {
    if (protos[i].name() != name) continue;
    return explain::describeCluster(protos[i], absl::StrCat("static_resources.clusters[", i, "]"));
  }
  return std::nullopt;
}

}  // namespace sluice::ctl
