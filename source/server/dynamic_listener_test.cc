// Listeners by LDS with all that stands behind them, up to connections: the chain has an extension of the test's own,
// which needs something before it can serve.
#include <algorithm>
#include <catch2/catch.hpp>

#include "google/protobuf/wrappers.pb.h"
#include "source/config/network_filter_factory.h"
#include "source/config/registry.h"
#include "source/server/bootstrap.h"
#include "source/server/core_types.h"
#include "source/server/test_process.h"
#include "source/xds/fakes.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

using xds::testing::FakeTransport;

// A terminal network filter that answers with a text, once its keys are there. What it waits for is the test's to end.
class KeysFactory : public config::NetworkFilterConfigFactory {
 public:
  std::string_view configType() const override { return google::protobuf::StringValue::descriptor()->full_name(); }
  std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    const std::string& text = static_cast<const google::protobuf::StringValue&>(message).value();
    keys = context.waitFor("keys of '" + text + "'", deadline);
    if (text.starts_with("to ")) context.services.cluster_names.idOf(text.substr(3));
    return std::make_shared<Greeter>(text);
  }

  std::chrono::milliseconds deadline{0};
  mutable config::InitTarget keys;
};

// What configurations that workers hold refer to until the process ends.
struct Parts {
  config::Registry registry;
  route::ClusterNames names;
  route::FilterSlots slots;
};

struct LdsTest : Parts, Process {
  LdsTest() {
    auto factory = std::make_unique<KeysFactory>();
    extension = factory.get();
    registry.network_filters.add(std::move(factory));
    addCoreTypes({services, clusters, cluster_waits, listeners, routes, scopes, secrets, extensions, on_demand, log,
                  stats, cells},
                 {.ads = config::GrpcSource{.cluster = "server"}, .lds = config::ResourceSource{}}, dynamic);
    dynamic.start();
    wire->establish();
    listeners.startAccepting();
    sync();
  }
  envoy::config::listener::v3::Listener listener(const std::string& text) const {
    envoy::config::listener::v3::Listener proto;
    proto.set_name("web");
    proto.mutable_address()->mutable_pipe()->set_path(at.toString());
    google::protobuf::StringValue value;
    value.set_value(text);
    auto& filter = *proto.add_filter_chains()->add_filters();
    filter.set_name("keys");
    filter.mutable_typed_config()->PackFrom(value);
    return proto;
  }
  // Gives the answer's error.
  std::string send(const std::string& version, const envoy::config::listener::v3::Listener& proto) {
    auto body = std::make_shared<google::protobuf::Any>();
    body->PackFrom(proto);
    wire->sent.clear();
    wire->events->onMessage(xds::wireEncoder(xds::Variant::kSotw)
                                .encode(xds::testing::response(xds::kListenerType, version, version,
                                                               {xds::testing::bare(std::move(body))})));
    const xds::Request answer = wire->next(xds::Variant::kSotw);
    CHECK(answer.response_nonce == version);
    return answer.error ? answer.error->message : std::string();
  }
  bool logged(const std::string& text) const {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }

  const net::Address at = unixAddress();
  std::vector<std::string> lines;
  observability::Logger log{observability::LogLevel::kInfo,
                            [this](std::string_view line) { lines.emplace_back(line); }};
  Options options;
  BootstrapProto bootstrap;
  KeysFactory* extension = nullptr;
  std::unique_ptr<net::DnsResolver> resolver = net::makeDnsResolver(*main);
  net::OpenedSockets sockets;
  listener::ConnectionLimits limits;
  ClusterWaits cluster_waits{*main, log, names,
                             [this](const std::string& name) { return clusters.hostsOf(name) != nullptr; }, 5s};
  RouteManager routes{*main, workers, stats, cells};
  ScopeManager scopes{*main, workers, routes, log, stats, cells};
  SecretManager secrets{bootstrap, *main, stats, cells, log};
  ExtensionManager extensions{bootstrap, *main, stats, cells, log};
  ClusterManager clusters{*main, workers, stats, cells, names, *resolver, log, 1};
  OnDemandClusters on_demand{{.main = *main}};
  ListenerManager listeners{*main, workers, sockets, stats, cells, log, 1000ms, limits};
  config::Services services{registry, stats, nullptr, names, slots, routes, config::Defaults::kEdge, {}};
  std::shared_ptr<FakeTransport::Record> wire = std::make_shared<FakeTransport::Record>();
  DynamicConfig dynamic{{*main, options, log, stats, cells,
                         [this](const xds::GrpcSource&) { return std::make_unique<FakeTransport>(wire); }, 1, nullptr},
                        {},
                        config::GrpcSource{.cluster = "server"}};
};

TEST_CASE("a listener is acknowledged at once, waits for what its extension needs, and serves when that is there") {
  LdsTest t;
  CHECK(t.send("1", t.listener("one")) == "");
  CHECK(t.ask(t.at) == "refused");
  CHECK(t.logged("listener 'web' waits for keys of 'one'"));
  t.extension->keys.ready();
  CHECK(t.ask(t.at) == "one");

  CHECK(t.send("2", t.listener("two")) == "");
  CHECK(t.ask(t.at) == "one");
  t.extension->keys.ready();
  CHECK(t.ask(t.at) == "two");
}

TEST_CASE("a listener whose extension needs what does not come serves after the deadline, and the log names it") {
  LdsTest t;
  t.extension->deadline = 20ms;
  CHECK(t.send("1", t.listener("one")) == "");
  CHECK(t.stats.valueOf("listener_manager.total_listeners_warming") == 1);
  while (t.stats.valueOf("listener_manager.total_listeners_active") == 0) t.runFor(5ms);
  CHECK(t.logged("listener 'web' waits no longer for keys of 'one', which did not come within 20 ms"));
  CHECK(t.ask(t.at) == "one");
}

TEST_CASE("a listener that names a new cluster waits for it if one serves in its place") {
  LdsTest t;
  CHECK(t.send("1", t.listener("to first")) == "");
  t.extension->keys.ready();
  CHECK(t.ask(t.at) == "to first");  // there is none to serve meanwhile
  CHECK(t.send("2", t.listener("to second")) == "");
  t.extension->keys.ready();
  CHECK(t.ask(t.at) == "to first");
  CHECK(t.logged("listener 'web' waits for keys of 'to second', cluster 'second'"));
  t.cluster_waits.onServes("second");
  CHECK(t.ask(t.at) == "to second");
}

TEST_CASE("a listener that is refused leaves nothing waiting, and the one that serves goes on") {
  LdsTest t;
  t.send("1", t.listener("one"));
  t.extension->keys.ready();
  auto bad = t.listener("two");
  bad.add_filter_chains();
  CHECK(t.send("2", bad).find("filter_chains[1]") != std::string::npos);
  CHECK_FALSE(t.extension->keys.pending());
  CHECK(t.ask(t.at) == "one");
}

}  // namespace
}  // namespace sluice::server
