// Hosts of one cluster with transports of their own.
#include <deque>
#include <string>

#include "source/upstream/pool/test_transport.h"
#include "source/upstream/test_attempt.h"

namespace sluice::upstream {
namespace {

struct TransportTest : AttemptTest {
  TransportTest() {
    config->transport = otherwise;
    config->http.auto_sni = true;
    auto& match = config->transport_matches.list.emplace_back();
    match.name = "secure";
    match.wanted.emplace_back("secure", stream::MetadataValue{true});
    match.transport = secure;
  }
  // The first host says this of itself, the second one nothing.
  void publish(bool secure_host) {
    cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (TestHost* host : {&one, &two}) {
      auto& endpoint = locality.endpoints.emplace_back();
      endpoint.address = host->upstream.address;
      endpoint.hostname = host->name;
    }
    locality.endpoints[0].metadata = {
        {{std::string(cluster::kTransportMetadata), {stream::MetadataFields{{"secure", {secure_host}}}}}},
        secure_host ? "secure" : "not"};
    assign(assignment);
  }
  cluster::HostSlot slotOf(const std::string& name) {
    for (const auto& entry : host_set->entries()) {
      if (entry.host->hostname() == name) return entry.host->slot();
    }
    return cluster::kNoHost;
  }

  std::shared_ptr<pool::PlainFactory> secure = std::make_shared<pool::PlainFactory>();
  std::shared_ptr<pool::PlainFactory> otherwise = std::make_shared<pool::PlainFactory>();
};

TEST_CASE("each host has the transport that its metadata chooses") {
  TransportTest t;
  t.publish(true);
  User first(t.arena), second(t.arena);
  t.begin(first, t.slotOf("one"));
  t.answer(t.one);
  t.begin(second, t.slotOf("two"));
  t.answer(t.two);

  CHECK(first.heard == "ready 200 end ");
  CHECK(t.secure->server_names == std::vector<std::string>{"asked.example"});
  CHECK(t.otherwise->server_names == std::vector<std::string>{"asked.example"});
}

TEST_CASE("a server is asked for by its name without the dot behind an absolute one") {
  TransportTest t;
  t.publish(true);
  t.head.authority = "Asked.example.:8443";
  User user(t.arena);
  t.begin(user, t.slotOf("one"));
  t.answer(t.one);

  CHECK(t.secure->server_names == std::vector<std::string>{"asked.example"});
}

TEST_CASE("a certificate is verified for a request that names no host, too") {
  TransportTest t;
  t.config->http.auto_san_validation = true;
  t.head.authority = "";  // of HTTP/1.0
  t.publish(true);
  User user(t.arena);
  t.begin(user, t.slotOf("one"));

  CHECK(t.secure->server_names == std::vector<std::string>{""});
  CHECK(t.secure->verified == std::vector<std::string>{"."});
}

TEST_CASE("a host whose metadata changes is connected to anew, by the transport that this chooses") {
  TransportTest t;
  t.publish(false);
  User before(t.arena);
  t.begin(before, t.slotOf("one"));
  t.answer(t.one);
  REQUIRE(t.otherwise->server_names.size() == 1);

  t.publish(true);
  User after(t.arena);
  t.begin(after, t.slotOf("one"));

  CHECK(t.secure->server_names.size() == 1);
  CHECK(t.otherwise->server_names.size() == 1);
  CHECK(t.one.upstream.peer(0).isClosed());
}

TEST_CASE("requests that the proxy makes itself say the scheme of the host's transport") {
  TransportTest t;
  t.config->transport = nullptr;
  t.publish(true);
  User user(t.arena);
  user.setCluster(t.cluster());

  REQUIRE(user.take(t.slotOf("one")));
  CHECK(user.scheme() == "https");
  user.cancel();
  REQUIRE(user.take(t.slotOf("two")));
  CHECK(user.scheme() == "http");
  user.cancel();
}

TEST_CASE("connections are a client's own if one of the transports tells who it is") {
  TransportTest t;
  auto telling = std::make_shared<pool::ClientTellingFactory>();
  t.config->transport_matches.list[0].transport = telling;
  t.publish(true);
  User user(t.arena);
  user.setCluster(t.cluster());
  REQUIRE(user.take(t.slotOf("one")));
  user.start(t.head, {}, kPriority, {.remote = "10.1.1.1:5", .local = "10.2.2.2:80"});
  t.loop.turn();

  CHECK(telling->clients == std::vector<std::string>{"10.1.1.1:5>10.2.2.2:80"});
}

TEST_CASE("pools of clients that are all in use are not looked through for each further client") {
  constexpr int kBusy = 64;
  TransportTest t;
  t.config->transport_matches.list[0].transport = std::make_shared<pool::ClientTellingFactory>();
  t.publish(true);
  const auto name = [](int client) { return "10.1.1.1:" + std::to_string(1000 + client); };
  std::deque<User> users;
  for (int i = 0; i < kBusy; ++i) {
    User& user = users.emplace_back(t.arena);
    user.setCluster(t.cluster());
    REQUIRE(user.take(t.slotOf("one")));
    user.start(t.head, {}, kPriority, {.remote = name(i), .local = "10.2.2.2:80"});
  }
  const auto poolFor = [&](int client) {
    const std::string remote = name(client);
    return &t.cluster()->poolFor(t.slotOf("one"), kPriority, t.head, {.remote = remote, .local = "10.2.2.2:80"});
  };

  const pool::Pool* const idle = poolFor(kBusy);
  poolFor(kBusy + 1);

  CHECK(poolFor(kBusy) == idle);  // else it was retired for the one behind it
}

TEST_CASE("connections that hand over what streams share are for equal objects only") {
  struct HandingOver : pool::PlainFactory {
    bool handsOver() const override { return true; }
  };
  TransportTest t;
  t.config->transport = std::make_shared<HandingOver>();
  t.publish(true);
  const auto sharing = [](std::string_view user) {
    stream::FilterState state;
    state.set("user", std::make_shared<stream::FilterState::Text>(user),
              {.sharing = stream::FilterState::Sharing::kOnce});
    return state;
  };
  const stream::FilterState ann = sharing("ann"), again = sharing("ann"), bob = sharing("bob");
  stream::FilterState own;
  own.set("user", "ann");
  const auto poolFor = [&](const stream::FilterState* state) {
    return &t.cluster()->poolFor(t.slotOf("one"), kPriority, t.head, {.state = state});
  };

  CHECK(poolFor(&ann) == poolFor(&again));
  CHECK(poolFor(&ann) != poolFor(&bob));
  CHECK(poolFor(&ann) != poolFor(nullptr));
  CHECK(poolFor(&own) == poolFor(nullptr));
}

TEST_CASE("connections from a borrowed address are for requests of that address only") {
  TransportTest t;
  t.publish(true);
  const net::BorrowedSource one{*net::Address::parse("127.0.0.5:0")}, marked{one.address, 7};
  const auto poolFor = [&](const net::BorrowedSource* source) {
    return &t.cluster()->poolFor(t.slotOf("one"), kPriority, t.head, {.source = source});
  };

  CHECK(poolFor(&one) == poolFor(&one));
  CHECK(poolFor(&one) != poolFor(&marked));
  CHECK(poolFor(&one) != poolFor(nullptr));
}

}  // namespace
}  // namespace sluice::upstream
