#include "source/dns_cache/dns_cache.h"

#include <catch2/catch.hpp>
#include <optional>
#include <thread>

#include "source/dns_cache/test_dns.h"

using namespace std::chrono_literals;

namespace sluice::dns_cache {
namespace {

using Asked = DnsCache::Asked;
using Outcome = ResolvedHost::Outcome;

struct Asker : Waiter {
  void onResolved(const ResolvedHostPtr& answer) override { host = answer; }
  ResolvedHostPtr host;
};

// The worker comes first: what is told to it on its way out has to have a place.
struct Fixture {
  testing::CacheBed& bed() {
    if (!made) made.emplace(worker.registry, settings);
    return *made;
  }
  DnsCache::Answer ask(std::string_view host, Waiter& waiter) {
    return bed().cache->ask(worker, *parseHostName(host, 80), waiter);
  }
  // What a worker is told at once.
  ResolvedHostPtr known(std::string_view host) {
    Asker asker;
    return ask(host, asker).host;
  }
  // Its addresses, or why there are none; "?": nothing is known.
  std::string text(const ResolvedHostPtr& host) {
    if (!host) return "?";
    if (host->outcome != Outcome::kResolved) return host->details;
    std::string out;
    for (const net::Address& address : host->addresses) out += address.toString() + " ";
    return out;
  }
  std::string now(std::string_view host) { return text(known(host)); }
  void settle() { bed().settle(worker); }
  void pass(event::Duration time) { bed().pass(worker, time); }
  // Asks for it, and has the DNS say so.
  void resolve(std::string_view host, const std::vector<std::string>& ips, std::chrono::seconds ttl = {}) {
    Asker asker;
    ask(host, asker);
    settle();
    dns().found(ips, ttl);
    settle();
  }
  testing::FakeDns& dns() { return bed().dns; }
  int64_t stat(const std::string& name) const { return worker.stat("dns_cache.n." + name); }

  Settings settings;
  worker::testing::TestWorker worker;
  std::optional<testing::CacheBed> made;
};

TEST_CASE("the first request for a name waits for the DNS, the next one does not") {
  Fixture f;
  Asker first, second;
  CHECK(f.ask("a.example", first).asked == Asked::kWaiting);
  CHECK(f.ask("A.example:80", second).asked == Asked::kWaiting);
  f.settle();
  REQUIRE(f.dns().waiting() == 1);
  CHECK(first.host == nullptr);

  f.dns().found({"1.1.1.1", "2.2.2.2"});
  f.settle();

  CHECK(f.text(first.host) == "1.1.1.1:80 2.2.2.2:80 ");
  CHECK(second.host == first.host);
  CHECK(f.now("a.example") == "1.1.1.1:80 2.2.2.2:80 ");
  CHECK(f.dns().asked == std::vector<std::string>{"a.example"});
  CHECK(f.stat("dns_query_attempt") == 1);
  CHECK(f.stat("dns_query_success") == 1);
  CHECK(f.stat("host_added") == 1);
  CHECK(f.stat("host_address_changed") == 1);
  CHECK(f.stat("num_hosts") == 1);
}

TEST_CASE("a name with another port is another host") {
  Fixture f;
  f.resolve("a.example", {"1.1.1.1"});
  CHECK(f.now("a.example:81") == "?");
}

TEST_CASE("who does not wait any more is not told") {
  Fixture f;
  auto gone = std::make_unique<Asker>();
  Asker stays;
  f.ask("a.example", *gone);
  f.ask("a.example", stays);
  CHECK(f.stat("circuit_breakers.rq_pending_remaining") == 1022);
  gone.reset();
  CHECK(f.stat("circuit_breakers.rq_pending_remaining") == 1023);
  f.settle();
  f.dns().found({"1.1.1.1"});
  f.settle();

  CHECK(f.text(stays.host) == "1.1.1.1:80 ");
  CHECK(f.stat("circuit_breakers.rq_pending_remaining") == 1024);
}

TEST_CASE("one that is told may end others that wait") {
  struct Killer : Waiter {
    void onResolved(const ResolvedHostPtr&) override { other.reset(); }
    std::unique_ptr<Asker> other = std::make_unique<Asker>();
  };
  Fixture f;
  Killer killer;
  f.ask("a.example", killer);
  f.ask("a.example", *killer.other);
  f.settle();
  f.dns().found({"1.1.1.1"});
  f.settle();
  CHECK(killer.other == nullptr);
  CHECK(f.stat("circuit_breakers.rq_pending_remaining") == 1024);
}

TEST_CASE("no more wait than may, and the breaker shows it") {
  Fixture f;
  f.settings.max_pending_requests = 2;
  std::optional<Asker> first;
  first.emplace();
  Asker second, third;
  CHECK(f.ask("a.example", *first).asked == Asked::kWaiting);
  CHECK(f.stat("circuit_breakers.rq_pending_open") == 0);
  CHECK(f.ask("b.example", second).asked == Asked::kWaiting);
  CHECK(f.stat("circuit_breakers.rq_pending_open") == 1);

  CHECK(f.ask("b.example", third).asked == Asked::kTooMany);

  CHECK(f.stat("dns_rq_pending_overflow") == 1);
  first.reset();
  CHECK(f.stat("circuit_breakers.rq_pending_open") == 0);
  CHECK(f.ask("b.example", third).asked == Asked::kWaiting);
}

TEST_CASE("a name that cannot be resolved is answered at once until it is asked for again") {
  Fixture f;
  Asker asker;
  f.ask("a.example", asker);
  f.settle();
  f.dns().fail();
  f.settle();
  CHECK(f.text(asker.host) == "dns_resolution_failure{server_failure}");
  CHECK(f.now("a.example") == "dns_resolution_failure{server_failure}");
  CHECK(f.dns().waiting() == 0);
  CHECK(f.stat("dns_query_failure") == 1);

  f.pass(60s);
  REQUIRE(f.dns().waiting() == 1);
  f.dns().found({"1.1.1.1"});
  f.settle();

  CHECK(f.now("a.example") == "1.1.1.1:80 ");
}

TEST_CASE("no such name is an answer without addresses") {
  Fixture f;
  Asker asker;
  f.ask("a.example", asker);
  f.settle();
  f.dns().noSuchName();
  f.settle();
  CHECK(f.text(asker.host) == "dns_resolution_failure{no_such_name}");
  CHECK(f.stat("dns_query_success") == 1);
}

TEST_CASE("a lookup that is never answered is given up") {
  Fixture f;
  Asker asker;
  f.ask("a.example", asker);
  f.pass(4999ms);
  CHECK(asker.host == nullptr);
  f.pass(1ms);

  CHECK(f.text(asker.host) == "dns_resolution_failure{resolve_timeout}");
  CHECK(f.stat("dns_query_timeout") == 1);
  CHECK(f.stat("dns_query_failure") == 1);
  CHECK(f.dns().waiting() == 0);
}

TEST_CASE("addresses that lead inside are never found") {
  Fixture f;
  f.resolve("a.example", {"127.0.0.1", "1.1.1.1", "169.254.169.254"});
  CHECK(f.now("a.example") == "1.1.1.1:80 ");
  CHECK(f.stat("internal_address_refused") == 2);

  f.resolve("b.example", {"10.0.0.1"});
  CHECK(f.now("b.example") == "dns_address_refused{10.0.0.1}");
  CHECK(f.known("b.example")->outcome == Outcome::kRefused);
  CHECK(f.known("b.example")->addresses.empty());
}

TEST_CASE("a name that led outside and leads inside later stays where it was") {
  Fixture f;
  f.resolve("a.example", {"1.1.1.1"}, 5s);
  f.pass(5s);
  REQUIRE(f.dns().found({"127.0.0.1"}, 5s));
  f.settle();
  CHECK(f.now("a.example") == "1.1.1.1:80 ");
  CHECK(f.stat("internal_address_refused") == 1);
}

TEST_CASE("ranges that are allowed are found, and filtered ones are not") {
  Fixture f;
  f.settings.guard = AddressGuard({*net::Cidr::make("127.0.0.0", 8)}, {{*net::Cidr::make("1.0.0.0", 8)}});
  f.resolve("a.example", {"1.1.1.1", "127.0.0.1"});
  CHECK(f.now("a.example") == "127.0.0.1:80 ");
  CHECK(f.stat("dns_address_filter_out") == 1);
  CHECK(f.stat("internal_address_refused") == 0);
}

TEST_CASE("the time to live says when a name is asked for again, within bounds") {
  const auto [ttl, until_next] =
      GENERATE(table<std::chrono::seconds, std::chrono::seconds>({{0s, 60s}, {1s, 5s}, {30s, 30s}, {24h, 1h}}));
  CAPTURE(ttl.count());
  Fixture f;
  f.resolve("a.example", {"1.1.1.1"}, ttl);
  f.pass(until_next - 1ms);
  CHECK(f.dns().waiting() == 0);
  CHECK(f.now("a.example") == "1.1.1.1:80 ");
  f.pass(1ms);

  REQUIRE(f.dns().found({"3.3.3.3"}));
  f.settle();
  CHECK(f.now("a.example") == "3.3.3.3:80 ");
}

TEST_CASE("after failures the wait doubles up to its maximum, with half of it at random") {
  Fixture f;
  f.settings.failure_base_interval = 1s;
  f.settings.failure_max_interval = 4s;
  Asker asker;
  f.ask("a.example", asker);
  f.settle();
  for (const auto full : {1000ms, 2000ms, 4000ms, 4000ms}) {
    REQUIRE(f.dns().fail());
    f.pass(full / 2 - 1ms);
    CHECK(f.dns().waiting() == 0);
    f.pass(full / 2 + 1ms);
    REQUIRE(f.dns().waiting() == 1);
  }
}

TEST_CASE("a name stays as long as somebody asks for it, and goes after that") {
  Fixture f;
  f.resolve("a.example", {"1.1.1.1"}, 100s);
  for (int i = 0; i < 5; ++i) {
    f.pass(100s);
    REQUIRE(f.dns().found({"1.1.1.1"}, 100s));
    f.settle();
    CHECK(f.now("a.example") == "1.1.1.1:80 ");
  }
  for (int i = 0; i < 4; ++i) {
    f.pass(100s);
    f.dns().found({"1.1.1.1"}, 100s);
  }
  f.settle();

  CHECK(f.now("a.example") == "?");
  CHECK(f.stat("host_removed") == 1);
  CHECK(f.dns().waiting() == 0);
}

TEST_CASE("a full cache says so, and names that are none make room") {
  Fixture f;
  f.settings.max_hosts = 2;
  f.resolve("a.example", {"1.1.1.1"});
  Asker asker;
  f.ask("bad.example", asker);
  f.settle();
  f.dns().fail();
  f.settle();

  f.resolve("b.example", {"1.1.1.1"});
  CHECK(f.now("b.example") == "1.1.1.1:80 ");
  CHECK(f.stat("host_removed") == 1);

  Asker late;
  f.ask("c.example", late);
  f.settle();
  REQUIRE(late.host != nullptr);
  CHECK(late.host->outcome == Outcome::kFull);
  CHECK(late.host->details == "dns_cache_overflow");
  CHECK(f.stat("host_overflow") == 1);
  CHECK(f.stat("num_hosts") == 2);
  CHECK(f.stat("circuit_breakers.rq_pending_remaining") == 1024);
}

TEST_CASE("in a full cache names that nobody wants make room, and those in use stay") {
  Fixture f;
  f.settings.max_hosts = 2;
  f.resolve("used.example", {"1.1.1.1"});
  f.resolve("once.example", {"2.2.2.2"});
  f.pass(9s);
  f.resolve("c.example", {"3.3.3.3"});
  CHECK(f.stat("host_overflow") == 1);

  CHECK(f.now("used.example") == "1.1.1.1:80 ");
  f.pass(1s);
  f.resolve("c.example", {"3.3.3.3"});

  CHECK(f.now("c.example") == "3.3.3.3:80 ");
  CHECK(f.now("used.example") == "1.1.1.1:80 ");
  CHECK(f.now("once.example") == "?");
  CHECK(f.stat("host_overflow") == 1);
  CHECK(f.stat("num_hosts") == 2);
}

TEST_CASE("names may be known beforehand") {
  Fixture f;
  f.settings.preresolved = {*parseHostName("a.example:81", 80), *parseHostName("a.example:81", 80)};
  f.bed();
  CHECK(f.dns().waiting() == 1);
  f.dns().found({"1.1.1.1"});

  Asker asker;
  f.ask("a.example:81", asker);
  f.settle();
  CHECK(f.text(asker.host) == "1.1.1.1:81 ");
}

TEST_CASE("all workers that asked are told of changes") {
  Fixture f;
  f.resolve("a.example", {"1.1.1.1"}, 10s);
  auto other = std::make_unique<worker::testing::TestWorker>(nullptr, f.bed().slots, 1);
  Asker asker;
  f.bed().cache->ask(*other, *parseHostName("a.example", 80), asker);
  f.bed().settle(*other);
  CHECK(f.text(asker.host) == "1.1.1.1:80 ");

  f.pass(10s);
  f.dns().found({"2.2.2.2"}, 10s);
  f.settle();
  f.bed().settle(*other);
  Asker again;
  CHECK(f.text(f.bed().cache->ask(*other, *parseHostName("a.example", 80), again).host) == "2.2.2.2:80 ");
  CHECK(f.now("a.example") == "2.2.2.2:80 ");
  CHECK(f.stat("host_address_changed") == 2);
}

TEST_CASE("the last owner may let go of a cache on any thread") {
  Fixture f;
  f.resolve("a.example", {"1.1.1.1"});
  std::thread([cache = std::move(f.bed().cache)]() mutable { cache.reset(); }).join();
  f.bed().main.settle();
  CHECK(f.dns().waiting() == 0);
  f.bed().main.advance(1h);
}

}  // namespace
}  // namespace sluice::dns_cache
