// What factories need in tests: services of which nothing has an effect, and a list of what was wrong.
#pragma once

#include <memory>
#include <string>

#include "google/protobuf/util/json_util.h"
#include "source/config/holding.h"
#include "source/config/loader.h"
#include "source/config/registry.h"
#include "source/config/validate.h"

namespace sluice::config::testing {

class NoRouteSlots : public RouteSlots {
 public:
  std::shared_ptr<const route::TableSlot> inlineTable(std::shared_ptr<const route::Table>) override {
    return std::make_shared<route::TableSlot>();
  }
  std::shared_ptr<const route::TableSlot> rds(const std::string&, const envoy::config::core::v3::ConfigSource&,
                                              InitTargets*, const Context&) override {
    return nullptr;
  }
};

struct TestWorld {
  // `files`: null only checks, as a control plane does.
  explicit TestWorld(observability::LogFiles* files = nullptr)
      : services{registry, stats, files, cluster_names, filter_slots, route_slots, Defaults::kEdge} {}

  // For a factory's compile(); what it makes lets go of its stats at once.
  FactoryContext context(std::string owner = {}) { return Holding(services).context(at, std::move(owner)); }
  // Reads a message from its YAML, or from that of a file, and validates it. False: problems() says why not.
  bool load(const std::string& yaml, google::protobuf::Message& message) {
    Loader(errors, positions).loadText(yaml, Format::kYaml, "test.yaml", message);
    return errors.empty() && validate(message, at);
  }
  bool loadFile(const std::string& path, google::protobuf::Message& message) {
    Loader(errors, positions).loadFile(path, message);
    return errors.empty() && validate(message, at);
  }
  // What was wrong so far, one a line.
  std::string problems() const { return errors.toString(); }

  Registry registry;
  observability::StatsRegistry stats;
  route::ClusterNames cluster_names;
  route::FilterSlots filter_slots;
  NoRouteSlots route_slots;
  Services services;
  ErrorList errors;
  Positions positions;
  Context at{errors, &positions};
};

// A message from its JSON, which has to be right.
template <typename Proto>
Proto fromJson(const std::string& json) {
  Proto proto;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &proto);
  if (!parsed.ok()) std::abort();
  return proto;
}

}  // namespace sluice::config::testing
