#include "source/xds/wire.h"

#include <catch2/catch.hpp>

#include "source/xds/fakes.h"

namespace sluice::xds {
namespace {

using testing::bare;
using testing::clusterBody;
using testing::named;
using testing::response;

Request fullRequest() {
  Request request;
  request.type_url = std::string(kClusterType);
  envoy::config::core::v3::Node node;
  node.set_id("edge-1");
  request.node = std::make_shared<envoy::config::core::v3::Node>(node);
  request.response_nonce = "n7";
  request.error = ErrorDetail{13, "bad"};
  request.version = "v6";
  request.names = {"a", "b"};
  request.subscribe = {"c"};
  request.unsubscribe = {"d"};
  request.initial_versions = {{"a", "1"}};
  return request;
}

TEST_CASE("a state-of-the-world request keeps node, nonce, error, version and names over the wire") {
  const WireEncoder& encoder = wireEncoder(Variant::kSotw);

  const Request got = *encoder.decodeRequest(encoder.encode(fullRequest()));

  CHECK(got.type_url == kClusterType);
  CHECK(got.node->id() == "edge-1");
  CHECK(got.response_nonce == "n7");
  CHECK(got.error->message == "bad");
  CHECK(got.version == "v6");
  CHECK(got.names == std::vector<std::string>{"a", "b"});
  CHECK(got.subscribe.empty());
  CHECK(got.initial_versions.empty());
}

TEST_CASE("a delta request keeps the change of interest and the versions held") {
  const WireEncoder& encoder = wireEncoder(Variant::kDelta);

  const Request got = *encoder.decodeRequest(encoder.encode(fullRequest()));

  CHECK(got.node->id() == "edge-1");
  CHECK(got.error->code == 13);
  CHECK(got.subscribe == std::vector<std::string>{"c"});
  CHECK(got.unsubscribe == std::vector<std::string>{"d"});
  CHECK(got.initial_versions == std::map<std::string, std::string>{{"a", "1"}});
  CHECK(got.names.empty());
  CHECK(got.version.empty());
}

TEST_CASE("a request without node and error has neither after the wire") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    const Request got = *wireEncoder(variant).decodeRequest(wireEncoder(variant).encode(Request{}));
    CHECK(got.node == nullptr);
    CHECK_FALSE(got.error.has_value());
  }
}

TEST_CASE("a state-of-the-world response sends bare bodies and wraps those with a TTL") {
  Resource timed = named("b", "3", clusterBody("b", "x"));
  timed.ttl = std::chrono::milliseconds(1500);
  Response sent = response(kClusterType, "v1", "n1", {bare(clusterBody("a", "x")), timed});
  sent.control_plane = "cp";

  const auto message = toSotwMessage(sent);
  const Response got = fromMessage(message);

  CHECK(message.resources(0).type_url() == kClusterType);
  CHECK(message.resources(1).type_url() == "type.googleapis.com/envoy.service.discovery.v3.Resource");
  REQUIRE(got.resources.size() == 2);
  CHECK(got.resources[0].name.empty());
  CHECK(got.resources[1].name == "b");
  CHECK(got.resources[1].version == "3");
  CHECK(got.resources[1].ttl == std::chrono::milliseconds(1500));
  CHECK(got.resources[1].body->type_url() == kClusterType);
  CHECK(got.version == "v1");
  CHECK(got.nonce == "n1");
  CHECK(got.control_plane == "cp");
}

TEST_CASE("a delta response keeps names, versions, heartbeats and removals") {
  const WireEncoder& encoder = wireEncoder(Variant::kDelta);
  const Response sent =
      response(kClusterType, "sys", "n1", {named("a", "1", clusterBody("a", "x")), named("b", "2", nullptr)}, {"gone"});

  const Response got = *encoder.decodeResponse(encoder.encode(sent));

  REQUIRE(got.resources.size() == 2);
  CHECK(got.resources[0].name == "a");
  CHECK(got.resources[0].body->value() == clusterBody("a", "x")->value());
  CHECK(got.resources[1].body == nullptr);
  CHECK(got.removed == std::vector<std::string>{"gone"});
  CHECK(got.version == "sys");
}

TEST_CASE("errors of resources are kept over the wire in both variants") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Response sent = response(kClusterType, "v1", "n1", {});
    sent.failed = {{"a", {7, "not yours"}}, {"b", {5, ""}}};

    const Response got = *wireEncoder(variant).decodeResponse(wireEncoder(variant).encode(sent));

    REQUIRE(got.failed.size() == 2);
    CHECK(got.failed[0].name == "a");
    CHECK(got.failed[0].error.code == 7);
    CHECK(got.failed[0].error.message == "not yours");
    CHECK(got.failed[1].error.code == 5);
  }
}

TEST_CASE("names in the long form are names") {
  envoy::service::discovery::v3::DeltaDiscoveryResponse message;
  message.add_resources()->mutable_resource_name()->set_name("a");
  message.add_removed_resource_names()->set_name("b");
  message.add_resource_errors();

  const Response got = fromMessage(message);

  CHECK(got.resources[0].name == "a");
  CHECK(got.removed == std::vector<std::string>{"b"});
  REQUIRE(got.failed.size() == 1);
  CHECK(got.failed[0].name.empty());
  CHECK(got.failed[0].error.code == 0);
}

TEST_CASE("bytes that are no message are an error, not an empty message") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    CHECK_FALSE(wireEncoder(variant).decodeResponse("\xff\xff\xff").ok());
    CHECK_FALSE(wireEncoder(variant).decodeRequest("\xff\xff\xff").ok());
  }
}

TEST_CASE("a TTL beyond all measure is bounded") {
  envoy::service::discovery::v3::DeltaDiscoveryResponse message;
  message.add_resources()->mutable_ttl()->set_seconds(std::numeric_limits<int64_t>::max());
  message.add_resources()->mutable_ttl()->set_seconds(-5);

  const Response got = fromMessage(message);

  CHECK(got.resources[0].ttl < std::chrono::hours(24 * 366 * 100));
  CHECK(got.resources[1].ttl->count() == 0);
}

}  // namespace
}  // namespace sluice::xds
