// The table of xDS types, with a type of the test's own: what all types share is tested once, over both encodings.
#include "source/server/dynamic_config.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "google/protobuf/wrappers.pb.h"
#include "source/event/simulated_loop.h"
#include "source/xds/fakes.h"
#include "xds/core/v3/extension.pb.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

using envoy::config::core::v3::ConfigSource;
using xds::Request;
using xds::Variant;
using xds::testing::bare;
using xds::testing::FakeTransport;
using Names = std::vector<std::string>;

constexpr std::string_view kThingType = "type.googleapis.com/xds.core.v3.TypedExtensionConfig";

std::shared_ptr<const google::protobuf::Any> thing(const std::string& name, const std::string& content) {
  ::xds::core::v3::TypedExtensionConfig proto;
  proto.set_name(name);
  google::protobuf::StringValue value;
  value.set_value(content);
  if (!content.empty()) proto.mutable_typed_config()->PackFrom(value);
  auto any = std::make_shared<google::protobuf::Any>();
  any->PackFrom(proto);
  return any;
}

ConfigSource ads() {
  ConfigSource source;
  source.mutable_ads();
  source.set_resource_api_version(envoy::config::core::v3::V3);
  return source;
}

struct Bed {
  explicit Bed(Variant v) : variant(v) {}

  // Things are strings, and "bad" is none.
  DynamicType things() {
    return {.wire = {.url = kThingType, .name_in_body = true, .rank = 25},
            .noun = "thing",
            .take =
                [this](const DynamicResource& resource, const config::Context& context) {
                  const auto& proto = static_cast<const ::xds::core::v3::TypedExtensionConfig&>(resource.message);
                  google::protobuf::StringValue value;
                  proto.typed_config().UnpackTo(&value);
                  if (value.value() == "bad")
                    return context.child("typed_config").error("is bad; write something else");
                  held[resource.name] = value.value() + " " + resource.version;
                },
            .remove = [this](const ResourceKey& key) { held.erase(key.name); },
            .give_up = [this](const ResourceKey& key, xds::WaitEnd) { given_up.push_back(key.name); },
            .without = "nothing is done until then"};
  }
  DynamicType allThings() {
    DynamicType type = things();
    type.noun = "things";
    type.wire.complete_set = true;
    type.root = config::ResourceSource{};
    return type;
  }
  void start() {
    dynamic.start();
    wire->establish();
    loop.settle();
  }
  Request next() {
    loop.settle();
    return wire->next(variant);
  }
  // What the request asks for anew.
  Names asked(const Request& request) const { return variant == Variant::kSotw ? request.names : request.subscribe; }
  // Gives the answer.
  Request respond(const std::string& version, const std::vector<std::pair<std::string, std::string>>& content,
                  Names removed = {}, std::vector<xds::FailedResource> failed = {}) {
    std::vector<xds::Resource> resources;
    for (const auto& [name, text] : content) {
      resources.push_back(variant == Variant::kSotw ? bare(thing(name, text))
                                                    : xds::testing::named(name, version, thing(name, text)));
    }
    wire->sent.clear();
    xds::Response response =
        xds::testing::response(kThingType, version, "nonce " + version, std::move(resources), std::move(removed));
    response.failed = std::move(failed);
    wire->events->onMessage(xds::wireEncoder(variant).encode(response));
    const Request answer = next();
    CHECK(answer.response_nonce == "nonce " + version);
    return answer;
  }
  bool logged(const std::string& text) const {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }

  const Variant variant;
  event::SimulatedLoop loop;
  Options options;
  std::vector<std::string> lines;
  observability::Logger logger{observability::LogLevel::kInfo,
                               [this](std::string_view line) { lines.emplace_back(line); }};
  observability::StatsRegistry stats;
  std::map<std::string, std::string> held;  // content and version
  Names given_up;
  InitManager boot{loop, logger, "the start"};
  std::shared_ptr<FakeTransport::Record> wire = std::make_shared<FakeTransport::Record>();
  int news = 0;
  DynamicConfig dynamic{
      {.loop = loop,
       .options = options,
       .logger = logger,
       .stats = stats,
       .cells = stats.makeCells(),
       .make_transport = [this](const xds::GrpcSource&) { return std::make_unique<FakeTransport>(wire); },
       .seed = 1,
       .boot = &boot,
       .on_change = [this] { ++news; }},
      {},
      config::GrpcSource{.cluster = "server", .delta = variant == Variant::kDelta}};
};

TEST_CASE("a type that is added to the table is asked for by name, checked and applied") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  t.dynamic.add(t.things());
  t.start();
  t.dynamic.want(kThingType, ads(), "a");
  const Request first = t.next();
  CHECK(first.type_url == kThingType);
  CHECK(t.asked(first) == Names{"a"});

  CHECK_FALSE(t.respond("1", {{"a", "one"}, {"nobody's", "two"}}).error);
  CHECK(t.held == std::map<std::string, std::string>{{"a", "one 1"}});

  t.dynamic.unwant(kThingType, "ads", "a");
  const Request last = t.next();
  CHECK((t.variant == Variant::kSotw ? last.names.empty() : last.unsubscribe == Names{"a"}));
}

TEST_CASE("what its row refuses, and what the rules of its proto refuse, is told with name, path and reason") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  t.dynamic.add(t.things());
  t.start();
  for (const char* name : {"a", "b", "c"}) t.dynamic.want(kThingType, ads(), name);
  CHECK(t.asked(t.next()) == Names{"a", "b", "c"});
  t.respond("1", {{"a", "one"}, {"b", "two"}});
  const Request refused = t.respond("2", {{"a", "bad"}, {"b", "three"}, {"c", ""}});
  REQUIRE(refused.error);
  CHECK(refused.error->message.find("xds.core.v3.TypedExtensionConfig \"a\": typed_config: is bad; write something "
                                    "else") != std::string::npos);
  CHECK(refused.error->message.find("\"c\": typed_config: ") != std::string::npos);
  CHECK(refused.error->message.find("\"b\"") == std::string::npos);
  CHECK(t.held == std::map<std::string, std::string>{{"a", "one 1"}, {"b", "three 2"}});
  CHECK(t.logged("refused 'a': typed_config: is bad; write something else"));

  const size_t lines = t.lines.size();
  REQUIRE(t.respond("3", {{"a", "bad"}, {"b", "four"}, {"c", ""}}).error);
  CHECK(t.lines.size() == lines);  // nothing new to say
  CHECK_FALSE(t.respond("4", {{"a", "five"}, {"b", "four"}, {"c", "six"}}).error);
  CHECK(t.held.at("c") == "six 4");
}

TEST_CASE("an error of the control plane's is told once, and who waited goes on without") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  t.dynamic.add(t.things());
  t.start();
  t.dynamic.want(kThingType, ads(), "a");
  t.next();

  CHECK_FALSE(t.respond("1", {}, {}, {{"a", {7, "not yours"}}}).error);
  CHECK(t.given_up == Names{"a"});
  CHECK(t.logged("the control plane has an error of 'a': PERMISSION_DENIED: not yours"));
  const size_t lines = t.lines.size();
  t.respond("2", {}, {}, {{"a", {7, "not yours"}}});
  CHECK(t.lines.size() == lines);

  CHECK_FALSE(t.respond("3", {{"a", "one"}}).error);
  CHECK(t.held.at("a") == "one 3");
}

TEST_CASE("a type with a root is asked for as a whole, and what is gone is removed") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  t.dynamic.add(t.allThings());
  t.start();
  const Request first = t.next();
  CHECK(first.type_url == kThingType);
  CHECK(t.asked(first).empty());  // everything
  CHECK_FALSE(t.respond("1", {{"a", "one"}, {"b", "two"}}).error);
  CHECK(t.held.size() == 2);
  if (t.variant == Variant::kSotw) {
    t.respond("2", {{"b", "two"}});
  } else {
    t.respond("2", {}, {"a"});
  }
  CHECK(t.held == std::map<std::string, std::string>{{"b", "two 1"}});
}

TEST_CASE("whoever stores what is there is told of all but repetitions, of nothing at all, too") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  t.dynamic.add(t.allThings());
  t.start();
  t.respond("1", {});
  CHECK(t.news == 1);
  t.respond("2", {{"a", "one"}});
  CHECK(t.news == 2);
  t.respond("3", {{"a", "one"}});
  CHECK(t.news == 2);
}

TEST_CASE("a type may be asked for as a whole, and is told where responses begin and end") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  Names heard;
  DynamicType type = t.things();
  type.wire.complete_set = type.wire.removals_first = true;
  type.begin = [&](const xds::Update& update) { heard.push_back("begin " + std::to_string(update.changed.size())); };
  type.end = [&](std::string_view) { heard.push_back("end with " + std::to_string(t.held.size())); };
  t.dynamic.add(std::move(type));
  t.start();
  t.dynamic.want(kThingType, ads(), std::string(xds::kWildcard));
  const Request first = t.next();
  CHECK(first.type_url == kThingType);
  CHECK(t.asked(first).empty());  // everything
  SECTION("what comes") {
    t.respond("1", {{"a", "one"}, {"b", "two"}});
    t.variant == Variant::kSotw ? t.respond("2", {{"b", "two"}}) : t.respond("2", {}, {"a"});
    CHECK(heard == Names{"begin 2", "end with 2", "begin 0", "end with 1"});
    CHECK(t.given_up.empty());
  }
  SECTION("nothing in time") {
    t.loop.advance(15s);
    CHECK(heard.empty());
    CHECK(t.given_up == Names{"*"});
  }
}

TEST_CASE("the start waits for the first answer of a type with a root, whatever it is") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  t.dynamic.add(t.allThings());
  CHECK(t.boot.waits() == "things of the control plane");
  t.start();
  CHECK_FALSE(t.dynamic.answered(kThingType));
  SECTION("some") {
    t.respond("1", {{"a", "one"}, {"b", "bad"}});
    CHECK(t.dynamic.answered(kThingType));
  }
  SECTION("none") {
    t.respond("1", {});
    CHECK(t.dynamic.answered(kThingType));
  }
  SECTION("only bad ones") {
    t.respond("1", {{"b", "bad"}});
    CHECK_FALSE(t.dynamic.answered(kThingType));
  }
  SECTION("nothing in time") {
    t.loop.advance(14'999ms);
    CHECK_FALSE(t.boot.waits().empty());
    t.loop.advance(1ms);
    CHECK(t.logged("no things came in time; going on without"));
    CHECK_FALSE(t.dynamic.answered(kThingType));
  }
  CHECK(t.boot.waits().empty());
}

TEST_CASE("whoever waits for a name is told when the time for it is over, and the log says what follows") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  t.dynamic.add(t.things());
  t.start();
  t.dynamic.want(kThingType, ads(), "a");
  SECTION("the time is over") {
    t.loop.advance(15s);
    CHECK(t.logged("thing 'a' did not come in time; nothing is done until then"));
  }
  SECTION("it was refused") {
    t.next();
    t.respond("1", {{"a", "bad"}});
    CHECK(t.logged("thing 'a' did not come; nothing is done until then"));
  }
  CHECK(t.given_up == Names{"a"});
  CHECK(t.boot.waits().empty());
}

TEST_CASE("types share the aggregated stream in the order of their ranks, whenever they were added and asked for") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  const auto named = [&t](std::string_view url, int rank) {
    DynamicType type = t.things();
    type.wire.url = url;
    type.wire.rank = rank;
    return type;
  };
  t.dynamic.add(named(xds::kRouteType, 50));
  t.dynamic.add(t.things());
  t.dynamic.add(named(xds::kSecretType, 20));
  t.dynamic.want(xds::kRouteType, ads(), "r");
  t.dynamic.want(kThingType, ads(), "a");
  t.dynamic.want(xds::kSecretType, ads(), "s");
  t.start();
  CHECK(t.asked(t.next()) == Names{"s"});
  CHECK(t.asked(t.next()) == Names{"a"});
  CHECK(t.asked(t.next()) == Names{"r"});
}

TEST_CASE("a type that names others has their requests wait until its response is taken") {
  Bed t(GENERATE(Variant::kSotw, Variant::kDelta));
  DynamicType parents = t.allThings();
  parents.holds_back = xds::kSecretType;
  parents.take = [&t](const DynamicResource& resource, const config::Context&) {
    t.dynamic.want(xds::kSecretType, ads(), resource.name);
  };
  DynamicType children = t.things();
  children.wire.url = xds::kSecretType;
  t.dynamic.add(std::move(parents));
  t.dynamic.add(std::move(children));
  t.start();
  std::vector<std::pair<std::string, std::string>> many;
  Names names;
  for (int i = 0; i < 200; ++i) many.emplace_back(names.emplace_back("t" + std::to_string(1000 + i)), "one");
  CHECK_FALSE(t.respond("1", many).error);
  CHECK(t.asked(t.next()) == names);
}

}  // namespace
}  // namespace sluice::server
