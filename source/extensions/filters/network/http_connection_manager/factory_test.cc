#include "source/extensions/filters/network/http_connection_manager/factory.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "source/config/network_filter_factory.h"
#include "source/config/terminal_factory.h"
#include "source/config/test_world.h"

namespace sluice::extensions::network_filters::http_connection_manager {
namespace {

using Proto = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

// Ends a chain, whatever it is configured with.
struct AnyEnd : config::TerminalConfigFactory {
  struct Config : filter::TerminalConfig {
    filter::Terminal* make(worker::WorkerServices&, filter::ChainRunner&, filter::Stream&,
                           filter::Downstream&) const override {
      return nullptr;
    }
  };
  std::string_view configType() const override { return google::protobuf::StringValue::descriptor()->full_name(); }
  std::shared_ptr<const filter::TerminalConfig> compile(const google::protobuf::Message&,
                                                        config::FactoryContext) const override {
    return std::make_shared<Config>();
  }
};

const std::string kEnd = "{name: end, typed_config: {'@type': type.googleapis.com/google.protobuf.StringValue}}";
const std::string kRoutes = "route_config: {name: r}";

struct ManagerTest : config::testing::TestWorld {
  ManagerTest() {
    registerFactory(registry);
    registry.terminals.add(std::make_unique<AnyEnd>());
  }
  std::shared_ptr<const filter::TerminalNetworkFilter> compile(const std::string& fields) {
    Proto proto;
    if (!load("{stat_prefix: a, " + fields + "}", proto)) return nullptr;
    return registry.network_filters.find(Proto::descriptor()->full_name())->compile(proto, context());
  }
};

TEST_CASE("a chain that ends, and routes, make a connection manager with stats under its prefix") {
  ManagerTest t;

  const auto manager = t.compile(kRoutes + ", http_filters: [" + kEnd + "]");

  CHECK(t.problems() == "");
  CHECK(manager != nullptr);
  CHECK(t.stats.find("http.a.downstream_rq_total") != nullptr);
}

TEST_CASE("chains that are no chains are refused") {
  const auto [filters, problem] = GENERATE(table<std::string, std::string>({
      {"", "http_filters: the chain is empty"},
      {kEnd + ", " + kEnd, "http_filters[0]: filter 'end' is terminal and has to be the last"},
      {"{name: f}", "http_filters[0].typed_config: filter 'f' has no typed_config"},
      {"{name: end, disabled: true, typed_config: {'@type': type.googleapis.com/google.protobuf.StringValue}}",
       "disabled: a terminal filter cannot be disabled"},
      {"{name: f, typed_config: {'@type': type.googleapis.com/google.protobuf.BoolValue}}",
       "google.protobuf.BoolValue does not configure HTTP filters"},
  }));
  ManagerTest t;

  CHECK(t.compile(kRoutes + ", http_filters: [" + filters + "]") == nullptr);

  CHECK_THAT(t.problems(), Catch::Contains(problem));
}

TEST_CASE("what is not served is refused with what to do") {
  const auto [fields, problem] = GENERATE(table<std::string, std::string>({
      {kRoutes + ", codec_type: HTTP3", "codec_type: HTTP/3 is not served so far"},
      {kRoutes + ", upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: WebSocket}]",
       "upgrade_configs[1]: says something of 'websocket' again"},
      {"rds: {config_source: {ads: {}}}", "rds.route_config_name: no name"},
  }));
  ManagerTest t;

  CHECK(t.compile(fields + ", http_filters: [" + kEnd + "]") == nullptr);

  CHECK_THAT(t.problems(), Catch::Contains(problem));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::http_connection_manager
