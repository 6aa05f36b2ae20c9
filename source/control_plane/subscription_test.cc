#include "source/control_plane/subscription.h"

#include <catch2/catch.hpp>

#include "source/control_plane/stream_client.h"

namespace sluice::control_plane {

TEST_CASE("A secret goes out while clusters wait for it, and is removed after all that may name it") {
  Client client(Variant::kDelta, snapshot({cluster("a"), resource(kSecret, "cert")}));
  client.ask(kCluster);
  const auto clusters = client.next();
  client.ask(kSecret, {"cert"});

  const auto secret = client.next();  // the clusters are not acknowledged
  REQUIRE(secret);
  CHECK(namesOf(*secret) == Names{"cert"});
  client.ack(*clusters);
  client.serve(snapshot({}));
  const auto first = client.next();
  REQUIRE(first);
  CHECK(first->removed == Names{"a"});
  client.ack(*first);
  const auto second = client.next();

  REQUIRE(second);
  CHECK(second->type == kSecret);
  CHECK(second->removed == Names{"cert"});
}

TEST_CASE("A wildcard request is answered with every resource of the type") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("a"), cluster("b"), route("r")}));

  client.ask(kCluster);
  const auto response = client.next();

  REQUIRE(response);
  CHECK(namesOf(*response) == Names{"a", "b"});
  CHECK(response->version == client.proxy.snapshot()->version(kCluster));
  CHECK(!response->nonce.empty());
  CHECK(!client.next());
}

TEST_CASE("Nothing is answered before there is a snapshot") {
  Client client(Variant::kDelta);

  client.ask(kCluster);

  CHECK(!client.next());
  client.serve(snapshot({}));
  CHECK(client.next());
}

TEST_CASE("An empty wildcard is answered, so that nobody waits for a time limit") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({}));

  client.ask(kListener);
  const auto response = client.next();

  REQUIRE(response);
  CHECK(response->resources.empty());
  CHECK(response->removed.empty());
}

TEST_CASE("A state-of-the-world client goes through the wildcard sequence of the protocol") {
  Client client(Variant::kStateOfTheWorld, snapshot({cluster("a"), cluster("b")}));

  client.ask(kCluster);
  auto response = client.next();
  CHECK(namesOf(response.value()) == Names{"a", "b"});

  client.ack(*response, {"*", "a"});
  CHECK(namesOf(client.next().value()) == Names{"a", "b"});

  client.ask(kCluster, {"a"}, "2");
  CHECK(!client.next());
  client.serve(snapshot({cluster("a", "2"), cluster("b", "2")}));
  CHECK(namesOf(client.next().value()) == Names{"a"});

  client.ask(kCluster, {}, "3");
  client.serve(snapshot({cluster("a", "3")}));
  CHECK(!client.next());
}

TEST_CASE("A delta client goes through the wildcard sequence of the protocol") {
  Client client(Variant::kDelta, snapshot({cluster("a"), cluster("b")}));

  client.ask(kCluster);
  CHECK(namesOf(client.next().value()) == Names{"a", "b"});

  client.ask(kCluster, {"a"});
  CHECK(namesOf(client.next().value()) == Names{"a"});

  client.unsubscribe(kCluster, {"*"});
  client.serve(snapshot({cluster("a", "2"), cluster("b", "2")}));
  CHECK(namesOf(client.next().value()) == Names{"a"});

  client.unsubscribe(kCluster, {"a"});
  client.serve(snapshot({cluster("a", "3")}));
  CHECK(!client.next());
}

TEST_CASE("A delta client that unsubscribes a name beside a wildcard is told what holds now") {
  Client client(Variant::kDelta, snapshot({listener("plain"), apiListener("api")}));
  client.ask(kListener);
  client.ask(kListener, {"plain", "api"});
  client.settle();

  client.unsubscribe(kListener, {"plain", "api"});
  const auto response = client.next();

  REQUIRE(response);
  CHECK(namesOf(*response) == Names{"plain"});
  CHECK(response->removed == Names{"api"});
}

TEST_CASE("API listeners are given by name and left out of a wildcard") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client everything(variant, snapshot({listener("plain"), apiListener("api")}));
  Client one(variant, snapshot({listener("plain"), apiListener("api")}));

  everything.ask(kListener);
  one.ask(kListener, {"api"});

  CHECK(namesOf(everything.next().value()) == Names{"plain"});
  CHECK(namesOf(one.next().value()) == Names{"api"});
}

TEST_CASE("Endpoints and routes have no wildcard") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({endpoints("a"), route("r")}));

  client.ask(kEndpoints);
  client.ask(kRoute);

  CHECK(!client.next());
}

TEST_CASE("A stale nonce changes nothing in state of the world") {
  Client client(Variant::kStateOfTheWorld, snapshot({cluster("a")}));
  client.ask(kCluster);
  const Response old = client.next().value();
  client.serve(snapshot({cluster("a", "2")}));
  const Response newer = client.next().value();

  client.ack(old);
  CHECK(!client.stream.subscription(kCluster).settled());

  client.nack(old, "bad");
  CHECK(!client.stream.subscription(kCluster).refused());

  client.ack(newer);
  CHECK(client.stream.subscription(kCluster).settled());
  CHECK(client.stream.subscription(kCluster).versionAcknowledged() == newer.version);
}

TEST_CASE("A request with a stale nonce does not change the interest in state of the world") {
  Client client(Variant::kStateOfTheWorld, snapshot({endpoints("a"), endpoints("b")}));
  client.ask(kEndpoints, {"a"});
  const Response old = client.next().value();
  client.serve(snapshot({endpoints("a", "2"), endpoints("b")}));
  client.next();

  client.ack(old, {"b"});

  CHECK(client.stream.subscription(kEndpoints).names().contains("a"));
  CHECK(!client.next());
}

TEST_CASE("A stale nonce does not hide a change of interest in delta") {
  Client client(Variant::kDelta, snapshot({endpoints("a"), endpoints("b")}));
  client.ask(kEndpoints, {"a"});
  client.next();

  client.stream.onRequest({.type = kEndpoints, .nonce = "17", .subscribe = {"b"}}, client.now);

  CHECK(namesOf(client.next().value()) == Names{"b"});
}

TEST_CASE("A refused version is not sent again, and the next change is") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("a")}));
  client.ask(kCluster);
  client.nack(client.next().value(), "a: no endpoints");

  CHECK(!client.next());
  CHECK(client.stream.subscription(kCluster).lastError() == "a: no endpoints");
  CHECK(!client.proxy.upToDate());

  client.serve(snapshot({cluster("a", "2")}));
  client.ack(client.next().value());
  CHECK(client.proxy.upToDate());
  CHECK(!client.stream.subscription(kCluster).lastError());
}

TEST_CASE("One changed cluster of a thousand is one resource in delta") {
  std::vector<ResourcePtr> clusters;
  for (int i = 0; i < 1000; ++i) clusters.push_back(cluster("c" + std::to_string(i)));
  Client client(Variant::kDelta, snapshot(clusters));
  client.ask(kCluster);
  client.settle();

  clusters[500] = cluster("c500", "2");
  client.serve(snapshot(clusters));
  const auto responses = client.settle();

  REQUIRE(responses.size() == 1);
  CHECK(namesOf(responses[0]) == Names{"c500"});
  CHECK(responses[0].removed.empty());
}

TEST_CASE("A watch that could not write gets the newest version only") {
  Client client(Variant::kDelta, snapshot({cluster("a", "1")}));
  client.ask(kCluster);
  client.settle();

  for (int i = 2; i < 100; ++i) client.serve(snapshot({cluster("a", std::to_string(i))}));
  const auto responses = client.settle();

  REQUIRE(responses.size() == 1);
  CHECK(responses[0].resources[0]->bytes == "a99");
}

TEST_CASE("An equal snapshot is not sent") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("a")}));
  client.ask(kCluster);
  client.settle();

  client.serve(snapshot({cluster("a")}));

  CHECK(!client.next());
}

TEST_CASE("A re-made delta stream gets only what differs from what it holds") {
  const SnapshotPtr now = snapshot({cluster("same"), cluster("changed", "2")});
  Client client(Variant::kDelta, now);

  client.stream.onRequest(
      {.type = kCluster,
       .initial_versions = {{"same", now->find(kCluster, "same")->version}, {"changed", "old"}, {"gone", "old"}}},
      client.now);
  const Response first = client.next().value();
  CHECK(namesOf(first) == Names{"changed"});
  CHECK(first.removed == Names{"gone"});
}

TEST_CASE("A delta subscription to a name that does not exist is told so, and gets it when it appears") {
  Client client(Variant::kDelta, snapshot({}));

  client.ask(kRoute, {"r"});
  CHECK(client.next().value().removed == Names{"r"});

  client.serve(snapshot({route("r")}));
  CHECK(namesOf(client.next().value()) == Names{"r"});
}

TEST_CASE("Subscribing again is answered again in delta") {
  Client client(Variant::kDelta, snapshot({endpoints("a")}));
  client.ask(kEndpoints, {"a"});
  client.settle();

  client.ask(kEndpoints, {"a"});

  CHECK(namesOf(client.next().value()) == Names{"a"});
}

TEST_CASE("The same list of endpoints asked for again is answered again, an ACK is not") {
  Client client(Variant::kStateOfTheWorld, snapshot({endpoints("a")}));
  client.ask(kEndpoints, {"a"});
  const Response response = client.next().value();
  client.ack(response, {"a"});
  CHECK(!client.next());

  client.ask(kEndpoints, {"a"}, response.nonce);

  CHECK(namesOf(client.next().value()) == Names{"a"});
}

TEST_CASE("State of the world sends only the endpoints that changed or are new to the list") {
  Client client(Variant::kStateOfTheWorld, snapshot({endpoints("a"), endpoints("b"), endpoints("c")}));
  client.ask(kEndpoints, {"a", "b"});
  const Response first = client.next().value();
  CHECK(namesOf(first) == Names{"a", "b"});

  client.ack(first, {"a", "b", "c"});
  CHECK(namesOf(client.next().value()) == Names{"c"});

  client.serve(snapshot({endpoints("a"), endpoints("b", "2"), endpoints("c")}));
  CHECK(namesOf(client.next().value()) == Names{"b"});
}

TEST_CASE("Versions are the same whatever the order in which a snapshot was put together") {
  const SnapshotPtr one = snapshot({cluster("a"), cluster("b"), route("r")});
  const SnapshotPtr other = snapshot({route("r"), cluster("b"), cluster("a")});

  CHECK(one->version() == other->version());
  CHECK(one->version(kCluster) == other->version(kCluster));
  CHECK(one->version() != snapshot({cluster("a"), cluster("b", "2"), route("r")})->version());
}

TEST_CASE("Versions do not change between builds and machines") {
  CHECK(cluster("a")->version == "c97248ab1c4b8d98");
}

}  // namespace sluice::control_plane
