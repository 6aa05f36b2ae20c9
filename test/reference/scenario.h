// Clusters by chance.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "source/base/random.h"
#include "source/upstream/cluster/host_set.h"

namespace sluice::reference {

using upstream::cluster::Assignment;
using upstream::cluster::Endpoint;
using upstream::cluster::Health;
using upstream::cluster::HostSetOptions;
using upstream::cluster::LocalityEndpoints;

struct Scenario {
  Assignment assignment;
  HostSetOptions options;
};

// One of the values.
template <typename T>
T oneOf(base::Random& random, std::initializer_list<T> values) {
  return *(values.begin() + random.below(values.size()));
}

// Endpoints are 10.0.0.1:1 and so on. Priorities may have no host, and localities none that is available.
class ScenarioMaker {
 public:
  explicit ScenarioMaker(base::Random& random) : random_(random) {}

  Scenario make(size_t hosts) {
    Scenario scenario;
    scenario.options.panic_threshold = oneOf(random_, {0.0, 10.0, 50.0, 50.0, 70.0, 100.0});
    scenario.options.locality_weighted = random_.below(2) == 0;
    scenario.assignment.overprovisioning_factor = oneOf(random_, {100u, 140u, 140u, 175u});
    addLocalities(scenario.assignment);
    equal_weights_ = random_.below(2) == 0;
    ill_percent_ = oneOf<uint64_t>(random_, {0, 20, 50, 80, 100});
    for (size_t i = 0; i < hosts; ++i) {
      auto& localities = scenario.assignment.localities;
      localities[random_.below(localities.size())].endpoints.push_back(endpoint(static_cast<uint16_t>(i + 1)));
    }
    return scenario;
  }

 private:
  void addLocalities(Assignment& assignment) {
    const auto priorities = static_cast<uint32_t>(1 + random_.below(3));
    for (uint32_t priority = 0; priority < priorities; ++priority) {
      const uint64_t zones = 1 + random_.below(3);
      for (uint64_t zone = 0; zone < zones; ++zone) {
        LocalityEndpoints& locality = assignment.localities.emplace_back();
        locality.priority = priority;
        locality.locality.zone = std::string(1, static_cast<char>('c' - zone));
        locality.weight = oneOf(random_, {0u, 1u, 1u, 3u, 10u});
      }
    }
  }

  Endpoint endpoint(uint16_t port) {
    Endpoint out;
    out.address = *net::Address::fromIp("10.0.0.1", port);
    if (!equal_weights_) out.weight = static_cast<uint32_t>(1 + random_.below(10));
    if (random_.below(100) < ill_percent_) {
      out.health = oneOf(random_, {Health::kDegraded, Health::kUnhealthy, Health::kUnhealthy, Health::kDraining});
    }
    // What only tables by hash look at.
    if (random_.below(4) == 0) out.hostname = "host-" + std::to_string(port) + ".test";
    if (random_.below(4) == 0) {
      stream::MetadataFields lb{{"hash_key", {"key-" + std::to_string(port)}}};
      out.metadata = stream::FixedMetadata({{"envoy.lb", {lb}}}, std::to_string(port));
    }
    return out;
  }

  base::Random& random_;
  bool equal_weights_ = true;
  uint64_t ill_percent_ = 0;
};

// A scenario of a seed: mostly one of 1 to 5 hosts.
inline Scenario scenarioOf(base::Random& random, size_t hosts = 0) {
  return ScenarioMaker(random).make(hosts != 0 ? hosts : 1 + random.below(5));
}

}  // namespace sluice::reference
