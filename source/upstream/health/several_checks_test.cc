// Clusters with more than one health_check. The first is HTTP; of the second, TCP, the hosts hear "ping" and are to say
// "pong".
#include "source/upstream/health/test_checks.h"

namespace sluice::upstream::health {
namespace {

const std::string kOk = "200 OK";

struct SeveralTest : ChecksTest {
  SeveralTest() : ChecksTest(1, [](auto& check) { check.interval = check.unhealthy_interval = 5s; }) {
    HealthCheckConfig tcp = check;
    tcp.kind = HealthCheckConfig::Kind::kTcp;
    tcp.interval = tcp.unhealthy_interval = tcp.healthy_edge_interval = tcp.unhealthy_edge_interval = 2s;
    tcp.tcp.send = "ping";
    tcp.tcp.receive = {"pong"};
    others.push_back(tcp);
  }
  // The question by TCP that is there, answered.
  std::string pong(size_t connection = 1) {
    std::string question = peer(connection).take();
    peer(connection).send("pong");
    turn();
    return question;
  }
  // All well.
  void startWell() {
    start();
    answer(kOk);
    pong();
    REQUIRE(healthy());
  }
};

TEST_CASE("a host is known when each check had its first result, and well when all say so") {
  SeveralTest t;
  t.start();
  CHECK(t.connections() == 2);
  t.answer(kOk);
  CHECK(t.monitor().pending());
  CHECK_FALSE(t.healthy());
  CHECK(t.checks->pending() == 1);
  CHECK(t.all_checked == 0);
  CHECK(t.passed == 0);

  CHECK(t.pong() == "ping");
  CHECK_FALSE(t.monitor().pending());
  CHECK(t.healthy());
  CHECK(t.all_checked == 1);
  CHECK(t.passed == 1);
  CHECK(t.stat("healthy") == 1);
}

TEST_CASE("each check has its own interval, and is counted by itself and with the others") {
  SeveralTest t;
  t.startWell();
  t.pass(2s);
  CHECK(t.pong() == "ping");
  CHECK(t.peer(0).take().empty());
  t.pass(2s);
  CHECK(t.pong() == "ping");
  t.pass(1s);
  CHECK_FALSE(t.answer(kOk).empty());
  CHECK(t.stat("attempt") == 5);
  CHECK(t.stat("success") == 5);
  CHECK(t.stat("0.success") == 2);
  CHECK(t.stat("1.success") == 3);
}

TEST_CASE("a cluster with one check counts nothing by its place") {
  ChecksTest t;
  t.start();
  t.answer(kOk);
  CHECK(t.stat("success") == 1);
  CHECK(t.stat("0.success") == -1);
}

TEST_CASE("each check has its own thresholds, and the one that fails a host has to let it in") {
  SeveralTest t;
  t.others[0].unhealthy_threshold = t.others[0].healthy_threshold = 2;
  t.startWell();
  t.pass(3s);  // unanswered: a timeout, which is the first
  CHECK(t.healthy());
  t.pass(2s);
  t.answer(kOk);
  t.pass(1s);
  CHECK(t.health() == Health::kTimeout);
  CHECK(t.monitor().reason(HealthInput::kActiveCheck) == "health_checks[1] (TCP): check failed: timeout");
  CHECK(t.stat("healthy") == 0);

  const int passed = t.passed;
  t.pass(2s);
  t.pong(t.connections() - 1);
  CHECK_FALSE(t.healthy());
  t.pass(2s);
  t.answer(kOk);
  CHECK_FALSE(t.healthy());
  CHECK(t.passed == passed);
  t.pong(t.connections() - 1);
  CHECK(t.healthy());
  CHECK(t.stat("healthy") == 1);
  CHECK(t.passed == passed + 1);
}

TEST_CASE("all checks that fail a host say why") {
  SeveralTest t;
  t.start();
  t.answer("500 No");
  t.peer(1).take();
  t.peer(1).close();
  t.turn();
  CHECK(t.health() == Health::kUnhealthy);
  CHECK(t.monitor().reason(HealthInput::kActiveCheck) ==
        "health_checks[0] (HTTP): check failed: the status is not among expected_statuses (status 500); "
        "health_checks[1] (TCP): check failed: the host closed the connection");
  CHECK(t.all_checked == 1);
}

TEST_CASE("a host that one check finds degraded is so, unless another one fails it") {
  SeveralTest t;
  t.start();
  t.answer("200 OK\r\nx-envoy-degraded: ");
  t.pong();
  CHECK(t.health() == Health::kDegraded);
  CHECK(t.stat("degraded") == 1);
  t.pass(2s);
  t.peer(1).close();
  t.turn();
  CHECK(t.health() == Health::kUnhealthy);
  CHECK(t.stat("degraded") == 0);
}

TEST_CASE("a host that asked to be failed is let in by all checks, and counted once") {
  SeveralTest t;
  t.startWell();
  t.checks->failNow(t.monitor());
  CHECK(t.health() == Health::kUnhealthy);
  CHECK(t.monitor().excluded());
  CHECK(t.stat("passive_failure") == 1);
  CHECK(t.stat("failure") == 1);
  t.pass(2s);
  t.pong();
  CHECK_FALSE(t.healthy());
  CHECK(t.monitor().excluded());
  t.pass(2s);
  t.pong();
  t.pass(1s);
  t.answer(kOk);
  CHECK(t.healthy());
  CHECK_FALSE(t.monitor().excluded());
}

TEST_CASE("a check that another configuration does not have says nothing any more") {
  SeveralTest t;
  t.start();
  t.answer(kOk);
  const bool was_known = GENERATE(true, false);
  if (was_known) {
    t.peer(1).close();
    t.turn();
  }
  CHECK_FALSE(t.healthy());
  t.others.clear();
  t.checks->setConfig(t.config());
  t.turn();
  CHECK(t.healthy());
  CHECK_FALSE(t.monitor().pending());
  CHECK(t.checks->pending() == 0);
  CHECK(t.all_checked >= 1);
  CHECK(t.stat("healthy") == 1);
}

TEST_CASE("a check that another configuration brings says nothing before its first result") {
  SeveralTest t;
  const std::vector<HealthCheckConfig> tcp = std::exchange(t.others, {});
  t.start();
  t.answer(kOk);
  t.others = tcp;
  t.checks->setConfig(t.config());
  t.turn();
  CHECK(t.healthy());
  t.peer(t.connections() - 1).close();
  t.turn();
  CHECK_FALSE(t.healthy());
  CHECK(t.stat("1.failure") == 1);
}

TEST_CASE("events name the kind of the check") {
  observability::StatsRegistry registry;
  observability::LogFiles files(registry);
  observability::LogSink sink(files);
  const std::string path = std::string(getenv("TEST_TMPDIR") ? getenv("TEST_TMPDIR") : "/tmp") + "/several.log";
  SeveralTest t;
  t.check.logs = t.others[0].logs = {*files.open(path)};
  t.log.sink = &sink;
  t.startWell();
  t.pass(2s);
  t.peer(1).close();
  t.turn();
  files.flush();
  std::string text;
  if (FILE* file = fopen(path.c_str(), "r")) {
    char buffer[8192];
    text.assign(buffer, fread(buffer, 1, sizeof(buffer), file));
    fclose(file);
  }
  std::string events;
  for (size_t at = text.find("health_checker_type"); at != std::string::npos;
       at = text.find("health_checker_type", at + 1)) {
    events += text.substr(at + 22, text.find('"', at + 22) - at - 22);
    const size_t end = text.find('\n', at);
    events += text.substr(at, end - at).find("add_healthy_event") != std::string::npos ? " added\n" : " ejected\n";
  }
  CHECK(events == "HTTP added\nTCP added\nTCP ejected\n");
}

}  // namespace
}  // namespace sluice::upstream::health
