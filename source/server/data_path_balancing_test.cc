// Which host requests go to by what their routes say of them.
#include "source/server/test_data_path.h"
#include "source/stream/formatter.h"
#include "test/support/upstream/policies.h"

namespace sluice::server {
namespace {

// Two hosts, of which the hash of a request chooses.
struct ByHash : DataPath {
  ByHash() {
    config->lb.policy = std::make_shared<upstream::lb::ByHeader>("x-host");
    clusters.remove(0);
    hosts({host.address, other.address});
  }
  void hashBy(route::HashTerm term) {
    route::ForwardSpec action = forward("c");
    action.hash_policy.push_back(std::move(term));
    route("/", std::move(action));
  }
  // Gives the answer, and whether it was the first host's.
  std::pair<std::string, bool> ask(const std::string& fields) {
    TestClient& client = connect();
    client.send(request("GET", "/", fields));
    loop.turn();
    const bool first = served_ < host.accept();
    TestUpstream& by = first ? host : other;
    by.peer(by.accept() - 1).send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    loop.turn();
    served_ = host.accept();
    return {client.take(), first};
  }

  TestUpstream other;

 private:
  size_t served_ = 0;
};

// The first host, unless a request asks for "second" under "host" of the metadata.
upstream::cluster::HostSlot byCriteria(const upstream::lb::LbContext& context) {
  const stream::MetadataCriteria* criteria = context.metadataCriteria();
  const stream::MetadataCriterion second("host", {std::string("second")});
  return criteria != nullptr && !criteria->empty() && criteria->criteria()[0] == second ? 1 : 0;
}

// Leaves what header x-want says under "envoy.lb".
class Wanting final : public filter::HttpFilter {
 public:
  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override {
    if (const auto host = headers.get("x-want")) {
      context.info().metadata().set(stream::kBalancingMetadata, "host", {std::string(*host)});
    }
    return filter::Next{};
  }
};

TEST_CASE("requests of one header value go to one host, and others elsewhere") {
  ByHash t;
  t.hashBy({.kind = route::HashTerm::Kind::kHeader, .name = "x-user"});
  int of_first = 0;

  for (int user = 0; user < 16; ++user) {
    const std::string fields = "x-user: u" + std::to_string(user) + "\r\n";
    const bool first = t.ask(fields).second;
    of_first += first;
    CHECK(t.ask(fields).second == first);
  }
  CHECK(of_first > 0);
  CHECK(of_first < 16);
}

TEST_CASE("a cluster's own hash policy holds instead of that of the route") {
  ByHash t;
  t.hashBy({.kind = route::HashTerm::Kind::kHeader, .name = "x-user"});
  route::HashPolicy own;
  own.push_back({.kind = route::HashTerm::Kind::kHeader, .name = "x-tenant"});
  t.config->request_policies = std::make_shared<route::RequestPolicies>(
      route::RequestPolicies{nullptr, std::make_shared<const route::HashPolicy>(own), nullptr});

  const bool first = t.ask("x-user: u0\r\nx-tenant: t\r\n").second;
  for (int user = 1; user < 16; ++user) {
    CHECK(t.ask("x-user: u" + std::to_string(user) + "\r\nx-tenant: t\r\n").second == first);
  }
}

TEST_CASE("a client without the cookie of a hash policy is given it, and stays at the host with it") {
  ByHash t;
  t.hashBy({.kind = route::HashTerm::Kind::kCookie,
            .name = "sid",
            .makes_cookie = true,
            .cookie_attributes = "; Max-Age=60; HttpOnly"});

  for (int i = 0; i < 8; ++i) {
    const auto [answer, first] = t.ask("");
    const size_t at = answer.find("set-cookie: sid=\"");
    REQUIRE(at != std::string::npos);
    CHECK(contains(answer, "\"; Max-Age=60; HttpOnly\r\n"));
    const std::string value = answer.substr(at + 17, 16);

    const auto [second_answer, again] = t.ask("cookie: a=b; sid=" + value + "\r\n");

    CHECK(again == first);
    CHECK_FALSE(contains(second_answer, "set-cookie"));
  }
}

TEST_CASE("the route says what the metadata of the host shall be, and what a filter leaves goes over it") {
  ByHash t;
  t.config->lb.policy = std::make_shared<upstream::lb::PickBy>(byCriteria);
  t.settings->chain = filter::fixedChain({{"wanting", std::make_shared<filter::Factory<Wanting>>()}});
  t.clusters.remove(0);
  t.publish();
  CHECK(t.ask("").second);
  CHECK_FALSE(t.ask("x-want: second\r\n").second);

  route::ForwardSpec action = t.forward("c");
  action.metadata_match =
      std::make_shared<const stream::MetadataCriteria>(stream::MetadataFields{{"host", {std::string("second")}}});
  t.route("/", std::move(action));

  CHECK_FALSE(t.ask("").second);
  CHECK(t.ask("x-want: first\r\n").second);
}

// Leaves what header x-token says as a claim.
class Claiming final : public filter::HttpFilter {
 public:
  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override {
    if (const auto user = headers.get("x-token")) context.info().metadata().set("jwt", "sub", {std::string(*user)});
    return filter::Next{};
  }
};

// Two shares, of which one is no cluster.
route::ForwardSpec twoShares(DataPath& t) {
  route::ForwardSpec action;
  for (const char* name : {"c", "gone"}) {
    action.weighted.push_back({.cluster = t.names.idOf(name), .cluster_name = name, .weight = 50});
  }
  return action;
}

TEST_CASE("a user whom a filter knows goes to the share of that user") {
  DataPath t;
  t.settings->chain = filter::fixedChain({{"claiming", std::make_shared<filter::Factory<Claiming>>()}});
  using Key = route::StickySplit::Key;
  route::ForwardSpec action = twoShares(t);
  action.split = std::make_shared<const route::StickySplit>(
      "r", std::vector<Key>{{Key::Source::kMetadata, "jwt", {"sub"}}}, std::nullopt);
  t.route("/", std::move(action));
  int there = 0;

  for (int i = 0; i < 20; ++i) {
    const std::string user = "user-" + std::to_string(i);
    TestClient& client = t.connect();
    client.send(request("GET", "/", "x-token: " + user + "\r\n"));
    t.loop.turn();
    const bool first = route::StickySplit::pointOf("r", user) < uint64_t{1} << 63;
    there += first;
    CHECK(client.take().starts_with("HTTP/1.1 503 ") != first);
    if (first) client.close();
    t.loop.turn();
  }

  CHECK(there > 0);
  CHECK(there < 20);
}

TEST_CASE("the cookie by which the cluster is chosen is given once, though hosts are chosen by it, too") {
  ByHash t;
  route::ForwardSpec action = t.forward("c");
  action.weighted.push_back({.cluster = action.cluster, .cluster_name = "c", .weight = 1});
  action.chosen_by_hash = true;
  action.hash_policy.push_back({.kind = route::HashTerm::Kind::kCookie, .name = "sid", .makes_cookie = true});
  t.route("/", std::move(action));

  const std::string answer = t.ask("").first;

  const size_t at = answer.find("set-cookie: sid=");
  CHECK(at != std::string::npos);
  CHECK(answer.find("set-cookie: sid=", at + 1) == std::string::npos);
}

struct PanicLog : stream::AccessLog {
  void log(const stream::FormatContext& context, worker::WorkerServices&) const override {
    formatter.format(context, line);
  }
  mutable std::string line;
  const stream::TextFormatter formatter =
      *stream::TextFormatter::compile("%DYNAMIC_METADATA(sluice.router:panic)% %RESPONSE_CODE% %RESPONSE_FLAGS%");
};

TEST_CASE("the log tells of panic, whether requests go to all hosts then or to none") {
  DataPath t;
  const auto log = std::make_shared<PanicLog>();
  t.settings->access_logs.push_back(log);
  TestClient& client = t.connect();
  SECTION("without panic it says nothing") {
    client.send(get());
    t.answer(kOk);
    CHECK(log->line == "- 200 -");
  }
  SECTION("to all") {
    t.hosts({t.host.address}, upstream::cluster::Health::kUnhealthy);
    client.send(get());
    t.answer(kOk);
    CHECK(log->line == "all_hosts 200 -");
  }
  SECTION("to none") {
    t.config->lb.hosts.fail_on_panic = true;
    t.hosts({t.host.address}, upstream::cluster::Health::kUnhealthy);
    client.send(get());
    t.loop.turn();
    CHECK(log->line == "no_host 503 UH");
  }
}

}  // namespace
}  // namespace sluice::server
