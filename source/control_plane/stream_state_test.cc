#include "source/control_plane/stream_state.h"

#include <catch2/catch.hpp>

#include "source/control_plane/refusal.h"

namespace sluice::control_plane {
namespace {

using Names = std::vector<std::string>;

ResourcePtr resource(ResourceType type, std::string name, std::string content = "1") {
  return makeResource({.type = type, .name = name, .bytes = name + content});
}
ResourcePtr cluster(std::string name, std::string content = "1") {
  return resource(ResourceType::kCluster, std::move(name), std::move(content));
}
// A cluster that cannot be used without a resource of the type, of its own name if no other is given.
ResourcePtr needing(std::string name, ResourceType type, std::string needed = {}) {
  if (needed.empty()) needed = name;
  return makeResource(
      {.type = ResourceType::kCluster, .name = name, .bytes = name + needed, .needs = {{type, needed}}});
}
ResourcePtr endpoints(std::string name, std::string content = "1") {
  return resource(ResourceType::kEndpoints, std::move(name), std::move(content));
}
ResourcePtr route(std::string name, std::string content = "1") {
  return resource(ResourceType::kRoute, std::move(name), std::move(content));
}
ResourcePtr listener(std::string name, Names addresses = {}) {
  return makeResource({.type = ResourceType::kListener, .name = name, .bytes = name, .addresses = addresses});
}
ResourcePtr apiListener(std::string name) {
  return makeResource({.type = ResourceType::kListener, .name = name, .bytes = name, .api_listener = true});
}

SnapshotPtr snapshot(std::vector<ResourcePtr> resources) {
  return std::make_shared<const Snapshot>(resources);
}

Names namesOf(const Response& response) {
  Names names;
  for (const ResourcePtr& resource : response.resources) names.push_back(resource->name);
  return names;
}

// A client on one stream, with a clock that only the test moves.
struct Client {
  explicit Client(Variant variant) : stream(variant, proxy) {}
  Client(Variant variant, SnapshotPtr first) : Client(variant) { serve(std::move(first)); }

  void serve(SnapshotPtr next) { proxy.setSnapshot(std::move(next), now); }
  std::optional<Response> next() { return stream.next(now); }
  void ask(ResourceType type, Names names = {}, std::string nonce = {}) {
    Request request{.type = type, .nonce = nonce, .names = names};
    if (stream.variant() == Variant::kDelta) {
      request.names.clear();
      request.subscribe = names;
    }
    stream.onRequest(request, now);
  }
  void unsubscribe(ResourceType type, Names names) {
    stream.onRequest({.type = type, .unsubscribe = std::move(names)}, now);
  }
  void ack(const Response& response, Names names = {}) {
    stream.onRequest({.type = response.type, .nonce = response.nonce, .version = response.version, .names = names},
                     now);
  }
  void nack(const Response& response, std::string error, Names names = {}) {
    stream.onRequest({.type = response.type, .nonce = response.nonce, .error = error, .names = names}, now);
  }
  // Takes and acknowledges whatever comes; the responses in order.
  std::vector<Response> settle(std::map<ResourceType, Names> interest = {}) {
    std::vector<Response> all;
    while (auto response = next()) {
      ack(*response, stream.variant() == Variant::kStateOfTheWorld ? interest[response->type] : Names{});
      all.push_back(*std::move(response));
    }
    return all;
  }

  TimePoint now{};
  Proxy proxy;
  StreamState stream;
};

const ResourceType kCluster = ResourceType::kCluster;
const ResourceType kEndpoints = ResourceType::kEndpoints;
const ResourceType kListener = ResourceType::kListener;
const ResourceType kRoute = ResourceType::kRoute;
const ResourceType kSecret = ResourceType::kSecret;

}  // namespace

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

// --- order ---------------------------------------------------------------------------------------------------------

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

// --- refusals ------------------------------------------------------------------------------------------------------

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
