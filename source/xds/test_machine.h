// A subscription machine in a test's hands.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "source/xds/fakes.h"
#include "source/xds/subscription_machine.h"

namespace sluice::xds::testing {

// A machine with its watcher, its clock, and the first request already out where a test does not look at it.
struct MachineFixture {
  explicit MachineFixture(Variant variant, std::string_view type = kClusterType)
      : machine({typeInfo(type), variant, std::chrono::milliseconds(15000)}, watcher) {}

  void start(const std::vector<std::string>& names) {
    for (const std::string& name : names) machine.subscribe(name, now);
    machine.onStreamStart(now);
    machine.takeInterest();
  }
  // Delivers and gives the answer.
  Request answer(const Response& r) {
    REQUIRE(machine.onResponse(r, now));
    REQUIRE(machine.ackDue());
    return machine.takeAck();
  }
  void reconnect() {
    machine.onStreamEnd();
    machine.onStreamStart(now);
  }
  Verdict verdict(const std::string& name) {
    for (const Verdict& v : machine.verdicts()) {
      if (v.name == name) return v;
    }
    FAIL("no verdict for " << name);
    return {};
  }

  RecordingWatcher watcher;
  SubscriptionMachine machine;
  TimePoint now{std::chrono::hours(1)};
};

inline Response sotw(const std::string& version, const std::string& nonce,
                     const std::vector<std::pair<std::string, std::string>>& clusters) {
  std::vector<Resource> resources;
  for (const auto& [name, content] : clusters) resources.push_back(bare(clusterBody(name, content)));
  return response(kClusterType, version, nonce, std::move(resources));
}

// A cluster whose content is its version.
inline Resource item(const std::string& name, const std::string& version) {
  return named(name, version, clusterBody(name, version));
}

}  // namespace sluice::xds::testing

// For the tests beside this file.
namespace sluice::xds {

using testing::bare;
using testing::clusterBody;
using testing::endpointBody;
using testing::item;
using testing::named;
using testing::response;
using testing::sotw;
using Fixture = testing::MachineFixture;
using Names = std::vector<std::string>;
using Held = std::map<std::string, std::string>;

}  // namespace sluice::xds
