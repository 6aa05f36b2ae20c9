// Clusters on demand, between a control plane and workers that are the test's.
#include "source/server/on_demand_clusters.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/event/simulated_loop.h"

namespace sluice::server {
namespace {

using Names = std::vector<std::string>;
using Source = OnDemandClusters::Source;
using Handle = std::shared_ptr<const route::ClusterSource>;

Source grpc(const std::string& server) {
  Source source;
  source.set_resource_api_version(envoy::config::core::v3::V3);
  auto& api = *source.mutable_api_config_source();
  api.set_api_type(envoy::config::core::v3::ApiConfigSource::DELTA_GRPC);
  api.set_transport_api_version(envoy::config::core::v3::V3);
  api.add_grpc_services()->mutable_envoy_grpc()->set_cluster_name(server);
  return source;
}

Source ads() {
  Source source;
  source.set_resource_api_version(envoy::config::core::v3::V3);
  source.mutable_ads();
  return source;
}

struct Bed {
  Bed() {
    clusters.on_wanted = [this](const ResourceKey& key, const Source&) { asked.push_back("+" + key.name); };
    clusters.on_unwanted = [this](const ResourceKey& key) { asked.push_back("-" + key.name); };
  }
  Handle handle(const Source& source) { return clusters.clusterSource(source, config::Context(errors)); }
  // A request of a worker wants it.
  void demand(const Handle& handle, const std::string& name, uint32_t worker = 0) { handle->ask(name, worker); }
  ResourceKey key(const std::string& name, const Source& source = grpc("server")) { return keyOf(source, name); }
  // It comes, and serves.
  bool come(const ResourceKey& of) {
    if (!clusters.take(of)) return false;
    serving.insert(of.name);
    clusters.onServes(of.name);
    return true;
  }
  void look() { main.advance(OnDemandClusters::kLook); }

  event::SimulatedLoop main;
  config::ErrorList errors;
  Names asked;  // "+name" and "-name"
  Names told;   // "name@worker"
  Names removed;
  std::set<std::string> serving, warming, needed;
  std::map<std::string, uint64_t> uses;
  bool checked = true;
  OnDemandClusters clusters{{
      .main = main,
      .check =
          [this](const config::ResourceSource&, const config::Context& context) {
            if (!checked) context.error("cannot be asked");
            return checked;
          },
      .serves = [this](const std::string& name) { return serving.contains(name); },
      .exists = [this](const std::string& name) { return serving.contains(name) || warming.contains(name); },
      .uses = [this](const std::string& name) -> std::optional<uint64_t> {
        if (needed.contains(name)) return std::nullopt;
        return uses[name];
      },
      .remove =
          [this](const std::string& name) {
            removed.push_back(name);
            serving.erase(name);
          },
      .tell = [this](uint32_t worker, uint32_t source,
                     const std::string& name) { told.push_back(absl::StrCat(name, "@", worker, "/", source)); },
  }};
};

TEST_CASE("a cluster is asked for once, and workers that wait are told when they have it") {
  Bed t;
  const Handle handle = t.handle(grpc("server"));
  t.demand(handle, "a", 0);
  t.demand(handle, "a", 1);
  t.demand(handle, "a", 1);
  CHECK(t.asked == Names{"+a"});
  CHECK(t.clusters.take(t.key("a")));
  CHECK(t.told.empty());  // it is warming
  t.clusters.onServes("a");
  CHECK(t.told == Names{"a@0/1", "a@1/1"});
}

TEST_CASE("a cluster that is there already, or is on its way, is not asked for again") {
  Bed t;
  const Handle handle = t.handle(grpc("server"));
  t.serving = {"a"};
  t.demand(handle, "a");
  CHECK(t.told == Names{"a@0/1"});
  t.demand(handle, "b");
  t.clusters.take(t.key("b"));
  t.warming = {"b"};
  t.demand(handle, "b", 1);
  CHECK(t.told.size() == 1);
  CHECK(t.asked == Names{"+b"});
  t.clusters.onServes("b");
  CHECK(t.told.size() == 3);
}

TEST_CASE("who waits is told at once that there is no such cluster, and it may come later") {
  Bed t;
  const Handle handle = t.handle(grpc("server"));
  t.demand(handle, "a");
  CHECK_FALSE(t.clusters.gone(t.key("a")));
  CHECK(t.told == Names{"a@0/1"});
  t.demand(handle, "a");
  CHECK(t.told.size() == 2);
  t.demand(handle, "refused");
  t.clusters.giveUp(t.key("refused"));
  CHECK(t.told.size() == 3);
  CHECK(t.asked == Names{"+a", "+refused"});
  CHECK(t.come(t.key("a")));
  CHECK(t.clusters.gone(t.key("a")));
}

TEST_CASE("a cluster of another source is neither replaced nor removed") {
  Bed t;
  t.clusters.root_source = t.key("", ads()).source;
  t.clusters.ads_delta = true;
  const Handle one = t.handle(grpc("server")), two = t.handle(grpc("other"));
  t.demand(one, "a");
  t.demand(two, "a");
  t.demand(one, "b");
  CHECK(t.come(t.key("a", grpc("other"))));
  CHECK(t.told == Names{"a@0/2", "a@0/1"});  // it is there, whoever brought it
  CHECK_FALSE(t.come(t.key("a")));
  CHECK_FALSE(t.clusters.gone(t.key("a")));

  t.warming = {"b"};
  CHECK(t.clusters.take(t.key("b", ads())));
  CHECK_FALSE(t.clusters.take(t.key("b")));
  CHECK_FALSE(t.clusters.gone(t.key("b")));
  CHECK(t.told.size() == 2);  // who waits for b has it soon
  t.clusters.onServes("b");
  CHECK(t.told.size() == 3);
  CHECK(t.clusters.gone(t.key("b", ads())));

  CHECK(t.clusters.take(t.key("a", ads())));  // the source of all clusters has the last word
  CHECK_FALSE(t.clusters.gone(t.key("a", grpc("other"))));
}

TEST_CASE("what nobody uses is given back, and what is used or named stays") {
  Bed t;
  const Handle handle = t.handle(grpc("server"));
  for (const std::string name : {"idle", "used", "named", "missing"}) {
    t.demand(handle, name);
    if (name != "missing") t.come(t.key(name));
  }
  t.needed = {"named"};
  t.asked.clear();
  t.look();
  CHECK(t.asked.empty());
  t.uses["used"] = 1;
  t.told.clear();
  t.look();
  CHECK(t.asked == Names{"-idle", "-missing"});
  CHECK(t.removed == Names{"idle"});
  CHECK(t.told == Names{"missing@0/1"});  // nothing waits for ever
  t.needed.clear();
  t.look();
  t.look();
  CHECK(t.removed == Names{"idle", "used", "named"});
  t.demand(handle, "idle");
  CHECK(t.asked.back() == "+idle");
}

TEST_CASE("a name without a cluster for which requests ask again is kept") {
  Bed t;
  const Handle handle = t.handle(grpc("server"));
  t.demand(handle, "a");
  t.clusters.gone(t.key("a"));
  for (int i = 0; i < 3; ++i) {
    t.look();
    t.demand(handle, "a");
  }
  CHECK(t.asked == Names{"+a"});
}

TEST_CASE("the source of all clusters says itself whether one that is given back stays") {
  Bed t;
  t.clusters.ads_delta = true;
  t.clusters.root_source = t.key("", ads()).source;
  const Handle handle = t.handle(ads());
  t.demand(handle, "a");
  t.come(t.key("a", ads()));
  t.look();
  t.look();
  CHECK(t.asked == Names{"+a", "-a"});
  CHECK(t.removed.empty());
}

TEST_CASE("names are bounded: the oldest without a cluster makes room, and none that has one") {
  Bed t;
  const Handle handle = t.handle(grpc("server"));
  for (size_t i = 0; i < OnDemandClusters::kMaxNames; ++i) t.demand(handle, absl::StrCat("n", i));
  t.come(t.key("n0"));
  t.asked.clear();
  t.told.clear();
  t.demand(handle, "more");
  CHECK(t.asked == Names{"-n1", "+more"});
  CHECK(t.told == Names{"n1@0/1"});
  for (size_t i = 2; i < OnDemandClusters::kMaxNames; ++i) t.come(t.key(absl::StrCat("n", i)));
  t.come(t.key("more"));
  t.asked.clear();
  t.demand(handle, "one more");
  CHECK(t.asked.empty());
  CHECK(t.told.back() == "one more@0/1");
}

TEST_CASE("a source is asked while somebody holds it, and the next one takes over what it has") {
  Bed t;
  Handle handle = t.handle(grpc("server"));
  CHECK(t.handle(grpc("server")) == handle);
  t.demand(handle, "a");
  t.come(t.key("a"));
  handle.reset();
  handle = t.handle(grpc("server"));  // before main has heard of it
  t.main.settle();
  CHECK(t.asked == Names{"+a"});
  handle.reset();
  t.main.settle();
  CHECK(t.asked == Names{"+a", "-a"});
  CHECK(t.removed == Names{"a"});
}

TEST_CASE("a source that cannot be asked, or not for single clusters, is refused") {
  Bed t;
  CHECK(t.handle(ads()) == nullptr);
  CHECK(t.errors.toString().find("the aggregated stream is not incremental") != std::string::npos);
  t.clusters.ads_delta = true;
  CHECK(t.handle(ads()) != nullptr);
  t.checked = false;
  CHECK(t.handle(grpc("server")) == nullptr);
}

}  // namespace
}  // namespace sluice::server
