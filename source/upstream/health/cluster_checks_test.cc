#include "source/upstream/health/test_checks.h"

namespace sluice::upstream::health {
namespace {

const std::string kOk = "200 OK";

TEST_CASE("a new host is unhealthy until its first check has passed") {
  ChecksTest t;
  t.start();
  CHECK(t.monitor().pending());
  CHECK(t.health() == Health::kUnhealthy);
  CHECK(t.checks->pending() == 1);
  CHECK(t.all_checked == 0);

  CHECK(t.answer(kOk) == "GET /up HTTP/1.1\r\nhost: c\r\nuser-agent: Envoy/HC\r\n\r\n");
  CHECK(t.healthy());
  CHECK_FALSE(t.monitor().pending());
  CHECK(t.all_checked == 1);
  CHECK(t.passed == 1);
  CHECK(t.stat("attempt") == 1);
  CHECK(t.stat("success") == 1);
  CHECK(t.stat("failure") == 0);
  CHECK(t.stat("healthy") == 1);
}

TEST_CASE("checks follow each other after the interval, over one connection") {
  ChecksTest t;
  t.start();
  t.answer(kOk);
  t.pass(4999ms);
  CHECK(t.peer().take().empty());
  t.pass(1ms);
  CHECK_FALSE(t.answer(kOk).empty());
  CHECK(t.connections() == 1);
  CHECK(t.stat("success") == 2);
}

TEST_CASE("without reuse_connection each check has a connection of its own") {
  ChecksTest t(1, [](auto& check) { check.reuse_connection = false; });
  t.start();
  t.answer(kOk);
  t.peer().take();
  CHECK(t.peer().closed);
  t.pass(5s);
  CHECK_FALSE(t.answer(kOk, {}, 1).empty());
}

TEST_CASE("a connection that the host closed between checks is no failure, nor one that dies as it is used again") {
  ChecksTest t;
  t.start();
  t.answer(kOk);
  const bool at_once = GENERATE(true, false);
  if (at_once) {
    t.peer().close();
    t.pass(5s);
  } else {
    t.pass(5s);
    CHECK_FALSE(t.peer().take().empty());
    t.peer().close();
    t.turn();
  }
  CHECK_FALSE(t.answer(kOk, {}, 1).empty());
  CHECK(t.stat("success") == 2);
  CHECK(t.stat("failure") == 0);
}

TEST_CASE("a connection that breaks before the first answer is a failure of the network") {
  ChecksTest t;
  t.start();
  t.peer().take();
  t.peer().close();
  t.turn();
  CHECK(t.stat("network_failure") == 1);
  CHECK(t.health() == Health::kUnhealthy);
  CHECK(t.monitor().reason(HealthInput::kActiveCheck) == "check failed: the host closed the connection");
  CHECK(t.all_checked == 1);
}

TEST_CASE("a host that refuses connections fails its checks") {
  ChecksTest t;
  t.hosts[0]->upstream.stop();
  t.start();
  CHECK(t.stat("network_failure") == 1);
  CHECK_FALSE(t.healthy());
  t.hosts[0]->upstream.listen();
  t.pass(5s);
  t.answer(kOk);
  CHECK(t.healthy());
}

TEST_CASE("a check for which the proxy has no descriptor left is made later, and says nothing of the host") {
  const auto kind = GENERATE(HealthCheckConfig::Kind::kHttp, HealthCheckConfig::Kind::kTcp);
  ChecksTest t(1, [kind](auto& check) {
    check.kind = kind;
    check.tcp.receive = {"200 OK"};
    check.reuse_connection = false;
  });
  t.start();
  t.answer(kOk);
  CHECK(t.healthy());
  t.buffers.descriptors.end = 0;
  t.pass(5s);
  CHECK(t.healthy());
  CHECK(t.stat("failure") == 0);
  t.buffers.descriptors.end = 1 << 20;
  t.pass(1s);
  t.answer("500 No", {}, t.connections() - 1);
  t.pass(1s);
  CHECK_FALSE(t.healthy());
}

TEST_CASE("a check that takes too long fails, and its answer comes too late") {
  ChecksTest t(1, [](auto& check) { check.unhealthy_threshold = 2; });
  t.start();
  t.answer(kOk);
  for (int i = 1; i <= 2; ++i) {
    t.pass(5s);
    CHECK(t.healthy());
    t.pass(1s);
    CHECK(t.stat("network_failure") == i);
  }
  CHECK(t.health() == Health::kTimeout);
  CHECK(t.monitor().reason(HealthInput::kActiveCheck) == "check failed: timeout");
  t.peer(0).take();
  CHECK(t.peer(0).closed);
  CHECK(t.stat("attempt") == 3);
}

TEST_CASE("a status that is not expected makes a host unhealthy at once, a retriable one counts") {
  ChecksTest t(1, [](auto& check) {
    check.unhealthy_threshold = 2;
    check.http.expected = {{200, 205}};
    check.http.retriable = {{429, 430}};
  });
  t.start();
  t.answer("204 No");
  CHECK(t.healthy());
  SECTION("not expected") {
    t.pass(5s);
    t.answer("205 No");
    CHECK(t.health() == Health::kUnhealthy);
    CHECK(t.monitor().reason(HealthInput::kActiveCheck) ==
          "check failed: the status is not among expected_statuses (status 205)");
    CHECK(t.stat("network_failure") == 0);
    CHECK(t.stat("failure") == 1);
    CHECK(t.stat("healthy") == 0);
  }
  SECTION("retriable") {
    t.pass(5s);
    t.answer("429 No");
    CHECK(t.healthy());
    t.pass(5s);
    t.answer("429 No");
    CHECK_FALSE(t.healthy());
  }
}

TEST_CASE("the body has to have what is expected, in its order, in the part that is looked at") {
  ChecksTest t(1, [](auto& check) {
    check.http.receive = {"up", "fine"};
    check.http.response_buffer = 12;
  });
  t.start();
  const auto [body, passes] = GENERATE(table<std::string, bool>(
      {{"up and fine", true}, {"fine and up", false}, {"up", false}, {"up and so fine", false}}));
  t.answer(kOk, body);
  CAPTURE(body);
  CHECK(t.healthy() == passes);
}

TEST_CASE("another service that answers at the address fails the check") {
  ChecksTest t(
      1, [](auto& check) { check.http.service_name = [](std::string_view name) { return name.starts_with("web"); }; });
  t.start();
  const auto [name, passes] = GENERATE(table<std::string, bool>({{"web-1", true}, {"mail-1", false}}));
  t.answer("200 OK\r\nx-envoy-upstream-healthchecked-cluster: " + name);
  CHECK(t.healthy() == passes);
  CHECK(t.stat("verify_cluster") == 1);
}

TEST_CASE("a host may say that it is degraded") {
  ChecksTest t;
  t.start();
  t.answer("200 OK\r\nx-envoy-degraded: ");
  CHECK(t.health() == Health::kDegraded);
  CHECK(t.stat("degraded") == 1);
  t.pass(5s);
  t.answer(kOk);
  CHECK(t.healthy());
  CHECK(t.stat("degraded") == 0);
}

TEST_CASE("a body that ends with its connection is whole, and an answer that is no HTTP fails") {
  ChecksTest t;
  t.start();
  t.peer().take();
  SECTION("whole") {
    t.peer().send("HTTP/1.1 200 OK\r\n\r\nbody");
    t.turn();
    CHECK_FALSE(t.healthy());
    t.peer().finish();
    t.turn();
    CHECK(t.healthy());
    t.pass(5s);
    t.answer(kOk, {}, 1);
    CHECK(t.stat("success") == 2);
  }
  SECTION("cut") {
    t.peer().send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbody");
    t.peer().finish();
    t.turn();
    CHECK(t.stat("network_failure") == 1);
  }
  SECTION("no HTTP") {
    t.peer().send("SSH-2.0-x\r\n\r\n");
    t.turn();
    CHECK(t.stat("network_failure") == 1);
  }
}

TEST_CASE("an interim answer is passed over") {
  ChecksTest t;
  t.start();
  t.peer().send("HTTP/1.1 103 Early Hints\r\n\r\n");
  t.turn();
  t.answer(kOk);
  CHECK(t.healthy());
}

TEST_CASE("method, body, headers and host are as configured, and an endpoint's own host counts more") {
  ChecksTest t(1, [](auto& check) {
    check.http.method = "POST";
    check.http.host = "check.example";
    check.http.headers = {{"x-a", "1"}};
    check.http.body = "ping";
  });
  SECTION("the check's") {
    t.start();
    CHECK(t.answer(kOk) == "POST /up HTTP/1.1\r\nhost: check.example\r\nx-a: 1\r\ncontent-length: 4\r\n\r\nping");
  }
  SECTION("the endpoint's") {
    t.hosts[0]->check.hostname = "one.example";
    t.start();
    CHECK(t.answer(kOk).find("host: one.example\r\n") != std::string::npos);
  }
}

TEST_CASE("a host that asks to be failed is, at once, and is excluded until checks let it in") {
  ChecksTest t(1, [](auto& check) { check.unhealthy_threshold = check.healthy_threshold = 2; });
  t.start();
  t.answer(kOk);
  t.checks->failNow(t.monitor());
  CHECK(t.health() == Health::kUnhealthy);
  CHECK(t.monitor().excluded());
  CHECK(t.monitor().reason(HealthInput::kActiveCheck) == "the host asked to be failed");
  CHECK(t.stat("passive_failure") == 1);
  CHECK(t.stat("failure") == 1);
  CHECK(t.stat("healthy") == 0);

  t.pass(5s);  // the next check comes when it would have come
  t.answer(kOk);
  CHECK(t.monitor().excluded());
  t.pass(5s);
  t.answer(kOk);
  CHECK(t.healthy());
  CHECK_FALSE(t.monitor().excluded());
}

TEST_CASE("a host that asks before its first check is over has not to wait for it") {
  ChecksTest t;
  t.start();
  t.checks->failNow(t.monitor());
  t.turn();
  CHECK_FALSE(t.monitor().pending());
  CHECK(t.all_checked == 1);
  t.answer(kOk);
  CHECK(t.healthy());
}

TEST_CASE("a failed check may ask for it, too, and one that passed may not") {
  ChecksTest t;
  t.start();
  t.answer("200 OK\r\nx-envoy-immediate-health-check-fail: true");
  CHECK(t.healthy());
  CHECK_FALSE(t.monitor().excluded());
  t.pass(5s);
  t.answer("503 No\r\nx-envoy-immediate-health-check-fail: true");
  CHECK(t.health() == Health::kUnhealthy);
  CHECK(t.monitor().excluded());
  CHECK(t.stat("passive_failure") == 0);
}

TEST_CASE("the hosts are built anew when a first check is over that failed, if that changes what is counted") {
  const bool wanted = GENERATE(true, false);
  ChecksTest t;
  t.exclude_unchecked = wanted;
  t.start();
  t.answer("503 No");
  CHECK(t.flips == (wanted ? 1 : 0));
}

TEST_CASE("when checks end a host that asked to be failed is let in") {
  ChecksTest t;
  t.start();
  t.answer(kOk);
  t.checks->failNow(t.monitor());
  t.checks.reset();
  CHECK(t.healthy());
  CHECK_FALSE(t.monitor().excluded());
}

TEST_CASE("an endpoint that is not to be checked is not, and counts as healthy") {
  ChecksTest t(2);
  t.hosts[1]->check.wanted = false;
  t.start();
  CHECK(t.healthy(1));
  CHECK(t.connections(1) == 0);
  CHECK(t.checks->checked() == 1);
}

TEST_CASE("an endpoint may be checked at an address of its own") {
  ChecksTest t;
  pool::TestUpstream elsewhere;
  t.hosts[0]->check.address = elsewhere.address;
  t.start();
  CHECK(t.connections() == 0);
  CHECK(elsewhere.accept() == 1);
  elsewhere.peer(0).send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  t.turn();
  CHECK(t.healthy());
}

TEST_CASE("while the cluster has no traffic checks are rarer") {
  ChecksTest t;
  t.traffic = false;
  t.start();
  t.answer(kOk);
  t.pass(59s);
  CHECK(t.peer().take().empty());
  t.pass(1s);
  CHECK_FALSE(t.peer().take().empty());
}

TEST_CASE("a host that leaves is not asked any more, and one that comes again is new, though it is remembered") {
  ChecksTest t(2);
  t.start();
  t.answer("500 No", {}, 0, 1);
  const auto remembered = t.set->entries()[1].host;
  auto left = std::move(t.hosts.back());
  t.hosts.pop_back();
  t.setHosts();
  CHECK(t.checks->checked() == 1);
  t.hosts.push_back(std::move(left));
  t.setHosts();
  CHECK(&t.monitor(1) == &remembered->monitor());
  CHECK_FALSE(t.healthy(1));
  CHECK(t.monitor(1).pending());
  t.answer(kOk, {}, 1, 1);
  CHECK(t.healthy(1));
}

TEST_CASE("nobody objects to an endpoint that is not to be checked any more") {
  ChecksTest t;
  t.start();
  t.answer("500 No");
  const auto remembered = t.set->entries()[0].host;
  if (GENERATE(false, true)) {
    auto left = std::move(t.hosts);
    t.hosts.clear();
    t.setHosts();
    t.hosts = std::move(left);
  }
  t.hosts[0]->check.wanted = false;
  t.setHosts();
  CHECK(t.healthy());
  CHECK(t.checks->checked() == 0);
}

TEST_CASE("a host that served before its cluster was checked stays until checks say otherwise") {
  ChecksTest t;
  t.setHosts();
  t.start();
  CHECK(t.healthy());
  CHECK(t.checks->pending() == 0);
  CHECK(t.all_checked == 1);
  t.answer("500 No");
  CHECK_FALSE(t.healthy());
}

TEST_CASE("another configuration goes on with what is known, and asks within its interval") {
  ChecksTest t;
  t.start();
  t.answer("500 No");
  t.check.http.path = "/other";
  t.check.healthy_threshold = 2;
  t.check.timeout = 20s;
  t.checks->setConfig(t.config());
  CHECK_FALSE(t.healthy());
  t.pass(5s);
  CHECK(t.answer(kOk, {}, 1).starts_with("GET /other "));
  CHECK_FALSE(t.healthy());
  t.pass(5s);
  t.answer(kOk, {}, 1);
  CHECK(t.healthy());
}

TEST_CASE("another configuration does not put off a first check") {
  ChecksTest t;
  t.start();
  t.check.interval = 1h;
  t.checks->setConfig(t.config());
  t.turn();
  t.answer(kOk, {}, 1);
  CHECK(t.healthy());
  CHECK(t.all_checked == 1);
}

TEST_CASE("when checks end nobody objects any more") {
  ChecksTest t;
  t.start();
  t.answer("500 No");
  t.checks.reset();
  CHECK(t.healthy());
  t.pass(10s);
  CHECK(t.connections() == 1);
}

// --- TCP -------------------------------------------------------------------------------------------------------------

TEST_CASE("a check of TCP that expects nothing is over when it is connected") {
  ChecksTest t(1, [](auto& check) { check.kind = HealthCheckConfig::Kind::kTcp; });
  t.start();
  CHECK(t.healthy());
  t.peer().take();
  CHECK(t.peer().closed);
  t.pass(5s);
  CHECK(t.connections() == 2);
}

TEST_CASE("a check of TCP sends, and waits for all that it expects") {
  ChecksTest t(1, [](auto& check) {
    check.kind = HealthCheckConfig::Kind::kTcp;
    check.tcp.send = "PING\r\n";
    check.tcp.receive = {"+PO", "NG"};
  });
  t.start();
  CHECK(t.peer().take() == "PING\r\n");
  t.peer().send("+PO");
  t.turn();
  CHECK_FALSE(t.healthy());
  t.peer().send("NG\r\n");
  t.turn();
  CHECK(t.healthy());
  SECTION("and asks again on the same connection") {
    t.pass(5s);
    CHECK(t.peer().take() == "PING\r\n");
    t.pass(1s);
    CHECK(t.health() == Health::kTimeout);
  }
  SECTION("or on another one, if the host closed it") {
    t.peer().close();
    t.turn();
    CHECK(t.healthy());
    t.pass(5s);
    CHECK(t.peer(1).take() == "PING\r\n");
  }
}

// --- events ----------------------------------------------------------------------------------------------------------

TEST_CASE("changes are lines of JSON, and failures if that is wanted") {
  observability::StatsRegistry registry;
  observability::LogFiles files(registry);
  observability::LogSink sink(files);
  const std::string path = std::string(getenv("TEST_TMPDIR") ? getenv("TEST_TMPDIR") : "/tmp") + "/checks.log";
  ChecksTest t(1, [&](auto& check) {
    check.logs = {*files.open(path)};
    check.log_failures = true;
    check.healthy_threshold = 2;
  });
  t.log = {&sink, t.wallClock()};
  t.start();
  t.answer(kOk);
  for (const char* status : {"503 No", "503 No", "200 OK", "200 OK"}) {
    t.pass(5s);
    t.answer(status);
  }
  files.flush();
  std::string text, events;
  if (FILE* file = fopen(path.c_str(), "r")) {
    char buffer[8192];
    text.assign(buffer, fread(buffer, 1, sizeof(buffer), file));
    fclose(file);
  }
  const std::string lead = "{\"health_checker_type\":\"HTTP\",\"host\":{\"pipe\":{\"path\":";
  size_t lines = 0;
  for (size_t at = text.find(lead); at != std::string::npos; at = text.find(lead, at + 1)) {
    ++lines;
    const size_t from = text.find("\"cluster_name\":\"c\",", at) + 19;
    events += text.substr(from, text.find('\n', from) + 1 - from);
  }
  CHECK(lines == 5);
  CHECK(events ==
        "\"add_healthy_event\":{\"first_check\":true},\"timestamp\":\"2001-09-09T01:46:40.000Z\"}\n"
        "\"eject_unhealthy_event\":{\"failure_type\":\"ACTIVE\",\"http_status_code\":503},"
        "\"timestamp\":\"2001-09-09T01:46:45.000Z\"}\n"
        "\"health_check_failure_event\":{\"failure_type\":\"ACTIVE\",\"http_status_code\":503,\"first_check\":false},"
        "\"timestamp\":\"2001-09-09T01:46:45.000Z\"}\n"
        "\"health_check_failure_event\":{\"failure_type\":\"ACTIVE\",\"http_status_code\":503,\"first_check\":false},"
        "\"timestamp\":\"2001-09-09T01:46:50.000Z\"}\n"
        "\"add_healthy_event\":{\"first_check\":false},\"timestamp\":\"2001-09-09T01:47:00.000Z\"}\n");
}

}  // namespace
}  // namespace sluice::upstream::health
