#include "source/extensions/filters/http/geoip/filter.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/geoip/v3/geoip.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/config/geoip_provider_factory.h"
#include "source/extensions/filters/http/geoip/factory.h"
#include "source/geoip/test_provider.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::geoip {
namespace {

using Proto = envoy::extensions::filters::http::geoip::v3::Geoip;
using filter::testing::Fields;
using filter::testing::Harness;
using sluice::geoip::testing::TestProvider;

// Its message is google.protobuf.Empty.
class ProviderFactory : public config::GeoipProviderConfigFactory {
 public:
  explicit ProviderFactory(std::vector<std::string> names) : names_(std::move(names)) {}
  std::string_view configType() const override { return google::protobuf::Empty::descriptor()->full_name(); }
  std::shared_ptr<const sluice::geoip::Provider> compile(const google::protobuf::Message&,
                                                         config::FactoryContext) const override {
    return std::make_shared<TestProvider>(names_, TestProvider::Known{{"192.0.2.1", {"AQ", "Ice Town"}},
                                                                      {"192.0.2.2", {"BV"}},
                                                                      {"2001:db8::1", {"HM"}},
                                                                      {"192.0.2.9", {"", "Two\r\nLines"}}});
  }

 private:
  const std::vector<std::string> names_;
};

struct World : filter::testing::FilterWorld<Proto> {
  explicit World(std::vector<std::string> names = {"X-Country", "x-city"})
      : FilterWorld(registerFactory, "http.p.geoip.") {
    registry.geoip_providers.add(std::make_unique<ProviderFactory>(std::move(names)));
  }

  auto compile(const std::string& fields = "") {
    return FilterWorld::compile(
        "{provider: {name: p, typed_config: {'@type': type.googleapis.com/google.protobuf.Empty}}" + fields + "}");
  }
};

// The head that the upstream gets of a client at that address.
Fields sent(const char* client, const Fields& fields = {}, const std::string& yaml = "") {
  World world;
  const auto factory = world.compile(yaml);
  INFO(world.problems());
  REQUIRE(factory);
  Harness h({factory});
  h.stream.info().downstream_remote_address = client;
  h.request("GET", fields, true);
  REQUIRE(h.terminal.complete);
  return h.terminal.headers;
}

TEST_CASE("a request gets what is known of its client") {
  CHECK(sent("192.0.2.1:80") == Fields{{"x-country", "AQ"}, {"x-city", "Ice Town"}});
  CHECK(sent("192.0.2.2:80") == Fields{{"x-country", "BV"}});
  CHECK(sent("[2001:db8::1]:80") == Fields{{"x-country", "HM"}});
  CHECK(sent("10.0.0.1:80") == Fields{});
  CHECK(sent("/run/client.sock") == Fields{});
}

TEST_CASE("what a client says of itself is taken off, whatever is known of it") {
  const Fields forged{{"x-country", "US"}, {"x-city", "a"}, {"x-city", "b"}, {"x-other", "1"}};
  CHECK(sent("192.0.2.2:80", forged) == Fields{{"x-other", "1"}, {"x-country", "BV"}});
  CHECK(sent("10.0.0.1:80", forged) == Fields{{"x-other", "1"}});
  CHECK(sent("/run/client.sock", forged) == Fields{{"x-other", "1"}});
}

TEST_CASE("trailers say nothing of it either") {
  World world;
  Harness h({world.compile()});
  h.stream.info().downstream_remote_address = "192.0.2.2:80";
  h.request("POST", {}, false);
  h.requestTrailers({{"x-city", "a"}, {"x-other", "1"}});
  CHECK(h.terminal.trailers == Fields{{"x-other", "1"}});
}

TEST_CASE("a value that cannot be one of a header is left out") {
  CHECK(sent("192.0.2.9:80") == Fields{});
}

TEST_CASE("the address may be the one that trusted proxies vouch for") {
  const auto hops = [](const std::string& list, int count) {
    const Fields all = sent("192.0.2.1:80", {{"x-forwarded-for", list}},
                            ", xff_config: {xff_num_trusted_hops: " + std::to_string(count) + "}");
    return all.size() > 1 ? all[1].second : "none";
  };
  CHECK(hops("192.0.2.2, 10.0.0.1", 0) == "AQ");  // the connection manager's
  CHECK(hops("192.0.2.2, 10.0.0.1", 1) == "BV");
  CHECK(hops("10.0.0.3, 2001:db8::1,192.0.2.2 , 10.0.0.1", 2) == "HM");
  CHECK(hops("10.0.0.3, 10.0.0.1", 1) == "none");
  CHECK(hops("192.0.2.2", 1) == "AQ");  // there are not as many
  CHECK(hops("nobody, 10.0.0.1", 1) == "AQ");
  CHECK(hops("192.0.2.2:80, 10.0.0.1", 1) == "AQ");
}

TEST_CASE("fields of x-forwarded-for are one list") {
  const Fields got = sent("192.0.2.1:80", {{"x-forwarded-for", "192.0.2.2"}, {"x-forwarded-for", "10.0.0.1"}},
                          ", xff_config: {xff_num_trusted_hops: 1}");
  CHECK(got.back() == std::pair<std::string, std::string>("x-country", "BV"));
}

TEST_CASE("the address may stand in a header, if one address stands there") {
  const auto countryOf = [](Fields fields) {
    const size_t before = fields.size();
    const Fields all = sent("192.0.2.1:80", fields, ", custom_header_config: {header_name: X-Client}");
    return all.size() > before ? all[before].second : "none";
  };
  CHECK(countryOf({{"x-client", " 192.0.2.2 "}}) == "BV");
  CHECK(countryOf({{"x-client", "10.0.0.1"}}) == "none");
  CHECK(countryOf({{"x-client", "somebody"}}) == "AQ");
  CHECK(countryOf({}) == "AQ");
  CHECK(countryOf({{"x-client", "192.0.2.2"}, {"x-client", "192.0.2.2"}}) == "AQ");
}

TEST_CASE("requests are counted, and those whose client has no IP address") {
  World world;
  const auto factory = world.compile();
  Harness known({factory}), local({factory});
  known.stream.info().downstream_remote_address = "192.0.2.1:80";
  known.request("GET", {}, true);
  CHECK(world.counted(known, "total") == 1);
  CHECK(world.counted(known, "skipped") == 0);
  local.stream.info().downstream_remote_address = "/run/client.sock";
  local.request("GET", {}, true);
  CHECK(world.counted(local, "total") == 1);
  CHECK(world.counted(local, "skipped") == 1);
}

TEST_CASE("what cannot work is refused") {
  const auto problems = [](const std::string& yaml, std::vector<std::string> names = {"x"}) {
    World world(std::move(names));
    CHECK(world.compile(yaml) == nullptr);
    return world.problems();
  };
  CHECK_THAT(problems(", xff_config: {}, custom_header_config: {header_name: x}"), Catch::Contains("has both"));
  CHECK_THAT(problems(", custom_header_config: {header_name: 'a b'}"), Catch::Contains("header_name: is no name"));
  CHECK_THAT(problems("", {"Host"}), Catch::Contains("provider: tells something as \"Host\""));
  CHECK_THAT(problems("", {"a:b"}), Catch::Contains("provider: tells something as \"a:b\""));
  World world;
  CHECK_FALSE(world.FilterWorld::compile("{provider: {name: p}}"));
  CHECK_THAT(world.problems(), Catch::Contains("provider.typed_config"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile();
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::geoip
