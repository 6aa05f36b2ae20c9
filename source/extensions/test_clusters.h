// What tests of compiled clusters share.
#pragma once

#include <memory>
#include <string>

#include "source/config/cluster_compiler.h"
#include "source/config/loader.h"
#include "source/config/validate.h"
#include "source/extensions/test_all.h"

namespace sluice::extensions {

using namespace std::chrono_literals;
using config::ConfigError;
using config::Context;
using config::ErrorList;
using config::Format;
using config::Loader;
using config::Positions;
using upstream::cluster::ClusterConfig;
using upstream::cluster::Health;
struct Compiled {
  std::shared_ptr<const ClusterConfig> config;
  std::string errors;
  std::string warnings;
};

template <typename Message>
Message parse(const std::string& yaml) {
  ErrorList errors;
  Positions positions;
  Message message;
  Loader(errors, positions).loadText(yaml, Format::kYaml, "test", message);
  INFO(errors.toString());
  REQUIRE(errors.empty());
  return message;
}

inline std::string warningsOf(const ErrorList& errors) {
  std::string out;
  for (const ConfigError& warning : errors.warnings()) out += warning.toString() + "\n";
  return out;
}

inline Compiled compile(const std::string& yaml) {
  World world;
  ErrorList errors;
  auto config = compileCluster(parse<envoy::config::cluster::v3::Cluster>(yaml), Context(errors), world.services);
  CHECK((config == nullptr) == !errors.empty());
  return {config, errors.toString(), warningsOf(errors)};
}

inline std::string withEndpoint(const std::string& address, const std::string& rest = "") {
  return "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: {" + address +
         "}}}]}]}\n" + rest;
}

inline const std::string kPlain = withEndpoint("socket_address: {address: 127.0.0.1, port_value: 80}");

// Null: it is of another kind.
template <typename Kind>
const Kind* kindOf(const ClusterConfig& config) {
  return dynamic_cast<const Kind*>(config.kind.get());
}
template <typename Policy>
const Policy* policyOf(const ClusterConfig& config) {
  return dynamic_cast<const Policy*>(config.lb.policy.get());
}

inline bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  INFO(part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace sluice::extensions
