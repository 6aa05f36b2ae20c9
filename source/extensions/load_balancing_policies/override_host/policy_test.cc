#include "source/extensions/load_balancing_policies/override_host/policy.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "source/base/arena.h"
#include "test/support/upstream/picking.h"
#include "test/support/upstream/policies.h"

namespace sluice::extensions::load_balancing_policies::override_host {
namespace {

using upstream::cluster::Assignment;
using upstream::cluster::Health;
using upstream::cluster::HostSet;
using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::Picking;

// 10.0.0.1:1 to :4, and [fd00::1]:5; the third is unhealthy.
HostSetPtr fiveHosts() {
  Assignment assignment;
  auto& endpoints = assignment.localities.emplace_back().endpoints;
  for (uint16_t port = 1; port <= 5; ++port) {
    auto& endpoint = endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp(port == 5 ? "fd00::1" : "10.0.0.1", port);
    endpoint.health = port == 3 ? Health::kUnhealthy : Health::kHealthy;
  }
  return HostSet::build(assignment, {}, nullptr);
}

// A request with what it says in x-host, or under f.a.b of dynamic metadata.
struct Request final : upstream::lb::LbContext {
  explicit Request(std::optional<std::string> header, std::optional<std::string> left = std::nullopt) {
    if (header) fields.add("x-host", *header);
    headers = &fields;
    if (left) metadata.set("f", "a", {stream::MetadataFields{{"b", {*left}}}});
  }
  const stream::DynamicMetadata* dynamicMetadata() const override { return &metadata; }
  bool refuses(const upstream::cluster::Host& host) const override { return host.slot() == refused; }

  base::Arena arena;
  http::RequestHeaders fields{arena};
  stream::DynamicMetadata metadata;
  HostSlot refused = kNoHost;
};

// The fallback takes hosts in turn from the first.
struct World {
  explicit World(std::vector<Source> sources = {{.header = "x-host"}, {.filter = "f", .path = {"a", "b"}}})
      : policy(std::move(sources), std::make_shared<upstream::lb::InTurn>()), picking(policy, fiveHosts()) {}

  HostSlot pick(const std::string& header) { return picking.pick(Request(header)); }

  const Policy policy;
  Picking picking;
};

TEST_CASE("a request goes to the host that it names") {
  World world;

  for (int i = 0; i < 3; ++i) {
    CHECK(world.pick("10.0.0.1:2") == 1);
    CHECK(world.pick("[fd00::1]:5") == 4);
    CHECK(world.picking.pick(Request(std::nullopt, "10.0.0.1:4")) == 3);
  }
}

TEST_CASE("without a name the fallback chooses") {
  World world;

  CHECK(world.picking.pick() == 0);
  CHECK(world.picking.pick(Request(std::nullopt)) == 1);
  CHECK(world.pick("") == 3);
}

TEST_CASE("an address that is no host, or no address, or of a host that gets no requests is never taken") {
  World world;
  for (const char* named : {"10.9.9.9:1", "10.0.0.1:99", "10.0.0.1", "host:1", "169.254.169.254:80", "/etc/passwd",
                            ",,,", "10.0.0.1:3", "[fd00::1", "10.0.0.1:2;10.0.0.1:1"}) {
    INFO(named);
    Picking fresh(world.policy, fiveHosts());
    CHECK(fresh.pick(Request(named)) == 0);  // what the fallback gives first
  }
}

TEST_CASE("of several hosts the first attempt takes the first that there is, each retry the next") {
  World world;
  Request request(" 10.9.9.9:1 , 10.0.0.1:2,10.0.0.1:3, ,10.0.0.1:4");

  CHECK(world.picking.pick(request) == 1);
  request.attempts = 1;
  CHECK(world.picking.pick(request) == 3);
  request.attempts = 2;
  CHECK(world.picking.pick(request) == 0);  // none is left
}

TEST_CASE("a host that a retry refuses is left for the next one named") {
  World world;
  Request request("10.0.0.1:2,10.0.0.1:4");
  request.repicks = 3;
  request.refused = 1;

  CHECK(world.picking.pick(request) == 3);
}

TEST_CASE("what further sources name stands behind what the first one does") {
  World world;
  Request request("10.0.0.1:2", "10.0.0.1:4");

  CHECK(world.picking.pick(request) == 1);
  request.attempts = 1;
  CHECK(world.picking.pick(request) == 3);
  CHECK(world.picking.pick(Request("10.9.9.9:9", "10.0.0.1:4")) == 3);
  CHECK(world.picking.pick(Request(" ", "10.0.0.1:4")) == 3);
}

TEST_CASE("only so many of a list are looked at") {
  World world;
  std::string list;
  for (int i = 0; i < 63; ++i) list += "10.9.9.9:9,";

  CHECK(world.pick(list + "10.0.0.1:4") == 3);
  CHECK(world.pick("," + list + "10.0.0.1:4") == 0);
}

TEST_CASE("among some of the hosts no other one can be named") {
  const HostSetPtr all = fiveHosts();
  const std::vector<uint32_t> some{0, 1};
  World world;
  world.picking.update(all->subset(some, HostSet::SubsetLocalities::kIgnored));

  CHECK(world.pick("10.0.0.1:2") == 1);
  CHECK(world.pick("10.0.0.1:4") == 0);
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::override_host
