// What a policy hears of the connections that it chooses hosts for.
#include <catch2/catch.hpp>

#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "source/base/xx_hash.h"
#include "source/config/network_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/network/tcp_proxy/factory.h"
#include "source/upstream/pool/test_upstream.h"
#include "source/upstream/test_cluster.h"
#include "test/support/filter/accepted.h"

namespace sluice::extensions::network_filters::tcp_proxy {
namespace {

using Proto = envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

// Takes the first host, and writes down what it was told.
class Heard final : public upstream::lb::LbPolicy {
 public:
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker&) const override {
    return std::make_unique<Picker>(*this);
  }

  mutable std::vector<std::optional<uint64_t>> hashes;
  mutable std::vector<std::string> criteria;  // "key=value,"; "any": none

 private:
  class Picker final : public upstream::lb::LbPicker {
   public:
    explicit Picker(const Heard& heard) : heard_(heard) {}
    void update(const upstream::lb::PreparedHosts&) override {}
    upstream::cluster::HostSlot pick(const upstream::lb::LbContext& context) override {
      heard_.hashes.push_back(context.hash());
      const stream::MetadataCriteria* wanted = context.metadataCriteria();
      std::string& text = heard_.criteria.emplace_back(wanted == nullptr ? "any" : "");
      if (wanted == nullptr) return 0;
      for (const auto& criterion : wanted->criteria()) text += criterion.key + "=" + criterion.value + ",";
      return 0;
    }

   private:
    const Heard& heard_;
  };
};

struct BalancingTest : upstream::TestCluster {
  explicit BalancingTest(const std::string& fields) : services(setup(no_calls)) {
    services.add(clusters);
    config->lb.policy = heard;
    hosts({host.address});
    registerFactory(world.registry);
    Proto proto;
    if (world.load("stat_prefix: t\n" + fields, proto)) {
      const auto* factory = world.registry.network_filters.find(Proto::descriptor()->full_name());
      filter = factory->compile(proto, world.context());
    }
  }
  ~BalancingTest() {
    while (!list.empty()) list.front().closeNow("test_end");
    loop.turn();
  }
  void connect(const std::string& ip, uint16_t port) {
    net::SocketPair pair = net::unixPair();
    filter::Accepted accepted = filter::testing::acceptedOf(std::move(pair.ours));
    accepted.remote = *net::Address::fromIp(ip, port);
    filter->serve(std::move(accepted), services, list);
    loop.turn();
  }

  worker::WorkerServices services;
  config::testing::TestWorld world;
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
  std::shared_ptr<const filter::TerminalNetworkFilter> filter;
  base::List<filter::LiveConnection> list;
  upstream::pool::TestUpstream host;
};

TEST_CASE("a client has the same hash whatever port its connections come from") {
  BalancingTest t("cluster: c\nhash_policy: [{source_ip: {}}]");
  t.connect("10.0.0.1", 1000);
  t.connect("10.0.0.1", 2000);
  t.connect("10.0.0.2", 1000);

  CHECK(t.heard->hashes == std::vector<std::optional<uint64_t>>{base::xxHash64("10.0.0.1"), base::xxHash64("10.0.0.1"),
                                                                base::xxHash64("10.0.0.2")});
}

TEST_CASE("without a policy connections have no hash and no criteria") {
  BalancingTest t("cluster: c");
  t.connect("10.0.0.1", 1000);

  CHECK(t.heard->hashes == std::vector<std::optional<uint64_t>>{std::nullopt});
  CHECK(t.heard->criteria == std::vector<std::string>{"any"});
}

TEST_CASE("hosts are chosen by the metadata that the filter wants") {
  BalancingTest t("cluster: c\nmetadata_match: {filter_metadata: {envoy.lb: {tier: gold}}}");
  t.connect("10.0.0.1", 1000);

  CHECK(t.heard->criteria == std::vector<std::string>{"tier=s4:gold,"});
}

TEST_CASE("what a weighted cluster wants goes over what the filter wants") {
  BalancingTest t(
      "metadata_match: {filter_metadata: {envoy.lb: {tier: gold, zone: a}}}\n"
      "weighted_clusters: {clusters: [{name: c, weight: 3, metadata_match: {filter_metadata: {envoy.lb: {tier: "
      "tin}}}}]}");
  t.connect("10.0.0.1", 1000);

  CHECK(t.heard->criteria == std::vector<std::string>{"tier=s3:tin,zone=s1:a,"});
}

TEST_CASE("a hash of what connections do not have is refused") {
  BalancingTest t("cluster: c\nhash_policy: [{filter_state: {key: a}}]");

  CHECK_THAT(t.world.problems(), Catch::Contains("hash_policy[0].filter_state"));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::tcp_proxy
