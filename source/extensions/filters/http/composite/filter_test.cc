#include "source/extensions/filters/http/composite/filter.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/common/matching/v3/extension_matcher.pb.h"
#include "envoy/extensions/filters/http/composite/v3/composite.pb.h"
#include "envoy/type/matcher/v3/http_inputs.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/match_input_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/composite/factory.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::composite {
namespace {

namespace v3 = envoy::extensions::filters::http::composite::v3;
using envoy::extensions::common::matching::v3::ExtensionWithMatcher;
using envoy::extensions::common::matching::v3::ExtensionWithMatcherPerRoute;
using filter::testing::Fields;
using filter::testing::Harness;

// The path, in place of the extension that a matcher finds elsewhere.
class PathInput final : public match::Input {
 public:
  uint8_t needs() const override { return match::kRequest; }
  match::Value get(const match::Data& data, match::Scratch&) const override { return {.text = data.request->path}; }
};
using PathFactory = config::PlainInputFactory<envoy::type::matcher::v3::HttpRequestHeaderMatchInput, PathInput>;

// A filter with a name: it notes it on both heads, and "collect" waits for the whole body.
struct Named {
  std::string name;
  int* alive;
};

class NamedFilter final : public filter::HttpFilter {
 public:
  explicit NamedFilter(const Named& settings) : settings_(settings) { ++*settings_.alive; }
  ~NamedFilter() override { --*settings_.alive; }
  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context&) override {
    headers.add("x-inner", settings_.name);
    if (settings_.name == "collect") return filter::Collect{100};
    return filter::Next{};
  }
  filter::HookResult onRequestBody(filter::Body& body, filter::Context&) override {
    body.replace("<" + std::string(body.bytes()) + ">");
    return filter::Next{};
  }
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context&) override {
    headers.add("x-inner", settings_.name);
    return filter::Next{};
  }

 private:
  const Named& settings_;
};

class NamedFactory final : public config::HttpFilterConfigFactory {
 public:
  explicit NamedFactory(int& alive) : alive_(alive) {}
  std::string_view configType() const override {
    return envoy::config::core::v3::KeyValuePair::descriptor()->full_name();
  }
  FactoryPtr compile(const google::protobuf::Message& message, config::FactoryContext) const override {
    const auto& proto = static_cast<const envoy::config::core::v3::KeyValuePair&>(message);
    return std::make_shared<filter::Factory<NamedFilter, Named>>(Named{proto.key(), &alive_});
  }

 private:
  int& alive_;
};

struct World : config::testing::TestWorld {
  World() {
    registerFactory(registry);
    registry.http_filters.add(std::make_unique<NamedFactory>(alive));
    registry.match_inputs.add(std::make_unique<PathFactory>());
  }
  template <typename Proto>
  FactoryPtr compile(const std::string& yaml) {
    Proto proto;
    const auto* factory = registry.http_filters.find(Proto::descriptor()->full_name());
    return load(yaml, proto) ? factory->compile(proto, holding.context(at, "http.p.")) : nullptr;
  }
  template <typename Filter, typename Proto>
  std::shared_ptr<const route::PerFilterConfig> compileRoute(const std::string& yaml) {
    Proto proto;
    const auto* factory = registry.http_filters.find(Filter::descriptor()->full_name());
    return load(yaml, proto) ? factory->compileRoute(proto, holding.context(at, "http.p.")) : nullptr;
  }
  int delegated(Harness& harness) {
    return harness.counted(holding.stats().counter("http.p.composite.filter_delegation_success"));
  }

  int alive = 0;                      // filters that are chosen
  config::Holding holding{services};  // of the counters
};

const std::string kType = "'@type': type.googleapis.com/";

std::string named(const std::string& name) {
  return "{name: f, typed_config: {" + kType + "envoy.config.core.v3.KeyValuePair, key: " + name + "}}";
}

std::string execute(const std::string& name, const std::string& more = "") {
  return "{" + kType + "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction, typed_config: " + named(name) +
         more + "}";
}

const std::string kSkip = "{" + kType + "envoy.extensions.filters.common.matcher.action.v3.SkipFilter}";

// Leads from these paths to these actions.
std::string tree(const std::vector<std::pair<std::string, std::string>>& actions) {
  std::string out = "{matcher_tree: {input: {name: i, typed_config: {" + kType +
                    "envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x}}, exact_match_map: {map: {";
  for (const auto& [path, action] : actions) {
    out += "'" + path + "': {action: {name: a, typed_config: " + action + "}}, ";
  }
  return out + "}}}}";
}

// Which filter a request for the path went through, both ways.
std::string through(Harness& h, const std::string& path) {
  h.stream.request().path = h.stream.arena().copy(path);
  h.request("GET", {}, true);
  h.respond(200, {}, true);
  CHECK(h.terminal.headers == h.client.headers);
  return h.terminal.headers.empty() ? "" : h.terminal.headers[0].second;
}

std::string through(const FactoryPtr& factory, const std::string& path,
                    std::shared_ptr<const route::PerFilterConfig> route = nullptr) {
  Harness h({factory}, {std::move(route)});
  return through(h, path);
}

TEST_CASE("a request goes through the filter that is chosen for it, or through none") {
  World world;
  const auto factory =
      world.compile<v3::Composite>("matcher: " + tree({{"/a", execute("one")}, {"/b", execute("two")}}));
  INFO(world.problems());
  REQUIRE(factory);

  CHECK(through(factory, "/a") == "one");
  CHECK(through(factory, "/b") == "two");
  CHECK(through(factory, "/c") == "");
  CHECK(world.alive == 0);
  Harness h({factory});
  through(h, "/a");
  CHECK(world.delegated(h) == 1);
}

TEST_CASE("the filter that is chosen may wait for the body") {
  World world;
  const auto factory = world.compile<v3::Composite>("matcher: " + tree({{"/", execute("collect")}}));
  REQUIRE(factory);
  Harness h({factory});

  h.request("POST", {}, false);
  CHECK(h.terminal.heads == 0);
  h.runner->requestData("ab", false);
  h.runner->requestData("c", true);

  CHECK(h.terminal.body == "<abc>");
}

TEST_CASE("an answer of a filter in front goes through the filter that the request is for") {
  World world;
  const auto factory = world.compile<v3::Composite>("matcher: " + tree({{"/", execute("one")}}));
  filter::testing::Script refuse{.request_headers = [](http::RequestHeaders&, filter::Context&) -> filter::HookResult {
    return filter::Reply{403, "no", "no"};
  }};
  Harness h({filter::testing::scripted(refuse), factory});

  h.request("GET", {}, true);

  CHECK(std::count(h.client.headers.begin(), h.client.headers.end(), Fields::value_type("x-inner", "one")) == 1);
}

TEST_CASE("a share of the requests goes through the filter, the others through none") {
  World world;
  const auto factory = world.compile<v3::Composite>(
      "matcher: " + tree({{"/a", execute("one", ", sample_percent: {default_value: {numerator: 30}}")}}));
  INFO(world.problems());
  REQUIRE(factory);
  const auto with = [&](uint64_t random) {
    Harness h({factory});
    h.stream.next_random = random;
    return through(h, "/a");
  };

  CHECK(with(29) == "one");
  CHECK(with(30) == "");
}

TEST_CASE("a filter is passed by what its matcher says") {
  World world;
  const auto factory = world.compile<ExtensionWithMatcher>("extension_config: " + named("one") +
                                                           "\nxds_matcher: " + tree({{"/skip", kSkip}}));
  INFO(world.problems());
  REQUIRE(factory);

  CHECK(through(factory, "/a") == "one");
  CHECK(through(factory, "/skip") == "");
  CHECK(world.alive == 0);
}

TEST_CASE("a composite filter may have its matcher around it") {
  World world;
  const auto factory = world.compile<ExtensionWithMatcher>("extension_config: {name: c, typed_config: {" + kType +
                                                           "envoy.extensions.filters.http.composite.v3.Composite}}\n" +
                                                           "xds_matcher: " + tree({{"/a", execute("one")}}));
  INFO(world.problems());
  REQUIRE(factory);

  CHECK(through(factory, "/a") == "one");
  CHECK(through(factory, "/b") == "");
}

TEST_CASE("the filter that is chosen may be configured later") {
  World world;
  const std::string later =
      "{" + kType +
      "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction, dynamic_config: {name: late, "
      "config_discovery: {config_source: {ads: {}}, type_urls: [envoy.config.core.v3.KeyValuePair], "
      "default_config: {" +
      kType + "envoy.config.core.v3.KeyValuePair, key: default}}}}";
  const auto factory = world.compile<v3::Composite>("matcher: " + tree({{"/a", later}}));
  INFO(world.problems());
  REQUIRE(factory);

  CHECK(through(factory, "/a") == "default");
  CHECK(world.alive == 0);
}

TEST_CASE("a route has a matcher of its own") {
  World world;
  const auto composite = world.compile<v3::Composite>("{}");
  const auto delegate = world.compile<ExtensionWithMatcher>("extension_config: " + named("one") +
                                                            "\nxds_matcher: " + tree({{"/skip", kSkip}}));
  const auto executes =
      world.compileRoute<v3::Composite, v3::CompositePerRoute>("matcher: " + tree({{"/a", execute("two")}}));
  const auto skips =
      world.compileRoute<ExtensionWithMatcher, ExtensionWithMatcherPerRoute>("xds_matcher: " + tree({{"/a", kSkip}}));
  INFO(world.problems());
  REQUIRE((composite && delegate && executes && skips));

  CHECK(through(composite, "/a") == "");
  CHECK(through(composite, "/a", executes) == "two");
  CHECK(through(delegate, "/a", skips) == "");
  CHECK(through(delegate, "/skip", skips) == "one");
}

TEST_CASE("what cannot be chosen is refused") {
  const auto composite = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.compile<v3::Composite>(yaml));
    return world.problems();
  };
  const auto delegate = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.compile<ExtensionWithMatcher>(yaml));
    return world.problems();
  };
  const std::string nothing = "{" + kType + "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction}";
  const std::string other = "{" + kType + "envoy.config.core.v3.KeyValuePair, key: k}";

  CHECK_THAT(composite("matcher: " + tree({{"/", nothing}})),
             Catch::Contains("needs one of typed_config and dynamic_config"));
  CHECK_THAT(composite("matcher: " + tree({{"/", other}})), Catch::Contains("here it has to be"));
  CHECK_THAT(delegate("extension_config: " + named("one")), Catch::Contains("xds_matcher: is missing"));
  CHECK_THAT(delegate("xds_matcher: " + tree({{"/", kSkip}})), Catch::Contains("extension_config"));
  CHECK_THAT(delegate("extension_config: " + named("one") + "\nxds_matcher: " + tree({{"/", execute("two")}})),
             Catch::Contains("SkipFilter"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] {
    return std::vector{world.compile<v3::Composite>("matcher: " + tree({{"/", execute("collect")}}))};
  };
  suite.request_due = [](std::string_view body) { return "<" + std::string(body) + ">"; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
  CHECK(world.alive == 0);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::composite
