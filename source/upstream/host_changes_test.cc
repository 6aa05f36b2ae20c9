// What a worker does when its cluster gets another set of hosts.
#include "source/upstream/tcp_connection.h"
#include "source/upstream/test_attempt.h"

namespace sluice::upstream {
namespace {

using cluster::HealthInput;

struct Bytes : HostStreamEvents {
  void onHostConnected() override {}
  void onHostFailed(std::string_view, bool) override { broken = true; }
  size_t hostCredit() override { return 1024; }
  void onHostData(std::string_view) override {}
  void onHostEnd() override {}
  void onHostBroken() override {
    broken = true;
    stream.reset();
  }
  void onHostDrained() override {}

  bool broken = false;
  HostStream::Ptr stream;
};

struct ChangesTest : AttemptTest {
  explicit ChangesTest(cluster::HostChanges changes) { config->host_changes = changes; }

  // Opens a connection for bytes to the host of that slot.
  void open(Bytes& bytes, cluster::HostSlot slot) {
    bytes.stream = TcpConnection::open(cluster(), slot, kPriority, {}, bytes).stream;
    loop.turn();
  }
  // The hosts anew, with what their monitors say; `count`: so many of them.
  void renew(size_t count = 2) {
    cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (TestHost* host : {&one, &two}) {
      if (locality.endpoints.size() == count) break;
      auto& endpoint = locality.endpoints.emplace_back();
      endpoint.address = host->upstream.address;
      endpoint.hostname = host->name;
      endpoint.health = assigned;
    }
    assign(assignment);
    loop.turn();
  }
  void opine(cluster::HostSlot slot, cluster::Health health, HealthInput input = HealthInput::kActiveCheck) {
    host_set->host(slot)->monitor().set(input, health);
  }
  // One request to the host of that slot, answered on its connection of that number.
  void ask(cluster::HostSlot slot, size_t connection) {
    User user(arena);
    begin(user, slot);
    TestHost& host = slot == 0 ? one : two;
    REQUIRE(host.upstream.accept() == connection + 1);
    host.upstream.peer(connection).take();
    host.upstream.peer(connection).send(kOk);
    loop.turn();
    CHECK(user.heard == "ready 200 end ");
  }
  bool closedByUs(TestHost& host, size_t connection) {
    host.upstream.peer(connection).take();
    return host.upstream.peer(connection).closed;
  }

  cluster::Health assigned = cluster::Health::kHealthy;
};

TEST_CASE("connections for bytes end when their host fails, if that is wanted") {
  const bool wanted = GENERATE(true, false);
  ChangesTest t({.close_on_failure = wanted});
  Bytes first, second;
  t.open(first, 0);
  t.open(second, 1);

  t.opine(0, cluster::Health::kUnhealthy, GENERATE(HealthInput::kActiveCheck, HealthInput::kEjection));
  t.renew();

  CHECK(first.broken == wanted);
  CHECK_FALSE(second.broken);
  CHECK(t.closedByUs(t.one, 0) == wanted);
  second.stream.reset();
  first.stream.reset();
}

TEST_CASE("only a host that was well fails, and not by what its endpoint says") {
  ChangesTest t({.close_on_failure = true});
  t.opine(0, cluster::Health::kUnhealthy);
  t.renew();
  Bytes first, second;
  t.open(first, 0);
  t.open(second, 1);

  t.renew();
  t.assigned = cluster::Health::kDraining;
  t.renew();

  CHECK_FALSE(first.broken);
  CHECK_FALSE(second.broken);
  first.stream.reset();
  second.stream.reset();
}

TEST_CASE("requests get new connections to a host that failed, and what runs goes on") {
  ChangesTest t({.close_on_failure = true});
  t.ask(0, 0);
  t.ask(1, 0);
  User running(t.arena);
  t.begin(running, 0);

  t.opine(0, cluster::Health::kUnhealthy);
  t.renew();
  t.answer(t.one);

  CHECK(running.heard == "ready 200 end ");
  CHECK(t.closedByUs(t.one, 0));
  CHECK_FALSE(t.closedByUs(t.two, 0));
  t.ask(0, 1);
  t.ask(1, 0);
}

TEST_CASE("requests get new connections to all hosts when one came or left, if that is wanted") {
  const bool wanted = GENERATE(true, false);
  ChangesTest t({.close_on_change = wanted});
  t.ask(0, 0);

  t.opine(1, cluster::Health::kUnhealthy);
  t.renew();
  CHECK_FALSE(t.closedByUs(t.one, 0));

  SECTION("one left") {
    t.renew(1);
    CHECK(t.closedByUs(t.one, 0) == wanted);
    t.ask(0, wanted ? 1 : 0);
  }
  SECTION("one came") {
    t.renew(1);
    t.ask(0, wanted ? 1 : 0);
    t.renew(2);
    CHECK(t.closedByUs(t.one, wanted ? 1 : 0) == wanted);
  }
}

}  // namespace
}  // namespace sluice::upstream
