// Nodes under the test's control, in virtual time.
#include "source/extensions/clusters/redis/source.h"

#include <catch2/catch.hpp>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/clusters/redis/v3/redis_cluster.pb.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/test_world.h"
#include "source/event/polled_loop.h"
#include "source/extensions/clusters/redis/factory.h"
#include "source/upstream/pool/test_upstream.h"

using namespace std::chrono_literals;

namespace sluice::extensions::clusters::redis {
namespace {

using upstream::cluster::AssignmentPtr;
using upstream::cluster::HostSource;
using upstream::pool::TestUpstream;

// Answers by hand.
class FakeResolver final : public net::DnsResolver {
 public:
  std::unique_ptr<net::DnsQuery> resolve(std::string_view name, net::DnsLookupFamily, OnResult on_result) override {
    asked.emplace_back(name);
    pending = std::move(on_result);
    return std::make_unique<net::DnsQuery>();
  }
  std::vector<std::string> asked;
  OnResult pending;
};

// Every node is reached through it, in the clear.
class ProxyInFront final : public net::TransportFactory {
 public:
  explicit ProxyInFront(net::Address proxy) : proxy_(std::move(proxy)) {}
  net::TransportPtr make(const Options&) const override { return nullptr; }
  std::optional<net::Address> proxyOf(const Options& options) const override {
    return options.host == nullptr ? std::nullopt : std::optional(proxy_);
  }

 private:
  const net::Address proxy_;
};

class NoEndpoints final : public upstream::cluster::Endpoints {
 public:
  std::unique_ptr<Watch> watch(std::string_view, const std::string&, const std::string&, Watcher&) override {
    return nullptr;
  }
};

struct SourceTest : HostSource::Receiver {
  SourceTest() { settings.seeds = {node.address}; }
  void start() {
    source = std::make_unique<Source>(HostSource::World{loop, resolver, endpoints}, HostSource::Owner{"c", 1, nullptr},
                                      settings, topology, signals(), *this);
    source->start();
    loop.turn();
  }
  std::shared_ptr<Signals> signals() {
    if (!told) told = std::make_shared<Signals>(settings);
    return told;
  }
  // The node has all slots and says where it is.
  static std::string slots(const std::string& port) {
    return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:" + port + "\r\n";
  }
  std::string asked(size_t connection) {
    loop.turn();
    return node.accept() > connection ? node.peer(connection).take() : std::string();
  }
  void answer(const std::string& bytes, size_t connection) {
    node.peer(connection).send(bytes);
    loop.turn();
  }
  void onEndpoints(AssignmentPtr assignment) override { hosts.push_back(std::move(assignment)); }
  void onNoEndpoints(std::string_view why) override { problem = why; }

  event::PolledLoop loop;
  FakeResolver resolver;
  NoEndpoints endpoints;
  Settings settings;
  Topology topology;
  std::shared_ptr<Signals> told;
  TestUpstream node;
  std::vector<AssignmentPtr> hosts;
  std::string problem;
  std::unique_ptr<Source> source;
};

const std::string kQuestion = sluice::redis::command({"CLUSTER", "SLOTS"});

TEST_CASE("the hosts are those that a node names, and it is asked again") {
  SourceTest t;
  t.start();
  CHECK(t.asked(0) == kQuestion);
  t.answer(SourceTest::slots("1"), 0);
  REQUIRE(t.hosts.size() == 1);
  CHECK(t.hosts[0]->localities[0].endpoints[0].address.toString() == "127.0.0.1:1");
  CHECK(t.node.peer(0).isClosed());

  // The host that is known refuses; the seed is asked behind it.
  t.loop.pass(5s);
  CHECK(t.asked(1) == kQuestion);
  t.answer(SourceTest::slots("1"), 1);
  CHECK(t.hosts.size() == 1);
  CHECK(t.source->updates()->no_rebuild == 1);

  t.loop.pass(5s);
  t.asked(2);
  t.answer(SourceTest::slots("2"), 2);
  CHECK(t.hosts.size() == 2);
}

TEST_CASE("a node is asked through the proxy that its commands go through") {
  SourceTest t;
  t.settings.seeds = {*net::Address::fromIp("127.0.0.1", 1)};
  t.settings.transport = std::make_shared<ProxyInFront>(t.node.address);

  t.start();

  CHECK(t.asked(0) == kQuestion);
}

TEST_CASE("a node that does not answer in time or not well is passed over") {
  SourceTest t;
  TestUpstream other;
  t.settings.seeds = {other.address, t.node.address};
  t.start();
  const bool other_first = other.accept() == 1;
  TestUpstream& first = other_first ? other : t.node;
  TestUpstream& second = other_first ? t.node : other;
  t.loop.pass(3s);
  second.peer(0).send("-ERR This instance has cluster support disabled\r\n");
  t.loop.turn();
  CHECK(first.peer(0).isClosed());
  CHECK(t.problem.find("of no Redis Cluster") != std::string::npos);
  CHECK(t.source->updates()->failures == 1);

  t.loop.pass(5s);
  CHECK(first.accept() + second.accept() == 3);
}

TEST_CASE("a node is told the password first") {
  SourceTest t;
  auto auth = std::make_shared<upstream::cluster::RedisAuth>();
  auth->all.password = "secret";
  t.settings.auth = auth;
  t.start();
  CHECK(t.asked(0) == sluice::redis::command({"AUTH", "secret"}) + kQuestion);
  t.answer("+OK\r\n" + SourceTest::slots("1"), 0);
  CHECK(t.hosts.size() == 1);
}

TEST_CASE("a node that is named is looked up when others have failed") {
  SourceTest t;
  t.settings.names = {{"redis.example", 6379}};
  t.node.stop();
  t.start();
  REQUIRE(t.resolver.asked == std::vector<std::string>{"redis.example"});
  t.resolver.pending({.status = net::DnsResult::Status::kNoSuchName, .detail = "no such name"});
  t.loop.turn();
  CHECK(t.problem.find("no such name") != std::string::npos);
}

TEST_CASE("redirections bring the next question forward, but not too often") {
  SourceTest t;
  t.settings.refresh_rate = 1h;
  t.settings.redirections = 2;
  t.start();
  t.asked(0);
  t.answer(SourceTest::slots("1"), 0);
  t.loop.pass(1s);
  t.told->redirected();
  t.loop.pass(10s);
  CHECK(t.node.accept() == 1);

  t.told->redirected();
  CHECK(t.asked(1) == kQuestion);
  t.answer(SourceTest::slots("1"), 1);
  for (int i = 0; i < 4; ++i) t.told->redirected();
  t.loop.pass(4s);
  CHECK(t.node.accept() == 2);
  t.loop.pass(2s);
  CHECK(t.asked(2) == kQuestion);
}

TEST_CASE("a source that is gone is told nothing") {
  SourceTest t;
  t.settings.redirections = 1;
  t.start();
  t.told->redirected();
  t.source.reset();
  t.loop.turn();
  t.told->redirected();
  t.loop.turn();
  CHECK(t.hosts.empty());
}

TEST_CASE("a cluster needs somebody to ask") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::clusters::redis::v3::RedisClusterConfig proto;
  const auto* factory = world.registry.cluster_kinds.find(proto.GetDescriptor()->full_name());
  REQUIRE(factory != nullptr);
  factory->compile(proto, {}, world.context(), world.at);
  CHECK(world.problems().find("names nobody") != std::string::npos);
}

}  // namespace
}  // namespace sluice::extensions::clusters::redis
