// Where requests go: a load-balancing policy and a kind of cluster of the tests' own, found by the compilers in the
// text of a configuration.
#include "envoy/config/core/v3/base.pb.h"
#include "source/config/cluster_compiler.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/lb_policy_factory.h"
#include "source/config/loader.h"
#include "source/config/test_world.h"
#include "source/net/dns.h"
#include "source/server/test_data_path.h"

namespace sluice::server {
namespace {

using upstream::cluster::AssignmentPtr;
using upstream::cluster::HostSource;

// A policy that a header value configures: the request's header of that name tells the host.
class ByHeaderFactory : public config::LbPolicyFactory {
 public:
  using Proto = envoy::config::core::v3::HeaderValue;
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext) const override {
    return std::make_shared<upstream::lb::ByHeader>(static_cast<const Proto&>(message).key());
  }
};

// A kind of cluster that a list of paths configures: its hosts are there, one more each second.
class GrowingKind : public upstream::cluster::ClusterKind {
 public:
  explicit GrowingKind(std::vector<net::Address> hosts) : hosts_(std::move(hosts)) {}
  std::unique_ptr<HostSource> makeSource(const HostSource::World& world, HostSource::Owner,
                                         HostSource::Receiver& receiver) const override {
    return std::make_unique<Source>(world.loop, hosts_, receiver);
  }

 private:
  class Source : public HostSource {
   public:
    Source(event::Loop& loop, const std::vector<net::Address>& hosts, Receiver& receiver)
        : hosts_(hosts), receiver_(receiver), timer_(loop.timers(), [this] { tell(); }) {}
    void start() override { timer_.arm(1s); }

   private:
    void tell() {
      auto& locality = endpoints_.localities.emplace_back();
      locality.endpoints.emplace_back().address = hosts_[endpoints_.localities.size() - 1];
      if (endpoints_.localities.size() < hosts_.size()) timer_.arm(1s);
      receiver_.onEndpoints(std::make_shared<const upstream::cluster::Assignment>(endpoints_));
    }
    const std::vector<net::Address>& hosts_;
    Receiver& receiver_;
    upstream::cluster::Assignment endpoints_;
    event::Timer timer_;
  };
  const std::vector<net::Address> hosts_;
};

class GrowingFactory : public config::ClusterKindFactory {
 public:
  using Proto = envoy::config::core::v3::HeaderMap;
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  ClusterKindPtr compile(const google::protobuf::Message& message, const Cluster&, config::FactoryContext,
                         const config::Context&) const override {
    std::vector<net::Address> hosts;
    for (const auto& path : static_cast<const Proto&>(message).headers()) {
      hosts.push_back(*net::Address::fromUnixPath(path.key()));
    }
    return std::make_shared<GrowingKind>(std::move(hosts));
  }
};

// Nothing comes by name here, and no name is resolved.
class NoEndpoints : public upstream::cluster::Endpoints {
 public:
  std::unique_ptr<Watch> watch(std::string_view, const std::string&, const std::string&, Watcher&) override {
    return nullptr;
  }
};
class NoNames : public net::DnsResolver {
 public:
  std::unique_ptr<net::DnsQuery> resolve(std::string_view, net::DnsLookupFamily, OnResult) override { return nullptr; }
};

// The data path, over a cluster that is compiled and fed as the server does it.
struct Configured : DataPath, HostSource::Receiver {
  explicit Configured(const std::string& cluster) {
    world.registry.lb_policies.add(std::make_unique<ByHeaderFactory>());
    world.registry.cluster_kinds.add(std::make_unique<GrowingFactory>());
    config::ErrorList errors;
    config::Positions positions;
    envoy::config::cluster::v3::Cluster proto;
    config::Loader(errors, positions).loadText(cluster, config::Format::kYaml, "c.yaml", proto);
    const auto compiled = config::compileCluster(proto, config::Context(errors), world.services);
    INFO(errors.toString());
    REQUIRE(compiled);
    config = std::make_shared<upstream::cluster::ClusterConfig>(*compiled);
    clusters.remove(0);
    source = config->kind->makeSource({loop, resolver, by_name}, {config->name, 1, nullptr}, *this);
    source->start();
  }
  ~Configured() override { source.reset(); }
  void onEndpoints(AssignmentPtr endpoints) override { assign(*endpoints); }
  void onNoEndpoints(std::string_view) override {}

  config::testing::TestWorld world;
  NoEndpoints by_name;
  NoNames resolver;
  std::unique_ptr<HostSource> source;
};

std::string configurationOf(const TestUpstream& first, const TestUpstream& second) {
  return "name: c\n"
         "cluster_type:\n"
         "  name: growing\n"
         "  typed_config:\n"
         "    '@type': type.googleapis.com/envoy.config.core.v3.HeaderMap\n"
         "    headers: [{key: '" +
         first.address.toString() + "'}, {key: '" + second.address.toString() +
         "'}]\n"
         "load_balancing_policy:\n"
         "  policies:\n"
         "  - typed_extension_config:\n"
         "      name: by_header\n"
         "      typed_config:\n"
         "        '@type': type.googleapis.com/envoy.config.core.v3.HeaderValue\n"
         "        key: x-host\n";
}

TEST_CASE("a kind of cluster and a policy of somebody's own serve requests by nothing but their configuration") {
  TestUpstream first, second;
  Configured t(configurationOf(first, second));
  TestClient& client = t.connect();
  const auto served = [&t, &client](TestUpstream& by, const std::string& bytes) {
    client.send(bytes);
    t.loop.turn();
    const bool came = !by.peer(0).take().empty();
    by.peer(0).send(kOk);
    t.loop.turn();
    return came && bodyOf(client.take()) == "ok";
  };
  client.send(get());
  t.loop.turn();
  CHECK(client.take().starts_with("HTTP/1.1 503 "));  // the cluster is not warm

  t.loop.pass(1s);
  CHECK(served(first, get()));
  CHECK(served(first, request("GET", "/", "x-host: " + second.address.toString() + "\r\n")));  // it is not there yet
  t.loop.pass(1s);
  CHECK(served(second, request("GET", "/", "x-host: " + second.address.toString() + "\r\n")));
  CHECK(served(first, request("GET", "/", "x-host: " + first.address.toString() + "\r\n")));
}

}  // namespace
}  // namespace sluice::server
