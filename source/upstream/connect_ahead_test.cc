// Connections to hosts that requests to come will probably get.
#include "source/upstream/test_attempt.h"
#include "test/support/upstream/policies.h"

namespace sluice::upstream {
namespace {

struct AheadTest : AttemptTest {
  explicit AheadTest(double ratio) {
    config = std::make_shared<cluster::ClusterConfig>(*config);
    config->predictive_ratio = ratio;
    config->lb.policy = std::make_shared<lb::InTurn>();
    publishHosts();
  }
  // On the host that is next.
  void ask(User& user) {
    const lb::LbContext context;
    slot = cluster()->pick(context);
    begin(user, slot);
  }
  size_t connections(TestHost& host) {
    loop.turn();
    return host.upstream.accept();
  }
  cluster::HostSlot slot = cluster::kNoHost;
};

TEST_CASE("the host of the next request gets a connection ahead of it, and the request gets that host") {
  AheadTest t(2);
  User first(t.arena), second(t.arena);
  t.ask(first);
  CHECK(t.slot == 0);
  CHECK(t.connections(t.one) == 1);
  CHECK(t.connections(t.two) == 1);

  t.ask(second);
  CHECK(t.slot == 1);
  CHECK(second.heard == "ready ");
  CHECK(t.two.upstream.accept() >= 1);
}

TEST_CASE("without a ratio nothing is connected ahead") {
  AheadTest t(1);
  User user(t.arena);
  t.ask(user);
  CHECK(t.connections(t.one) == 1);
  CHECK(t.connections(t.two) == 0);
}

TEST_CASE("what is connected ahead is bounded by what the requests need, times the ratio") {
  AheadTest t(1.5);
  for (int i = 0; i < 6; ++i) {
    User user(t.arena);
    t.ask(user);
    t.answer(t.slot == 0 ? t.one : t.two);
  }
  CHECK(t.connections(t.one) + t.connections(t.two) == 2);
}

TEST_CASE("a connection ahead never takes the place of one that a request needs") {
  AheadTest t(3);
  t.thresholds[0].max_connections = 1;
  t.breakers->setLimits(t.thresholds);
  User user(t.arena);
  t.ask(user);
  CHECK(user.heard == "ready ");
  CHECK(t.connections(t.one) == 1);
  CHECK(t.connections(t.two) == 0);
}

TEST_CASE("a cluster of one host connects to it for its next request") {
  AheadTest t(2);
  t.hosts({t.one.upstream.address});
  User user(t.arena);
  t.ask(user);
  CHECK(t.connections(t.one) == 2);
}

}  // namespace
}  // namespace sluice::upstream
