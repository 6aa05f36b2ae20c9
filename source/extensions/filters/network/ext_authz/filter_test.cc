#include "source/extensions/filters/network/ext_authz/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/network/ext_authz/v3/ext_authz.pb.h"
#include "envoy/service/auth/v3/external_auth.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/network/ext_authz/factory.h"
#include "source/filter/test_mirror.h"
#include "source/filter/test_network.h"

namespace sluice::extensions::network_filters::ext_authz {
namespace {

namespace v3 = envoy::service::auth::v3;
using v3::CheckResponse;

struct Guarded : filter::TestNetwork {
  Guarded() {
    settings.service = {.cluster = "authz", .timeout = std::chrono::milliseconds(200)};
    settings.stats = {.total = registry.counter("total"),
                      .ok = registry.counter("ok"),
                      .denied = registry.counter("denied"),
                      .error = registry.counter("error"),
                      .disabled = registry.counter("disabled"),
                      .failure_mode_allowed = registry.counter("failure_mode_allowed"),
                      .cx_closed = registry.counter("cx_closed"),
                      .active = registry.gauge("active")};
  }
  // They outlive the connections.
  ~Guarded() { closeAll(); }

  filter::NetworkClient& come() {
    factory = std::make_shared<FilterFactory>(settings);
    filter::NetworkClient& client = connect(mirror, {factory});
    return client;
  }
  void answer(const CheckResponse& response) {
    REQUIRE(calls.grpc.size() == 1);
    calls.grpc[0]->message(response.SerializeAsString());
    end(0);
  }
  void end(int status) {
    calls.grpc[0]->end(status);
    for (int i = 0; i < 3; ++i) loop.turn();
  }

  Settings settings;
  filter::Heard heard;
  const filter::MirrorFilter mirror{heard};
  std::shared_ptr<FilterFactory> factory;
};

TEST_CASE("a connection is served once the service has said so") {
  Guarded t;
  t.come();
  CHECK(t.heard.admitted == 0);
  CHECK(t.stat("active") == 1);
  REQUIRE(t.calls.grpc.size() == 1);
  CHECK(t.calls.grpc[0]->request.cluster == "authz");
  CHECK(t.calls.grpc[0]->request.path == "/envoy.service.auth.v3.Authorization/Check");
  CHECK(t.calls.grpc[0]->request.timeout == std::chrono::milliseconds(200));
  v3::CheckRequest asked;
  REQUIRE(asked.ParseFromString(t.calls.grpc[0]->messages.at(0)));
  CHECK(asked.attributes().source().has_address());
  CHECK(asked.attributes().destination().has_address());
  CHECK_FALSE(asked.attributes().has_request());

  t.answer({});

  CHECK(t.heard.admitted == 1);
  CHECK(t.stat("ok") == 1);
  CHECK(t.stat("total") == 1);
  CHECK(t.stat("active") == 0);
  CHECK(t.stat("cx_closed") == 0);
}

TEST_CASE("a connection that the service refuses is closed") {
  Guarded t;
  t.come();
  CheckResponse denied;
  denied.mutable_status()->set_code(7);
  t.answer(denied);
  CHECK(t.heard.admitted == 0);
  CHECK(t.heard.details == "ext_authz_denied");
  CHECK(t.stat("denied") == 1);
  CHECK(t.stat("cx_closed") == 1);
  CHECK(t.list.empty());
}

TEST_CASE("a service that fails refuses, unless the configuration lets connections through then") {
  const bool allow = GENERATE(false, true);
  Guarded t;
  t.settings.failure_mode_allow = allow;
  t.come();
  SECTION("unavailable") {
    t.end(14);
  }
  SECTION("as it says itself") {
    CheckResponse answer;
    answer.mutable_status()->set_code(13);
    answer.mutable_error_response();
    t.answer(answer);
  }
  CHECK(t.heard.admitted == (allow ? 1 : 0));
  CHECK(t.stat("error") == 1);
  CHECK(t.stat("failure_mode_allowed") == (allow ? 1 : 0));
  CHECK(t.stat("cx_closed") == (allow ? 0 : 1));
  if (!allow) CHECK(t.heard.details == "ext_authz_error");
}

TEST_CASE("what cannot be read is no permission, and no failure that is allowed") {
  Guarded t;
  t.settings.failure_mode_allow = true;
  t.come();
  REQUIRE(t.calls.grpc.size() == 1);
  SECTION("no protobuf") {
    t.calls.grpc[0]->message("\xff");
    t.end(0);
  }
  SECTION("no answer") {
    t.end(0);
  }
  SECTION("a refusal under the status OK") {
    CheckResponse answer;
    answer.mutable_denied_response();
    t.answer(answer);
  }
  CHECK(t.heard.admitted == 0);
  CHECK(t.heard.details == "ext_authz_error");
  CHECK(t.stat("failure_mode_allowed") == 0);
}

TEST_CASE("only connections are asked about for which filters left what is looked for") {
  match::MetadataMatcher matcher;
  matcher.filter = "rules";
  matcher.path = {"ask"};
  matcher.value.kind = match::MetadataValueMatcher::Kind::kPresent;
  Guarded t;
  t.settings.enabled = matcher;
  t.come();
  CHECK(t.calls.grpc.empty());
  CHECK(t.heard.admitted == 1);
  CHECK(t.stat("disabled") == 1);
  CHECK(t.stat("total") == 0);
}

TEST_CASE("a client that leaves while the service thinks is no question any more") {
  Guarded t;
  t.come();
  CHECK(t.stat("active") == 1);
  t.closeAll();
  CHECK(t.stat("active") == 0);
  CHECK(t.calls.grpc.empty());
}

// Whatever waits in front of it.
struct LeftBehind : filter::NetworkFilterFactory {
  filter::NetworkResult admit(filter::NetworkStream& stream) const override {
    stream::madeIn(stream.facts().state).metadata.set("rules", "tenant", {std::string("red")});
    return filter::Next{};
  }
};

// Whatever follows.
struct Looks : filter::NetworkFilterFactory {
  explicit Looks(std::string& seen) : seen(seen) {}
  filter::NetworkResult admit(filter::NetworkStream& stream) const override {
    const auto* who = stream.facts().state
                          ? stream.facts().state->metadata.find("envoy.filters.network.ext_authz", {"who"})
                          : nullptr;
    if (who != nullptr) seen = std::get<std::string>(who->value);
    return filter::Next{};
  }
  std::string& seen;
};

TEST_CASE("metadata goes to the service by namespace, and what it answers goes to what follows") {
  Guarded t;
  t.settings.told.namespaces = {"rules"};
  std::string seen;
  const auto factory = std::make_shared<FilterFactory>(t.settings);
  t.connect(t.mirror, {std::make_shared<LeftBehind>(), factory, std::make_shared<Looks>(seen)});
  REQUIRE(t.calls.grpc.size() == 1);
  v3::CheckRequest asked;
  REQUIRE(asked.ParseFromString(t.calls.grpc[0]->messages.at(0)));
  const auto& told = asked.attributes().metadata_context().filter_metadata();
  CHECK(told.at("rules").fields().at("tenant").string_value() == "red");

  CheckResponse ok;
  (*ok.mutable_dynamic_metadata()->mutable_fields())["who"].set_string_value("ada");
  t.answer(ok);

  CHECK(seen == "ada");
  t.closeAll();
}

TEST_CASE("it passes the interleaving suite") {
  const bool allow = GENERATE(false, true);
  filter::Heard heard;
  const filter::MirrorFilter mirror(heard);
  filter::testing::NetworkSuite suite;
  Settings settings;
  settings.service = {.cluster = "authz"};
  settings.failure_mode_allow = allow;
  suite.filters = [&] { return filter::NetworkFilters{std::make_shared<FilterFactory>(settings)}; };
  suite.bed = [&](filter::Calls& calls) { return std::make_unique<filter::TerminalBed>(calls, mirror); };
  suite.request = suite.reply = "abcde";

  CHECK(runNetworkInterleavings(suite) == "");
}

std::string problems(const std::string& fields) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::filters::network::ext_authz::v3::ExtAuthz proto;
  world.load("{" + fields + "}", proto);
  const auto* factory = world.registry.connection_filters.find(proto.GetDescriptor()->full_name());
  factory->compile(proto, world.context(""));
  return world.problems();
}

TEST_CASE("configurations that cannot be are refused") {
  using Catch::Contains;
  const std::string service = "stat_prefix: a, grpc_service: {envoy_grpc: {cluster_name: authz}}";
  CHECK(problems(service) == "");
  CHECK_THAT(problems("stat_prefix: a"), Contains("has no grpc_service"));
  CHECK_THAT(problems("grpc_service: {envoy_grpc: {cluster_name: authz}}"), Contains("stat_prefix"));
  CHECK_THAT(problems(service + ", transport_api_version: V2"), Contains("V2 is gone"));
  CHECK_THAT(problems(service + ", send_tls_alert_on_denial: true"), Contains("send_tls_alert_on_denial"));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::ext_authz
