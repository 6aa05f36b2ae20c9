// A cache filter, made of its configuration, and requests to it, for tests.
#pragma once

#include <catch2/catch.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/cache_v2/v3/cache.pb.h"
#include "source/config/holding.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/cache/factory.h"
#include "source/extensions/filters/http/cache/filter.h"
#include "test/support/filter/harness.h"

namespace sluice::extensions::http_filters::cache {

using filter::testing::Fields;
using filter::testing::Harness;
using Factories = std::vector<std::shared_ptr<const filter::HttpFilterFactory>>;

inline const std::string kMemory =
    "typed_config: {\"@type\": type.googleapis.com/sluice.extensions.caches.memory.v1.MemoryCache, max_bytes: "
    "1048576}\n";
inline const Fields kFresh = {{"cache-control", "max-age=60"}};

// Everything goes to the cluster "up".
inline std::shared_ptr<const route::Table> forwardingTable(route::ForwardSpec forward = {}) {
  forward.cluster = 1;
  forward.cluster_name = "up";
  route::RouteSpec route;
  route.path = "/";
  route.action = std::move(forward);
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
  host.routes.push_back(std::move(route));
  route::TableSpec spec;
  spec.virtual_hosts.push_back(std::move(host));
  return *route::Table::build(std::move(spec));
}

// One request and its answer.
struct Trip : Harness {
  using Harness::Harness;
  std::string of(std::string_view name) const {
    for (const auto& [key, value] : client.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
  // Sent to the upstream; "(none)": it was not.
  std::string sent(std::string_view name) const {
    for (const auto& [key, value] : terminal.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
  bool forwarded() const { return terminal.heads == 1; }
  void answer(const Fields& fields, const std::string& body, uint16_t status = 200) {
    respond(status, fields, body.empty());
    if (!body.empty()) runner->responseData(body, true);
  }
};

// A cache, and the requests to it, all on one worker.
struct Site {
  explicit Site(const std::string& fields = "", std::shared_ptr<const route::Table> routes = forwardingTable(),
                const std::string& store = kMemory)
      : table(std::move(routes)) {
    registerFactory(world.registry);
    envoy::extensions::filters::http::cache_v2::v3::CacheV2Config proto;
    world.load(store + fields, proto);
    const auto* factory = world.registry.http_filters.find(proto.GetDescriptor()->full_name());
    chain.push_back(factory->compile(proto, holding.context(world.at, "http.p.", "a place")));
    REQUIRE(world.problems() == "");
  }

  Trip& open(const std::string& path, const Fields& fields = {}, const std::string& method = "GET") {
    Trip& trip = trips.emplace_back(filter::testing::entriesOf(chain), table);
    trip.stream.shared_worker = &worker;
    trip.stream.time = filter::Stream::Time(std::chrono::hours(1000)) + time;
    trip.stream.request().path = path;
    trip.stream.request().authority = "a.example";
    trip.stream.request().scheme = "http";
    if (prepare) prepare(trip.stream.request());
    for (const auto& [name, value] : fields) trip.stream.request().add(name, value);
    trip.stream.setRoute(table->match(trip.stream.request(), chance));
    trip.request(method, {}, true);
    return trip;
  }
  // Fetched and answered at once.
  Trip& fill(const std::string& path, const Fields& response = kFresh, const std::string& body = "body",
             const Fields& fields = {}) {
    Trip& trip = open(path, fields);
    REQUIRE(trip.forwarded());
    trip.answer(response, body);
    return trip;
  }
  bool hits(const std::string& path, const Fields& fields = {}, const std::string& method = "GET") {
    return !open(path, fields, method).forwarded();
  }
  size_t purge(cache::Purge::By by, std::string_view text) {
    size_t count = 0;
    world.services.objects.forEach<cache::Store>([&](cache::Store& store) { count += store.purge({by, text}); });
    return count;
  }
  int64_t stat(Trip& trip, const std::string& type) {
    const auto* known = world.stats.find("cache.event.cache_label.memory.event_type." + type);
    return known == nullptr ? -1 : static_cast<int64_t>(trip.stream.cells().read(known->id));
  }

  config::testing::TestWorld world;
  config::Holding holding{world.services};
  worker::testing::TestWorker worker;
  std::shared_ptr<const route::Table> table;
  Factories chain;
  std::chrono::seconds time{0};
  std::function<void(http::RequestHeaders&)> prepare;
  uint64_t chance = 0;
  std::list<Trip> trips;
};

}  // namespace sluice::extensions::http_filters::cache
