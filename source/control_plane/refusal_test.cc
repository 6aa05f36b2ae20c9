#include "source/control_plane/refusal.h"

#include <catch2/catch.hpp>

#include "source/control_plane/stream_client.h"

namespace sluice::control_plane {

TEST_CASE("A text about https says nothing about http, and about nothing that has the name in it") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  const std::string text = GENERATE(
      as<std::string>(), "envoy.config.cluster.v3.Cluster \"https\": http2_protocol_options: http is no protocol",
      "Error adding/updating cluster(s) https: invalid http", "https: bad", "the cluster https is bad");
  Client client(variant, snapshot({cluster("gone"), cluster("http"), cluster("https"), cluster("http-2")}));
  client.ask(kCluster);
  client.ask(kRoute, {"r"});
  client.settle();

  client.serve(snapshot({cluster("http", "2"), cluster("https", "2"), cluster("http-2", "2")}));
  client.nack(client.next().value(), text);
  client.serve(snapshot({cluster("http", "2"), cluster("https", "3"), cluster("http-2", "2")}));
  const auto responses = client.settle();

  REQUIRE(responses.size() == 2);
  if (variant == Variant::kDelta) {
    CHECK(namesOf(responses[0]) == Names{"https"});
    CHECK(responses[1].removed == Names{"gone"});
  } else {
    CHECK(namesOf(responses[1]) == Names{"http", "http-2", "https"});
  }
  CHECK(client.proxy.upToDate());
}

TEST_CASE("Names are found whole in what clients write") {
  const std::map<std::string, std::string> versions = {{"a", ""},   {"http", ""},  {"http:8080", ""},
                                                       {"web", ""}, {"web 2", ""}, {"outbound|80||svc", ""}};
  using Set = std::set<std::string>;
  const auto named = [&](std::string_view text) { return refusedNames(kCluster, versions, text); };

  CHECK(named("cluster_name: http:8080: INVALID_ARGUMENT") == Set{"http:8080"});
  CHECK(named("Error adding/updating cluster(s) outbound|80||svc: a bad web") == Set{"outbound|80||svc"});
  CHECK(named("refused web.") == Set{"web"});
  CHECK(named("refused web 2, http") == Set{"http", "web 2"});
  CHECK(named("envoy.config.cluster.v3.Cluster \"web\": a: b; envoy.config.cluster.v3.Cluster \"a\": c") ==
        Set{"a", "web"});
  CHECK(named("envoy.config.cluster.v3.Cluster \"web\": a...; and 7 more").size() == versions.size());
  CHECK(named("no name at all").size() == versions.size());
  CHECK(named("web: " + std::string(4091, 'x')).size() == versions.size());  // the rest may have been cut
}

TEST_CASE("A refusal of a version that was replaced ends with the next acknowledgement") {
  Client client(Variant::kDelta, snapshot({cluster("a"), cluster("gone"), cluster("b")}));
  client.ask(kCluster);
  client.ask(kRoute, {"r"});
  client.settle();
  client.serve(snapshot({cluster("a", "bad"), cluster("b")}));
  const Response bad = client.next().value();
  client.serve(snapshot({cluster("a", "good"), cluster("b", "2")}));
  const Response good = client.next().value();

  client.nack(bad, "a: bad");
  CHECK(client.stream.subscription(kCluster).refused());
  client.ack(good);

  CHECK(!client.stream.subscription(kCluster).refused());
  CHECK(client.next().value().removed == Names{"gone"});
}

}  // namespace sluice::control_plane
