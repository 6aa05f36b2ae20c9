#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "nlohmann/json.hpp"
#include "source/base/text.h"
#include "source/config/document.h"
#include "source/config/loader.h"
#include "source/control_plane/filter_settings.h"
#include "source/control_plane/grpc_clients.h"
#include "source/control_plane/intent_file.h"
#include "source/control_plane/intent_store.h"
#include "source/ctl/commands.h"
#include "source/extensions/all.h"
#include "source/observability/log.h"
#include "source/server/bootstrap.h"

namespace sluice::ctl {
namespace {

using config::DocumentNode;

bool isTree(config::Format format) {
  return format == config::Format::kYaml || format == config::Format::kJson;
}

// A file with `resources` or `nodes` is intent; everything else has to be a bootstrap.
bool looksLikeIntent(const std::string& path, const std::string& text) {
  config::Document document;
  config::ErrorList ignored;
  const bool parsed = config::formatOf(path) == config::Format::kJson ? document.parseJson(text, path, ignored)
                                                                      : document.parseYaml(text, path, ignored);
  if (!parsed || document.root().kind != DocumentNode::Kind::kMapping) return false;
  for (const DocumentNode::Entry& entry : document.root().entries) {
    if (entry.key->text == "resources" || entry.key->text == "nodes") return true;
  }
  return false;
}

// What `sluice --mode validate` does.
void validateBootstrap(const std::string& path, const config::Registry& registry, config::ErrorList& errors) {
  server::Options options;
  options.config_path = path;
  config::Positions positions;
  envoy::config::bootstrap::v3::Bootstrap bootstrap;
  if (!server::loadBootstrap(options, bootstrap, errors, positions)) return;
  observability::StatsRegistry stats;
  route::ClusterNames cluster_names;
  route::FilterSlots filter_slots;
  config::AnyRoutes route_slots;
  config::Services services{.registry = registry,
                            .stats = stats,
                            .log_files = nullptr,
                            .cluster_names = cluster_names,
                            .filter_slots = filter_slots,
                            .route_slots = route_slots};
  server::CompiledBootstrap compiled;
  server::compileBootstrap(bootstrap, config::Context(errors, &positions), services, compiled);
}

void validateFile(const std::string& path, const config::Registry& registry, config::ErrorList& errors) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  const bool readable = file && (file.peek() == std::ifstream::traits_type::eof() || (text << file.rdbuf()));
  if (readable && isTree(config::formatOf(path)) && looksLikeIntent(path, text.str())) {
    const auto intent =
        control_plane::readIntentFile(path, text.str(), control_plane::ProxyValidator(registry), errors);
    if (intent == nullptr) return;
    // What it names may stand in other files; what it says of what it has itself is checked.
    control_plane::checkFilterSettings({intent}, errors);
    control_plane::warnForGrpcClients({intent}, errors);
  } else {
    validateBootstrap(path, registry, errors);
  }
}

void validateDirectory(const std::string& path, const config::Registry& registry, config::ErrorList& errors) {
  observability::Logger quiet(observability::LogLevel::kOff);
  const control_plane::ProxyValidator validator(registry);
  control_plane::IntentStore store(path, validator, quiet);
  store.reload();
  errors = store.lastErrors();
}

nlohmann::ordered_json asJson(const config::ConfigError& error) {
  return {{"file", error.file}, {"line", error.line}, {"column", error.column},
          {"path", error.path}, {"rule", error.rule}, {"message", error.message}};
}

void printJson(const std::string& path, const config::ErrorList& errors) {
  nlohmann::ordered_json result{{"path", path}, {"ok", errors.empty()}};
  result["errors"] = nlohmann::ordered_json::array();
  result["warnings"] = nlohmann::ordered_json::array();
  for (const auto& error : errors.errors()) result["errors"].push_back(asJson(error));
  for (const auto& warning : errors.warnings()) result["warnings"].push_back(asJson(warning));
  std::cout << result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

}  // namespace

ExitCode validate(const Settings& settings, const std::string& path) {
  config::Registry registry;
  extensions::registerAll(registry);
  config::ErrorList errors;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    validateDirectory(path, registry, errors);
  } else {
    validateFile(path, registry, errors);
  }
  if (settings.json) {
    printJson(path, errors);
    return errors.empty() ? kDone : kRefused;
  }
  for (const auto& warning : errors.warnings()) std::cerr << "warning: " << warning.toString() << "\n";
  if (errors.empty()) {
    std::cout << "configuration '" << path << "' OK\n";
    return kDone;
  }
  std::cerr << errors.toString() << "\n"
            << "configuration '" << path << "' is refused with " << errors.total()
            << (errors.total() == 1 ? " error\n" : " errors\n");
  return kRefused;
}

}  // namespace sluice::ctl
