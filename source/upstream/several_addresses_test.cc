// Hosts with more than one address: which of them connections of pools, and those for bytes, go to.
#include "source/upstream/tcp_connection.h"
#include "source/upstream/test_attempt.h"

namespace sluice::upstream {
namespace {

struct Bytes : HostStreamEvents {
  void onHostConnected() override { connected = true; }
  void onHostFailed(std::string_view, bool timed_out) override {
    failed = true;
    timeout = timed_out;
  }
  size_t hostCredit() override { return 1024; }
  void onHostData(std::string_view bytes) override { got += bytes; }
  void onHostEnd() override {}
  void onHostBroken() override {}
  void onHostDrained() override {}

  bool connected = false, failed = false, timeout = false;
  std::string got;
  HostStream::Ptr stream;
};

struct SeveralTest : AttemptTest {
  SeveralTest() {
    stats.cx_total = registry.counter("cx_total");
    stats.cx_connect_fail = registry.counter("cx_connect_fail");
    config->connect_timeout = 2s;
  }
  // From now on there is one host, at `first` and then these.
  void hostAt(const net::Address& first, std::vector<net::Address> others) {
    cluster::Assignment assignment;
    auto& endpoint = assignment.localities.emplace_back().endpoints.emplace_back();
    endpoint.address = first;
    endpoint.additional = std::move(others);
    assign(assignment);
  }
  bool answeredBy(User& user, TestHost& host) {
    if (!loop.until([&] { return user.heard.find("ready") != std::string::npos; })) return false;
    if (host.upstream.accept() == 0) return false;
    answer(host);
    return user.heard == "ready 200 end ";
  }

  net::SilentHost silent;
};

TEST_CASE("a request goes to the next address of its host when nobody is at the first") {
  SeveralTest t;
  t.one.upstream.stop();
  t.hostAt(t.one.upstream.address, {t.two.upstream.address});
  User user(t.arena);
  t.begin(user);
  CHECK(t.answeredBy(user, t.two));
  CHECK(t.stat("cx_total") == 1);
  CHECK(t.stat("cx_connect_fail") == 0);
}

TEST_CASE("a request goes to the next address when the first does not answer in time") {
  SeveralTest t;
  t.hostAt(t.silent.address, {t.two.upstream.address});
  User user(t.arena);
  t.begin(user);
  t.loop.pass(299ms);
  CHECK(t.two.upstream.accept() == 0);
  t.loop.pass(1ms);
  CHECK(t.answeredBy(user, t.two));
}

TEST_CASE("a host all of whose addresses fail is counted as one failure") {
  SeveralTest t;
  t.one.upstream.stop();
  t.two.upstream.stop();
  t.hostAt(t.one.upstream.address, {t.two.upstream.address});
  User user(t.arena);
  t.begin(user);
  CHECK(t.loop.until([&] { return user.heard.find("failed") != std::string::npos; }));
  CHECK(t.stat("cx_total") == 1);
  CHECK(t.stat("cx_connect_fail") == 1);
  CHECK(t.ofHost(cluster::HostStat::kCxConnectFail) == 1);
  CHECK(t.ofHost(cluster::HostStat::kCxTotal) == 1);
}

TEST_CASE("the timeout of connecting is one for all addresses") {
  SeveralTest t;
  const net::SilentHost other;
  t.hostAt(t.silent.address, {other.address});
  Bytes bytes;
  bytes.stream = TcpConnection::open(t.cluster(), 0, kPriority, {}, bytes).stream;
  t.loop.pass(1999ms);
  const bool early = bytes.failed;
  t.loop.pass(1ms);
  CHECK_FALSE(early);
  CHECK(bytes.timeout);
}

TEST_CASE("a connection for bytes tries the next address, too") {
  SeveralTest t;
  t.hostAt(t.silent.address, {t.two.upstream.address});
  Bytes bytes;
  bytes.stream = TcpConnection::open(t.cluster(), 0, kPriority, {}, bytes).stream;
  t.loop.pass(300ms);
  REQUIRE(t.loop.until([&] { return bytes.connected; }));
  t.two.upstream.peer(0).send("hello");
  t.loop.turn();
  CHECK(bytes.got == "hello");
}

TEST_CASE("a host keeps its connections when its further addresses change, and new ones try the new") {
  SeveralTest t;
  t.hostAt(t.one.upstream.address, {});
  const cluster::Host* const host = t.host_set->host(0);
  User first(t.arena);
  t.begin(first);
  t.answer(t.one);
  REQUIRE(first.heard == "ready 200 end ");

  t.one.upstream.stop();
  t.hostAt(t.one.upstream.address, {t.two.upstream.address});
  CHECK(t.host_set->host(0) == host);
  User again(t.arena);
  t.begin(again);
  t.answer(t.one);
  CHECK(again.heard == "ready 200 end ");

  t.one.upstream.peer(0).close();
  t.loop.turn();
  User moved(t.arena);
  t.begin(moved);
  CHECK(t.answeredBy(moved, t.two));
}

TEST_CASE("families of addresses take turns as the cluster says") {
  SeveralTest t;
  const net::Address v4 = *net::Address::fromIp("192.0.2.1", 1), v6 = *net::Address::fromIp("2001:db8::1", 1);
  const net::Address other = *net::Address::fromIp("192.0.2.2", 1);
  t.hostAt(v4, {other, v6});
  CHECK(std::vector<net::Address>(t.host_set->addressesOf(0).begin(), t.host_set->addressesOf(0).end()) ==
        std::vector<net::Address>{v4, v6, other});
  t.config->lb.hosts.families.first = net::Address::Family::kIpv6;
  t.hostAt(v4, {other, v6});
  CHECK(t.host_set->addressesOf(0).front() == v6);
  CHECK(t.host_set->host(0)->address() == v4);
}

}  // namespace
}  // namespace sluice::upstream
