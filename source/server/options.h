// The command line of `sluice`.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "source/config/services.h"
#include "source/http/strictness.h"
#include "source/observability/log.h"

namespace sluice::server {

struct Options {
  std::string config_path;
  std::string config_yaml;  // merged over the file
  bool validate = false;
  uint32_t concurrency = 0;                   // 0: what defaultConcurrency() says
  std::string service_node, service_cluster;  // over node.id and node.cluster of the bootstrap
  observability::LogLevel log_level = observability::LogLevel::kInfo;
  std::string log_format;          // as Logger::setFormat() takes it; empty: as the bootstrap says
  std::string admin_address_path;  // where the admin server's address is written
  std::chrono::milliseconds drain_time{30'000};
  config::Defaults defaults = config::Defaults::kEdge;
  std::string config_store;      // a folder (ConfigStore); empty: nothing is stored
  std::string config_store_key;  // of it; empty: the one in the folder
  bool reject_unknown_dynamic_fields = false;
  std::optional<std::chrono::milliseconds> cluster_wait;  // see clusterWait()
  http::StrictRules report_only;

  // How long what takes the place of something that serves waits for what it names and is not there; 0: not at all.
  std::chrono::milliseconds clusterWait() const {
    using namespace std::chrono_literals;
    return cluster_wait.value_or(defaults == config::Defaults::kEnvoy ? 0ms : 5000ms);
  }
};

// What a command line asks for: to run with options, to print a text and exit 0, or a usage error (exit 2).
struct ParsedOptions {
  std::optional<Options> options;
  std::string text;  // help, version, or the error
  bool error = false;
};

ParsedOptions parseOptions(const std::vector<std::string>& arguments);

std::string_view versionText();

}  // namespace sluice::server
