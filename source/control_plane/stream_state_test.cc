#include "source/control_plane/stream_state.h"

#include <catch2/catch.hpp>

#include "source/control_plane/stream_client.h"

namespace sluice::control_plane {

TEST_CASE("Listeners and routes wait for the acknowledgement of clusters, endpoints do not") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("a"), endpoints("a"), listener("l"), route("r")}));
  client.ask(kListener);
  client.settle();
  client.ask(kCluster);
  client.ask(kRoute, {"r"});
  client.ask(kEndpoints, {"a"});

  const Response clusters = client.next().value();
  CHECK(clusters.type == kCluster);
  const Response assignments = client.next().value();
  CHECK(assignments.type == kEndpoints);
  client.ack(assignments, {"a"});
  CHECK(!client.next());

  client.ack(clusters);
  CHECK(client.next().value().type == kRoute);
}

TEST_CASE("Routes wait until the endpoints and secrets of a new cluster are acknowledged") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  const ResourceType needed = GENERATE(kEndpoints, kSecret);
  Client client(variant, snapshot({needing("old", needed), resource(needed, "old"), route("r")}));
  client.ask(kCluster);
  client.settle();
  client.ask(needed, {"old"});
  client.settle({{needed, {"old"}}});
  client.ask(kRoute, {"r"});
  client.settle({{kRoute, {"r"}}});

  client.serve(snapshot({needing("new", needed), resource(needed, "new"), route("r", "2")}));
  client.ack(client.next().value());
  CHECK(!client.next());  // the acknowledgement overtook the question
  client.ask(needed, {"old", "new"}, variant == Variant::kDelta ? "" : "1");
  const Response needs = client.next().value();
  CHECK(namesOf(needs) == Names{"new"});
  CHECK(!client.next());
  client.now += kTimeToAsk;
  CHECK(!client.next());
  client.ack(needs, {"old", "new"});

  const Response routes = client.next().value();
  CHECK(routes.type == kRoute);
  CHECK(!client.next());
  client.ack(routes, {"r"});
  const Response removal = client.next().value();
  CHECK(removal.type == kCluster);
}

TEST_CASE("Old clusters stay until a listener that goes to another route table has it") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  const auto front = [](const std::string& table) {
    return makeResource({.type = kListener, .name = "front", .bytes = table, .needs = {{kRoute, table}}});
  };
  Client client(variant, snapshot({cluster("old"), front("r1"), route("r1")}));
  client.ask(kCluster);
  client.settle();
  client.ask(kListener);
  client.settle();
  client.ask(kRoute, {"r1"});
  client.settle({{kRoute, {"r1"}}});

  client.serve(snapshot({cluster("new"), front("r2"), route("r2")}));
  client.ack(client.next().value());
  const Response listeners = client.next().value();
  CHECK(listeners.type == kListener);
  client.ack(listeners);
  CHECK(!client.next());
  CHECK(client.proxy.deadline(client.now) == client.now + kTimeToAsk);
  client.ask(kRoute, {"r1", "r2"}, variant == Variant::kDelta ? "" : "1");
  const Response routes = client.next().value();
  CHECK(namesOf(routes) == Names{"r2"});
  CHECK(!client.next());
  client.ack(routes, {"r1", "r2"});

  const auto removals = client.settle();
  REQUIRE(!removals.empty());
  CHECK(removals.back().type == kCluster);
}

TEST_CASE("Routes do not wait for endpoints that a client does not ask for") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("old"), route("r")}));
  client.ask(kCluster);
  client.ask(kRoute, {"r"});
  client.settle({{kRoute, {"r"}}});

  client.serve(snapshot({needing("new", kEndpoints), endpoints("new"), route("r", "2")}));
  client.ack(client.next().value());
  CHECK(!client.next());
  CHECK(client.proxy.deadline(client.now) == client.now + kTimeToAsk);

  client.now += kTimeToAsk;
  CHECK(client.next().value().type == kRoute);
}

TEST_CASE("Routes wait for no endpoints that were there before") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({needing("a", kEndpoints), endpoints("a"), route("r")}));
  client.ask(kCluster);
  client.settle();
  client.ask(kEndpoints, {"a"});
  client.ask(kRoute, {"r"});
  client.settle({{kEndpoints, {"a"}}, {kRoute, {"r"}}});

  client.serve(snapshot({needing("a", kEndpoints), endpoints("a", "2"), route("r", "2")}));

  CHECK(client.next().value().type == kEndpoints);
  CHECK(client.next().value().type == kRoute);
}

TEST_CASE("Routes wait for endpoints no longer than fifteen seconds, and no longer than until they are refused") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  const bool refused = GENERATE(false, true);
  Client client(variant, snapshot({endpoints("new"), route("r")}));
  client.ask(kEndpoints, {"new"});
  client.ask(kRoute, {"r"});
  const Response assignment = client.next().value();
  CHECK(!client.next());
  CHECK(client.proxy.deadline(client.now) == client.now + kSilenceLimit);

  if (refused) {
    client.nack(assignment, "new: bad", {"new"});
  } else {
    client.now += kSilenceLimit;
    CHECK(!client.proxy.deadline(client.now));
  }

  CHECK(client.next().value().type == kRoute);
}

TEST_CASE("The verdict on newer endpoints covers those that it overtook") {
  Client client(Variant::kStateOfTheWorld, snapshot({endpoints("a"), endpoints("b"), route("r")}));
  client.ask(kEndpoints, {"a", "b"});
  const Response first = client.next().value();
  client.serve(snapshot({endpoints("a"), endpoints("b", "2"), route("r")}));
  const Response second = client.next().value();
  REQUIRE(namesOf(second) == Names{"b"});
  client.ask(kRoute, {"r"});

  client.ack(first, {"a", "b"});  // stale
  CHECK(!client.next());
  client.ack(second, {"a", "b"});

  CHECK(client.next().value().type == kRoute);
}

TEST_CASE("Endpoints that nobody gives are sent empty, and as they are once somebody does") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({route("r")}));
  client.ask(kEndpoints, {"a"});
  const Response empty = client.next().value();
  REQUIRE(namesOf(empty) == Names{"a"});
  CHECK(empty.resources[0]->bytes == emptyAssignment("a")->bytes);
  CHECK(empty.removed.empty());
  client.ack(empty, {"a"});
  CHECK(!client.next());

  client.serve(snapshot({endpoints("a"), route("r")}));
  const Response filled = client.next().value();
  CHECK(filled.resources.at(0)->bytes == "a1");
  client.ack(filled, {"a"});

  // What a client may still use is not emptied.
  client.serve(snapshot({route("r")}));
  for (const Response& response : client.settle({{kEndpoints, {"a"}}})) CHECK(response.resources.empty());
}

TEST_CASE("Endpoints from an earlier stream that nobody gives any more are not emptied") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({endpoints("new"), route("r")}));

  Request request{.type = kEndpoints, .version = "before", .names = {"old"}};
  if (variant == Variant::kDelta) {
    request = {.type = kEndpoints, .subscribe = {"old"}, .initial_versions = {{"old", "before"}}};
  }
  client.stream.onRequest(request, client.now);
  client.ask(kEndpoints, {"old", "new"});

  for (const Response& response : client.settle({{kEndpoints, {"old", "new"}}})) {
    for (const ResourcePtr& resource : response.resources) CHECK(resource->name == "new");
  }
}

TEST_CASE("Old endpoints of a cluster that changed are not removed while its new ones are on the way") {
  Client client(Variant::kDelta, snapshot({needing("c", kEndpoints, "e1"), endpoints("e1"), route("r")}));
  client.ask(kCluster);
  client.settle();
  client.ask(kEndpoints, {"e1"});
  client.ask(kRoute, {"r"});
  client.settle();

  client.serve(snapshot({needing("c", kEndpoints, "e2"), endpoints("e2"), route("r")}));
  client.ack(client.next().value());
  CHECK(!client.next());
  client.ask(kEndpoints, {"e2"});
  const Response fresh = client.next().value();
  CHECK(namesOf(fresh) == Names{"e2"});
  CHECK(!client.next());
  client.ack(fresh);

  CHECK(client.next().value().removed == Names{"e1"});
}

TEST_CASE("A refusal of clusters lets additions go on and stops removals") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("old"), listener("l")}));
  client.ask(kCluster);
  client.ask(kListener);
  client.settle();

  client.serve(snapshot({cluster("new"), listener("l"), listener("m")}));
  client.nack(client.next().value(), "new: bad");
  const Response listeners = client.next().value();
  CHECK(listeners.type == kListener);
  client.ack(listeners);
  CHECK(!client.next());

  client.serve(snapshot({cluster("new", "2"), listener("l"), listener("m")}));
  const auto responses = client.settle();
  REQUIRE(responses.size() == 2);
  CHECK(responses[1].type == kCluster);
  if (variant == Variant::kDelta) {
    CHECK(responses[1].removed == Names{"old"});
  } else {
    CHECK(namesOf(responses[1]) == Names{"new"});
  }
}

TEST_CASE("Fifteen seconds of silence let additions go on and stop removals until the answer comes") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("old"), route("r")}));
  client.ask(kCluster);
  client.ask(kRoute, {"r"});
  client.settle({{kRoute, {"r"}}});

  client.serve(snapshot({cluster("new"), route("r", "2")}));
  const Response clusters = client.next().value();
  CHECK(!client.next());
  CHECK(client.proxy.deadline(client.now) == client.now + kSilenceLimit);

  client.now += kSilenceLimit;
  const Response routes = client.next().value();
  CHECK(routes.type == kRoute);
  client.ack(routes, {"r"});
  CHECK(!client.next());

  client.ack(clusters);
  CHECK(client.next().value().type == kCluster);
}

TEST_CASE("What is gone is held until additions are acknowledged, then goes from the top down") {
  Client client(Variant::kDelta,
                snapshot({cluster("old"), endpoints("old"), listener("old"), route("old"), cluster("x"), route("x")}));
  client.ask(kCluster);
  client.ask(kEndpoints, {"old", "new"});
  client.ask(kListener);
  client.ask(kRoute, {"old", "new"});
  client.settle();

  client.serve(snapshot({cluster("new"), endpoints("new"), listener("new"), route("new"), cluster("x"), route("x")}));
  std::vector<std::pair<ResourceType, std::string>> story;
  for (const Response& response : client.settle()) {
    for (const ResourcePtr& resource : response.resources) story.emplace_back(response.type, "+" + resource->name);
    for (const std::string& name : response.removed) story.emplace_back(response.type, "-" + name);
  }

  CHECK(story == std::vector<std::pair<ResourceType, std::string>>{{kCluster, "+new"},
                                                                   {kEndpoints, "+new"},
                                                                   {kListener, "+new"},
                                                                   {kRoute, "+new"},
                                                                   {kListener, "-old"},
                                                                   {kRoute, "-old"},
                                                                   {kCluster, "-old"},
                                                                   {kEndpoints, "-old"}});
}

TEST_CASE("State of the world sends the union first and the final set after the acknowledgements") {
  Client client(Variant::kStateOfTheWorld, snapshot({cluster("old"), listener("l"), route("r")}));
  client.ask(kCluster);
  client.ask(kListener);
  client.ask(kRoute, {"r"});
  client.settle({{kRoute, {"r"}}});

  client.serve(snapshot({cluster("new"), listener("l"), route("r", "2")}));
  const auto responses = client.settle({{kRoute, {"r"}}});

  REQUIRE(responses.size() == 3);
  CHECK(namesOf(responses[0]) == Names{"new", "old"});
  CHECK(responses[0].version != client.proxy.snapshot()->version(kCluster));
  CHECK(responses[1].type == kRoute);
  CHECK(namesOf(responses[2]) == Names{"new"});
  CHECK(responses[2].version == client.proxy.snapshot()->version(kCluster));
  CHECK(client.proxy.upToDate());
}

TEST_CASE("A removed cluster stays while the proxy refuses the routes that left it") {
  Client client(Variant::kDelta, snapshot({cluster("old"), route("r")}));
  client.ask(kCluster);
  client.ask(kRoute, {"r"});
  client.settle();

  client.serve(snapshot({cluster("new"), route("r", "2")}));
  client.ack(client.next().value());
  client.nack(client.next().value(), "r: bad regex");

  CHECK(!client.next());
  client.serve(snapshot({cluster("new"), route("r", "3")}));
  const auto responses = client.settle();
  REQUIRE(responses.size() == 2);
  CHECK(responses[0].type == kRoute);
  CHECK(responses[1].removed == Names{"old"});
}

TEST_CASE("Taking back a refused cluster frees the removals that it held up") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("old"), cluster("stays")}));
  client.ask(kCluster);
  client.settle();
  client.serve(snapshot({cluster("bad"), cluster("stays")}));
  client.nack(client.next().value(), "bad: refused");

  client.serve(snapshot({cluster("stays")}));
  const auto responses = client.settle();

  REQUIRE(!responses.empty());
  for (const Response& response : responses) {
    for (const ResourcePtr& resource : response.resources) CHECK(resource->name != "bad");
  }
  CHECK(client.proxy.upToDate());
  CHECK(client.stream.subscription(kCluster).resourcesSent() == 1);
}

TEST_CASE("A refused route that is taken back is no refusal any more") {
  Client client(Variant::kStateOfTheWorld, snapshot({route("r")}));
  client.ask(kRoute, {"r"});
  client.nack(client.next().value(), "r: bad", {"r"});

  client.serve(snapshot({}));

  CHECK(!client.next());
  CHECK(!client.stream.subscription(kRoute).lastError());
  CHECK(client.proxy.upToDate());
}

TEST_CASE("A removed resource whose update was refused is held in the form that the client has") {
  Client client(Variant::kStateOfTheWorld, snapshot({cluster("a", "good"), cluster("b"), route("r")}));
  client.ask(kCluster);
  client.ask(kRoute, {"r"});
  client.settle({{kRoute, {"r"}}});
  client.serve(snapshot({cluster("a", "bad"), cluster("b"), route("r")}));
  client.nack(client.next().value(), "cluster a is bad");

  client.serve(snapshot({cluster("b"), route("r", "2")}));
  const Response held = client.next().value();

  REQUIRE(namesOf(held) == Names{"a", "b"});
  CHECK(held.resources[0]->bytes == "agood");
}

TEST_CASE("An address moves to another listener within one response") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({listener("old", {"0.0.0.0:80"}), listener("other", {"0.0.0.0:81"})}));
  client.ask(kListener);
  client.ask(kRoute, {"r"});
  client.settle();

  client.serve(snapshot({listener("new", {"0.0.0.0:80"})}));
  const Response response = client.next().value();

  if (variant == Variant::kDelta) {
    CHECK(namesOf(response) == Names{"new"});
    CHECK(response.removed == Names{"old"});
  } else {
    CHECK(namesOf(response) == Names{"new", "other"});
  }
}

TEST_CASE("A client of one type only is told at once what is gone") {
  const Variant variant = GENERATE(Variant::kStateOfTheWorld, Variant::kDelta);
  Client client(variant, snapshot({cluster("a"), cluster("old")}));
  client.ask(kCluster);
  client.settle();

  client.serve(snapshot({cluster("a"), cluster("new")}));
  const auto responses = client.settle();

  REQUIRE(responses.size() == 1);
  if (variant == Variant::kDelta) {
    CHECK(namesOf(responses[0]) == Names{"new"});
    CHECK(responses[0].removed == Names{"old"});
  } else {
    CHECK(namesOf(responses[0]) == Names{"a", "new"});
  }
  CHECK(client.proxy.upToDate());
}

TEST_CASE("A resource that comes back before it was removed is not touched") {
  Client client(Variant::kDelta, snapshot({cluster("a"), cluster("b")}));
  client.ask(kRoute, {"r"});
  client.ask(kCluster);
  client.settle();
  client.serve(snapshot({cluster("b", "2")}));
  const Response first = client.next().value();

  client.serve(snapshot({cluster("a"), cluster("b", "2")}));
  client.ack(first);

  CHECK(!client.next());
  CHECK(client.proxy.upToDate());
}

TEST_CASE("Streams of single types of one proxy keep the order among them") {
  Proxy proxy;
  TimePoint now{};
  proxy.setSnapshot(snapshot({cluster("a"), route("r")}), now);
  StreamState clusters(Variant::kDelta, proxy);
  StreamState routes(Variant::kStateOfTheWorld, proxy);
  clusters.onRequest({.type = kCluster}, now);
  routes.onRequest({.type = kRoute, .names = {"r"}}, now);

  CHECK(!routes.next(now));
  const Response response = clusters.next(now).value();
  CHECK(!routes.next(now));

  clusters.onRequest({.type = kCluster, .nonce = response.nonce}, now);
  CHECK(routes.next(now));
}

TEST_CASE("A client that never asks for clusters is not held up by them") {
  Client client(Variant::kStateOfTheWorld, snapshot({apiListener("svc"), route("r"), cluster("a"), endpoints("a")}));

  client.ask(kListener, {"svc"});
  CHECK(namesOf(client.next().value()) == Names{"svc"});
  client.ask(kRoute, {"r"});
  CHECK(namesOf(client.next().value()) == Names{"r"});
  client.ask(kCluster, {"a"});
  CHECK(namesOf(client.next().value()) == Names{"a"});
  client.ask(kEndpoints, {"a"});
  CHECK(namesOf(client.next().value()) == Names{"a"});
}

TEST_CASE("A client that asks from the top down moves to a renamed cluster, and keeps the old one until it did") {
  Client client(Variant::kStateOfTheWorld,
                snapshot({apiListener("svc"), route("r"), needing("old", kEndpoints), endpoints("old")}));
  std::map<ResourceType, Names> interest = {
      {kListener, {"svc"}}, {kRoute, {"r"}}, {kCluster, {"old"}}, {kEndpoints, {"old"}}};
  for (ResourceType type : {kListener, kRoute, kCluster, kEndpoints}) {
    client.ask(type, interest[type]);
    const auto answers = client.settle(interest);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].type == type);
  }

  const ResourcePtr moved = makeResource({.type = kRoute, .name = "r", .bytes = "moved", .needs = {{kCluster, "new"}}});
  client.serve(snapshot({apiListener("svc"), moved, needing("new", kEndpoints), endpoints("new")}));
  const Response routes = client.next().value();
  CHECK(routes.type == kRoute);
  client.ack(routes, {"r"});
  CHECK(!client.next());  // the old cluster is in use
  client.ask(kCluster, {"old", "new"}, "1");
  const Response clusters = client.next().value();
  CHECK(namesOf(clusters) == Names{"new", "old"});
  client.ack(clusters, {"old", "new"});
  CHECK(!client.next());
  client.ask(kEndpoints, {"old", "new"}, "1");
  const Response assignment = client.next().value();
  CHECK(namesOf(assignment) == Names{"new"});
  CHECK(!client.next());
  client.ack(assignment, {"old", "new"});

  CHECK(namesOf(client.next().value()) == Names{"new"});
}

TEST_CASE("Streams of single types let each other go on when one has nothing to send") {
  Proxy proxy;
  TimePoint now{};
  proxy.setSnapshot(snapshot({cluster("a"), route("r")}), now);
  StreamState routes(Variant::kDelta, proxy);
  StreamState clusters(Variant::kDelta, proxy);
  clusters.onRequest({.type = kCluster}, now);
  clusters.onRequest({.type = kCluster, .nonce = clusters.next(now).value().nonce}, now);
  routes.onRequest({.type = kRoute, .subscribe = {"r"}}, now);
  routes.onRequest({.type = kRoute, .nonce = routes.next(now).value().nonce}, now);

  proxy.setSnapshot(snapshot({cluster("a"), route("r", "2")}), now);
  CHECK(!routes.next(now));
  CHECK(clusters.dirtyCount() == 1);
  CHECK(!clusters.next(now));
  CHECK(clusters.dirtyCount() == 0);

  CHECK(routes.next(now));
}

}  // namespace sluice::control_plane
