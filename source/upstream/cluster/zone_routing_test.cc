#include "source/upstream/cluster/zone_routing.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "source/upstream/cluster/host_set.h"

namespace sluice::upstream::cluster {
namespace {

// So many hosts in each of the zones "a", "b" ...
struct Zones {
  std::vector<int> healthy;
  std::vector<int> ill = {};
  uint32_t weight = 1;  // of each host in "a"
};

Assignment assignmentOf(const Zones& zones) {
  Assignment out;
  uint16_t port = 1;
  for (size_t i = 0; i < zones.healthy.size(); ++i) {
    LocalityEndpoints& locality = out.localities.emplace_back();
    locality.locality.zone = std::string(1, static_cast<char>('a' + i));
    const int ill = i < zones.ill.size() ? zones.ill[i] : 0;
    for (int host = 0; host < zones.healthy[i] + ill; ++host) {
      Endpoint& endpoint = locality.endpoints.emplace_back();
      endpoint.address = *net::Address::fromIp("10.0.0.1", port++);
      if (i == 0) endpoint.weight = zones.weight;
      if (host >= zones.healthy[i]) endpoint.health = Health::kUnhealthy;
    }
  }
  return out;
}

LocalZonesPtr localOf(const Zones& zones, const std::string& own = "a") {
  return std::make_shared<const LocalZones>(
      localZonesOf(*HostSet::build(assignmentOf(zones), {}, nullptr), {"", own, ""}));
}

HostSetPtr routed(const Zones& upstream, LocalZonesPtr local, const ZoneAware& settings = {},
                  HostSetOptions options = {}) {
  options.zones = settings;
  return HostSet::build(assignmentOf(upstream), options, nullptr, nullptr, std::move(local));
}

// Of the only tier: "HOSTS@ROUTE:PERCENT" of each group, joined by spaces.
std::string groupsOf(const HostSet& hosts) {
  static const char* const kRoutes[] = {"any", "direct", "sampled", "cross", "full", "panic"};
  std::string out;
  REQUIRE(hosts.tiers().size() == 1);
  for (const HostSet::Group& group : hosts.tiers()[0].groups) {
    if (!out.empty()) out += ' ';
    out += std::to_string(group.members.size()) + "@" + kRoutes[static_cast<size_t>(group.route)] + ":" +
           std::to_string(std::lround(group.weight * 1000) / 10.0).substr(0, 4);
  }
  return out;
}

TEST_CASE("a zone with a greater share of the hosts than of the requests takes all that begin there") {
  CHECK(groupsOf(*routed({{4, 4, 4}}, localOf({{1, 2, 1}}))) == "4@direct:100.");
}

TEST_CASE("a zone with an equal share does so, too") {
  CHECK(groupsOf(*routed({{3, 6}}, localOf({{1, 2}}))) == "3@direct:100.");
}

TEST_CASE("what a zone has no share for goes to zones with room, by how much they have") {
  // 25%, 50% and 25% of the hosts, for 40%, 40% and 20% of the requests.
  CHECK(groupsOf(*routed({{5, 10, 5}}, localOf({{4, 4, 2}}))) == "5@sampled:62.5 10@cross:25.0 5@cross:12.5");
}

TEST_CASE("a zone without a healthy host sends everything to others") {
  CHECK(groupsOf(*routed({{0, 6, 6}, {4}}, localOf({{2, 1, 1}}))) == "6@cross:50.0 6@cross:50.0");
}

TEST_CASE("zones of only one of the two clusters are zones without hosts in the other") {
  CHECK(groupsOf(*routed({{2, 2, 0, 4}}, localOf({{2, 0, 2}}))) == "2@sampled:50.0 2@cross:16.7 4@cross:33.3");
}

TEST_CASE("without room anywhere any host will do") {
  // Nobody of the own zone is healthy, neither here nor there.
  CHECK(groupsOf(*routed({{0, 4, 4}, {1}}, localOf({{0, 1, 1}, {1}}))) == "8@full:100.");
}

TEST_CASE("a part of the requests may be left alone") {
  CHECK(groupsOf(*routed({{4, 4}}, localOf({{1, 1}}), {.enabled = 0.25})) == "4@direct:25.0 8@any:75.0");
  CHECK(groupsOf(*routed({{4, 4}}, localOf({{1, 1}}), {.enabled = 0})) == "8@any:100.");
}

TEST_CASE("shares may be those of weights") {
  // 2 hosts of 6, but 80% of the weight.
  const Zones upstream{{2, 4}, {}, 8};
  CHECK(groupsOf(*routed(upstream, localOf({{1, 1}}))) == "2@sampled:66.7 4@cross:33.3");
  CHECK(groupsOf(*routed(upstream, localOf({{1, 1}}), {.by_weight = true})) == "2@direct:100.");
}

TEST_CASE("the own zone may be forced to take all if it has enough hosts, also of a cluster in one zone") {
  const LocalZonesPtr local = localOf({{9, 1}});
  CHECK(groupsOf(*routed({{2, 6}}, local, {.force_from = 2})) == "2@direct:100.");
  CHECK(groupsOf(*routed({{2, 6}}, local, {.force_from = 3})) == "2@sampled:27.8 6@cross:72.2");
  CHECK(groupsOf(*routed({{2, 6}}, localOf({{1}}), {.force_from = 1})) == "2@direct:100.");
}

TEST_CASE("what stands in the way of routing by zones is told, and any host will do") {
  const auto obstacle = [](const Zones& upstream, LocalZonesPtr local, const ZoneAware& settings = {}) {
    const HostSetPtr hosts = routed(upstream, std::move(local), settings);
    const bool plain = groupsOf(*hosts).find("any:100.") != std::string::npos;
    CHECK(plain == (hosts->zoneObstacle() != ZoneObstacle::kNone));
    return hosts->zoneObstacle().value();
  };
  const LocalZonesPtr local = localOf({{1, 1}});

  CHECK(obstacle({{3, 3}}, local) == ZoneObstacle::kNone);
  CHECK(obstacle({{3, 2}, {0, 1}}, local) == ZoneObstacle::kClusterTooSmall);
  CHECK(obstacle({{3, 2}}, local, {.min_cluster_size = 5}) == ZoneObstacle::kNone);
  CHECK(obstacle({{6}}, local) == ZoneObstacle::kOneZone);
  CHECK(obstacle({{3, 3}}, localOf({{2}})) == ZoneObstacle::kNumberDiffers);
  CHECK(obstacle({{3, 3}}, localOf({{1, 1}}, "c")) == ZoneObstacle::kLocalClusterNotOk);
  CHECK(obstacle({{3, 3}}, localOf({{}})) == ZoneObstacle::kLocalClusterNotOk);
}

TEST_CASE("in a panic of the local cluster any host will do, or none") {
  const LocalZonesPtr local = localOf({{1, 1}, {2, 2}});
  CHECK(groupsOf(*routed({{3, 3}}, local)) == "6@panic:100.");
  CHECK_FALSE(routed({{3, 3}}, local)->tiers()[0].groups[0].fails);
  CHECK(routed({{3, 3}}, local, {}, {.fail_on_panic = true})->tiers()[0].groups[0].fails);
  CHECK(groupsOf(*routed({{3, 3}}, local, {}, {.panic_threshold = 30})) == "3@direct:100.");
}

TEST_CASE("in a panic of the cluster zones do not count") {
  const HostSetPtr hosts = routed({{3, 3}, {0, 12}}, localOf({{1, 1}}));
  CHECK(hosts->tiers()[0].panic);
  CHECK(groupsOf(*hosts) == "18@any:100.");
}

TEST_CASE("zones count for healthy hosts of the first priority only") {
  Assignment assignment = assignmentOf({{2, 2}, {2, 2}});
  assignment.localities[0].endpoints[2].health = Health::kDegraded;
  const Assignment second = assignmentOf({{3, 3}});
  for (LocalityEndpoints locality : second.localities) {
    locality.priority = 1;
    assignment.localities.push_back(std::move(locality));
  }

  const HostSetPtr hosts =
      HostSet::build(assignment, {.zones = ZoneAware{.min_cluster_size = 1}}, nullptr, nullptr, localOf({{1, 1}}));

  for (const HostSet::Tier& tier : hosts->allTiers()) {
    CAPTURE(tier.priority, tier.percent);
    const bool first = &tier == &hosts->allTiers().front();
    CHECK((tier.groups[0].route == ZoneRoute::kAllDirectly) == first);
  }
  CHECK(hosts->allTiers().size() == 3);
}

TEST_CASE("a part of a set is split by its own zones") {
  const HostSetPtr all = routed({{4, 4}}, localOf({{1, 1}}), {.min_cluster_size = 1});
  const std::vector<uint32_t> entries{0, 4, 5, 6};

  const HostSetPtr part = all->subset(entries, HostSet::SubsetLocalities::kIgnored);

  CHECK(groupsOf(*part) == "1@sampled:50.0 3@cross:50.0");
}

TEST_CASE("without a local cluster nothing is split by zones") {
  CHECK(groupsOf(*routed({{3, 3}}, nullptr)) == "6@any:100.");
  CHECK_FALSE(routed({{3, 3}}, nullptr)->zoneObstacle());
}

TEST_CASE("hosts of the local cluster count by their health and in the first priority only") {
  Assignment assignment = assignmentOf({{2, 1}, {1, 1}, 5});
  assignment.localities.push_back(assignment.localities[1]);
  assignment.localities[2].priority = 1;
  assignment.localities[2].locality.zone = "c";

  const LocalZones zones = localZonesOf(*HostSet::build(assignment, {}, nullptr), {"", "a", ""});

  REQUIRE(zones.zones.size() == 2);
  CHECK(zones.zones.at({"", "a", ""}) == ZoneHosts{2, 10});
  CHECK(zones.zones.at({"", "b", ""}) == ZoneHosts{1, 1});
  CHECK(zones.available_percent == 60);
}

}  // namespace
}  // namespace sluice::upstream::cluster
