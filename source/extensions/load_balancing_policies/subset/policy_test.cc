#include "source/extensions/load_balancing_policies/subset/policy.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "source/extensions/load_balancing_policies/subset/tables.h"
#include "test/support/upstream/picking.h"
#include "test/support/upstream/policies.h"

namespace sluice::extensions::load_balancing_policies::subset {
namespace {

using stream::MetadataCriteria;
using stream::MetadataFields;
using stream::MetadataList;
using stream::MetadataValue;
using upstream::cluster::Assignment;
using upstream::cluster::Health;
using upstream::cluster::HostSet;
using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::Picking;

MetadataFields fields(std::initializer_list<std::pair<std::string, std::string>> pairs) {
  MetadataFields out;
  for (const auto& [key, value] : pairs) out.push_back({key, {value}});
  return out;
}

// One locality, a host for each of these.
Assignment hostsWith(const std::vector<MetadataFields>& metadata) {
  Assignment assignment;
  auto& endpoints = assignment.localities.emplace_back().endpoints;
  for (const MetadataFields& its : metadata) {
    auto& endpoint = endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(endpoints.size()));
    endpoint.metadata = stream::FixedMetadata({{"envoy.lb", {its}}}, std::to_string(endpoints.size()));
  }
  return assignment;
}

// Two stages with two versions each, and two hosts of the first.
Assignment sixHosts() {
  return hostsWith({fields({{"stage", "prod"}, {"version", "1"}}), fields({{"stage", "prod"}, {"version", "1"}}),
                    fields({{"stage", "prod"}, {"version", "2"}}), fields({{"stage", "dev"}, {"version", "1"}}),
                    fields({{"stage", "dev"}, {"version", "2"}}), fields({{"stage", "dev"}})});
}

struct Asking final : upstream::lb::LbContext {
  explicit Asking(const MetadataFields& fields) : criteria(fields) {}
  const MetadataCriteria* metadataCriteria() const override { return &criteria; }
  MetadataCriteria criteria;
};

Settings settingsWith(std::vector<Selector> selectors) {
  Settings out;
  out.inner = std::make_shared<upstream::lb::InTurn>();
  out.selectors = std::move(selectors);
  return out;
}

struct World {
  explicit World(Settings settings, const Assignment& assignment = sixHosts())
      : policy(std::move(settings)), picking(policy, HostSet::build(assignment, {}, nullptr)) {}

  // The hosts that requests which ask so go to.
  std::set<HostSlot> hosts(std::initializer_list<std::pair<std::string, std::string>> pairs) {
    return hostsFor(fields(pairs));
  }
  std::set<HostSlot> hostsFor(const MetadataFields& asked) {
    std::set<HostSlot> out;
    for (int i = 0; i < 50; ++i) out.insert(picking.pick(Asking(asked)));
    return out;
  }

  Policy policy;
  Picking picking;
};

const std::set<HostSlot> kNone{kNoHost};

TEST_CASE("requests go to the hosts of the subset that has exactly their keys and values") {
  World world(settingsWith({{{"stage", "version"}}, {{"stage"}}}));

  CHECK(world.hosts({{"version", "1"}, {"stage", "prod"}}) == std::set<HostSlot>{0, 1});
  CHECK(world.hosts({{"stage", "prod"}, {"version", "2"}}) == std::set<HostSlot>{2});
  CHECK(world.hosts({{"stage", "dev"}}) == std::set<HostSlot>{3, 4, 5});
  CHECK(world.hosts({{"version", "1"}}) == kNone);  // no selector has these keys
  CHECK(world.hosts({{"stage", "test"}}) == kNone);
  CHECK(world.hosts({{"stage", "dev"}, {"version", "1"}, {"more", "1"}}) == kNone);
  CHECK(world.hosts({}) == kNone);
}

TEST_CASE("without a subset they go to any host, or to the default subset, as it is set for all") {
  Settings any = settingsWith({{{"stage"}}});
  any.fallback = Fallback::kAnyHost;
  Settings by_default = settingsWith({{{"stage"}}});
  by_default.fallback = Fallback::kDefaultSubset;
  by_default.default_subset = MetadataCriteria(fields({{"version", "2"}}));
  World to_any(any), to_default(by_default);

  CHECK(to_any.hosts({{"stage", "test"}}).size() == 6);
  CHECK(to_any.hosts({}).size() == 6);
  CHECK(to_any.hosts({{"stage", "prod"}}) == std::set<HostSlot>{0, 1, 2});
  CHECK(to_default.hosts({{"stage", "test"}}) == std::set<HostSlot>{2, 4});
  CHECK(to_default.hosts({}) == std::set<HostSlot>{2, 4});
}

TEST_CASE("a selector has a fallback of its own for requests by its keys") {
  Settings settings = settingsWith({{{"stage", "version"}, Fallback::kFewerKeys, {"stage"}},
                                    {{"stage"}, Fallback::kDefaultSubset},
                                    {{"version"}, Fallback::kAnyHost},
                                    {{"zone"}, Fallback::kNoHost}});
  settings.fallback = Fallback::kAnyHost;
  settings.default_subset = MetadataCriteria(fields({{"version", "2"}}));
  World world(settings);

  CHECK(world.hosts({{"stage", "prod"}, {"version", "9"}}) == std::set<HostSlot>{0, 1, 2});
  CHECK(world.hosts({{"stage", "test"}, {"version", "9"}}) == std::set<HostSlot>{2, 4});  // by way of {stage}
  CHECK(world.hosts({{"stage", "test"}}) == std::set<HostSlot>{2, 4});
  CHECK(world.hosts({{"version", "9"}}).size() == 6);
  CHECK(world.hosts({{"zone", "a"}}) == kNone);
  CHECK(world.hosts({{"other", "a"}}).size() == 6);
}

TEST_CASE("a host with a list is in the subset of each value where that is asked for, else in that of the list") {
  const MetadataList versions{{std::string("1")}, {std::string("2")}, {std::string("1")}};
  const Assignment hosts = hostsWith({{{"version", {versions}}}, fields({{"version", "2"}})});
  Settings as_any = settingsWith({{{"version"}}});
  as_any.list_as_any = true;
  World each(as_any, hosts), whole(settingsWith({{{"version"}}}), hosts);

  CHECK(each.hosts({{"version", "1"}}) == std::set<HostSlot>{0});
  CHECK(each.hosts({{"version", "2"}}) == std::set<HostSlot>{0, 1});
  CHECK(whole.hosts({{"version", "1"}}) == kNone);
  CHECK(whole.hostsFor({{"version", {versions}}}) == std::set<HostSlot>{0});
}

TEST_CASE("where a subset may have one host the first counts") {
  Settings settings = settingsWith({{{"stage"}, Fallback::kNotDefined, {}, true}});
  World world(settings);
  const Tables tables(*HostSet::build(sixHosts(), {}, nullptr), settings);

  CHECK(world.hosts({{"stage", "prod"}}) == std::set<HostSlot>{0});
  CHECK(tables.duplicates() == 4);
  CHECK(tables.names().size() == 2);
}

TEST_CASE("criteria of a fallback list are tried in turn") {
  const MetadataList entries{{fields({{"version", "9"}})}, {fields({{"version", "2"}})}};
  const MetadataFields asked{{"stage", {std::string("prod")}}, {"fallback_list", {entries}}};
  Settings settings = settingsWith({{{"stage", "version"}}});
  World without(settings);
  settings.fallback_list = true;
  World with(settings);

  CHECK(with.hostsFor(asked) == std::set<HostSlot>{2});
  CHECK(without.hostsFor(asked) == kNone);
  CHECK(with.hosts({{"stage", "dev"}, {"version", "1"}}) == std::set<HostSlot>{3});
}

TEST_CASE("a subset has panic of its own") {
  Assignment hosts = sixHosts();
  hosts.localities[0].endpoints[0].health = Health::kUnhealthy;
  hosts.localities[0].endpoints[2].health = Health::kUnhealthy;
  World world(settingsWith({{{"stage", "version"}}}), hosts);

  CHECK(world.hosts({{"stage", "prod"}, {"version", "1"}}) == std::set<HostSlot>{1});
  CHECK(world.picking.panics() == 0);
  CHECK(world.hosts({{"stage", "prod"}, {"version", "2"}}) == std::set<HostSlot>{2});
  CHECK(world.picking.panics() == 50);
}

TEST_CASE("with panic_mode_any any host will do where the fallback has none") {
  Settings settings = settingsWith({{{"stage"}}});
  settings.fallback = Fallback::kDefaultSubset;
  settings.default_subset = MetadataCriteria(fields({{"version", "9"}}));
  World without(settings);
  settings.panic_mode_any = true;
  World with(settings);

  CHECK(without.hosts({}) == kNone);
  CHECK(with.hosts({}).size() == 6);
}

TEST_CASE("localities count in subsets if that is asked for, and less if few of their hosts are there") {
  Assignment hosts;
  for (const uint32_t zone : {0u, 1u}) {
    auto& locality = hosts.localities.emplace_back();
    locality.locality.zone = std::to_string(zone);
    locality.weight = zone == 0 ? 1 : 4;
    for (uint16_t i = 0; i < 4; ++i) {
      auto& endpoint = locality.endpoints.emplace_back();
      endpoint.address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(10 * zone + i + 1));
      // All of zone 0, one of zone 1.
      const auto its = fields({{"stage", zone == 0 || i == 0 ? "prod" : "dev"}});
      endpoint.metadata = stream::FixedMetadata({{"envoy.lb", {its}}}, std::to_string(10 * zone + i));
    }
  }
  const HostSetPtr set = HostSet::build(hosts, {.locality_weighted = true}, nullptr);
  const auto weightsOf = [&](bool aware, bool scale) {
    Settings settings = settingsWith({{{"stage"}}});
    settings.locality_weight_aware = aware;
    settings.scale_locality_weight = scale;
    const Tables tables(*set, settings);
    const Asking asked(fields({{"stage", "prod"}}));
    const SubsetIndex subset = tables.find(asked.criteria.criteria());
    std::vector<uint32_t> out;
    for (const auto& group : tables.subsets()[subset].set->tiers().front().groups) out.push_back(group.assigned_weight);
    return out;
  };

  CHECK(weightsOf(false, false) == std::vector<uint32_t>{1});  // one group of all
  CHECK(weightsOf(true, false) == std::vector<uint32_t>{1, 4});
  CHECK(weightsOf(true, true) == std::vector<uint32_t>{1, 1});
}

TEST_CASE("other hosts make other subsets, and those that stay count active requests on") {
  World world(settingsWith({{{"stage"}}}));
  world.picking.hosts().requestStarted(3);
  Assignment fewer = sixHosts();
  fewer.localities[0].endpoints.erase(fewer.localities[0].endpoints.begin() + 4, fewer.localities[0].endpoints.end());
  world.picking.update(HostSet::build(fewer, {}, &world.picking.hosts().set()));

  CHECK(world.hosts({{"stage", "dev"}}) == std::set<HostSlot>{3});
  CHECK(world.picking.hosts().activeRequests(3) == 1);
}

TEST_CASE("what is found and what is not is counted") {
  observability::StatsRegistry registry;
  Settings settings = settingsWith({{{"stage", "version"}}});
  settings.fallback = Fallback::kAnyHost;
  settings.main_cells = &registry.makeCells();
  settings.stats.created = registry.counter("created");
  settings.stats.removed = registry.counter("removed");
  settings.stats.active = registry.gauge("active");
  const Policy policy(settings);

  policy.build(*HostSet::build(sixHosts(), {}, nullptr));
  CHECK(registry.valueOf("active") == 4);
  policy.build(*HostSet::build(
      hostsWith({fields({{"stage", "prod"}, {"version", "1"}}), fields({{"stage", "prod"}, {"version", "3"}})}), {},
      nullptr));

  CHECK(registry.valueOf("active") == 2);
  CHECK(registry.valueOf("created") == 5);
  CHECK(registry.valueOf("removed") == 3);
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::subset
