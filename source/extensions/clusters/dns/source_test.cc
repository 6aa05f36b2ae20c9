#include "source/extensions/clusters/dns/source.h"

#include <catch2/catch.hpp>
#include <deque>
#include <set>

#include "source/event/simulated_loop.h"

namespace sluice::extensions::clusters::dns {
namespace {

using namespace std::chrono_literals;
using net::DnsResult;
using upstream::cluster::AssignmentPtr;
using upstream::cluster::Endpoint;
using upstream::cluster::Host;
using upstream::cluster::HostSet;
using upstream::cluster::HostSetPtr;

// Questions wait here until the test answers them.
class FakeResolver : public net::DnsResolver {
 public:
  struct Question {
    std::string name;
    net::DnsLookupFamily family;
    OnResult on_result;
    std::shared_ptr<bool> alive;
  };

  std::unique_ptr<net::DnsQuery> resolve(std::string_view name, net::DnsLookupFamily family,
                                         OnResult on_result) override {
    auto alive = std::make_shared<bool>(true);
    questions.push_back({std::string(name), family, std::move(on_result), alive});
    return std::make_unique<Handle>(alive);
  }

  // Answers the oldest question; false if there is none that is still wanted.
  bool answer(DnsResult result) {
    while (!questions.empty()) {
      Question question = std::move(questions.front());
      questions.pop_front();
      if (!*question.alive) continue;
      question.on_result(std::move(result));
      return true;
    }
    return false;
  }

  size_t waiting() const {
    size_t count = 0;
    for (const Question& question : questions) count += *question.alive;
    return count;
  }

  std::deque<Question> questions;

 private:
  struct Handle : net::DnsQuery {
    explicit Handle(std::shared_ptr<bool> alive) : alive(std::move(alive)) {}
    ~Handle() override { *alive = false; }
    std::shared_ptr<bool> alive;
  };
};

DnsResult found(std::vector<std::string> ips, std::chrono::seconds ttl = 0s) {
  DnsResult result;
  result.status = DnsResult::Status::kOk;
  for (const std::string& ip : ips) result.addresses.push_back(*net::Address::fromIp(ip, 0));
  result.ttl = ttl;
  return result;
}

DnsResult failed() {
  DnsResult result;
  result.detail = "server failure";
  return result;
}

DnsResult noSuchName() {
  DnsResult result;
  result.status = DnsResult::Status::kNoSuchName;
  result.detail = "no such name";
  return result;
}

// A STRICT_DNS cluster asks for nothing by name.
class NoEndpoints : public upstream::cluster::Endpoints {
 public:
  std::unique_ptr<Watch> watch(std::string_view, const std::string&, const std::string&, Watcher&) override {
    return nullptr;
  }
};

struct Fixture : upstream::cluster::HostSource::Receiver {
  event::SimulatedLoop loop;
  FakeResolver resolver;
  NoEndpoints by_name;
  std::vector<HostSetPtr> published;
  upstream::cluster::Assignment endpoints;
  Settings settings;
  bool destroys = false;  // the source, when it tells of hosts
  uint64_t seed = 1;
  std::unique_ptr<Kind> kind;
  std::unique_ptr<upstream::cluster::HostSource> source;

  Fixture() {
    endpoints.localities.resize(1);
    addName("a.test", 80);
  }

  void addName(const std::string& name, uint16_t port) {
    Endpoint& endpoint = endpoints.localities[0].endpoints.emplace_back();
    endpoint.dns_name = name;
    endpoint.dns_port = port;
  }

  void start(HostSetPtr previous = nullptr) {
    source.reset();
    kind = std::make_unique<Kind>(endpoints, settings);
    source = kind->makeSource({loop, resolver, by_name}, {"c", seed, std::move(previous)}, *this);
    source->start();
  }
  // What the owner of a source does with endpoints.
  void onEndpoints(AssignmentPtr assignment) override {
    const HostSet* const before = published.empty() ? nullptr : published.back().get();
    published.push_back(HostSet::build(*assignment, {}, before));
    if (destroys) source.reset();
  }
  void onNoEndpoints(std::string_view) override { FAIL("names always give something"); }

  const Source& dns() const { return static_cast<const Source&>(*source); }
  std::string hosts() const {
    std::string out;
    if (published.empty()) return out;
    for (const HostSet::Entry& entry : published.back()->entries()) out += entry.host->addressText() + " ";
    return out;
  }
};

TEST_CASE("a cluster is warm after the first answer and serves its addresses") {
  Fixture f;
  f.start();
  CHECK_FALSE(f.dns().warm());
  CHECK(f.dns().problem() == "a.test: not resolved yet");

  f.resolver.answer(found({"10.0.0.1", "10.0.0.2"}));

  CHECK(f.dns().warm());
  CHECK(f.hosts() == "10.0.0.1:80 10.0.0.2:80 ");
  CHECK(f.published.back()->entries()[0].host->hostname() == "a.test");
  CHECK(f.published.size() == 1);
  CHECK(f.dns().problem().empty());
}

TEST_CASE("a cluster is warm after the first failure too, without hosts") {
  Fixture f;
  f.start();

  f.resolver.answer(failed());

  CHECK(f.dns().warm());
  CHECK(f.published.size() == 1);
  CHECK(f.hosts().empty());
  CHECK(f.dns().problem() == "a.test: server failure");
}

TEST_CASE("a cluster waits for the first answer to each of its names and asks each name once") {
  Fixture f;
  f.addName("b.test", 81);
  f.addName("a.test", 82);
  f.start();
  REQUIRE(f.resolver.waiting() == 2);

  f.resolver.answer(found({"10.0.0.1"}));
  CHECK_FALSE(f.dns().warm());
  f.resolver.answer(found({"10.0.0.2"}));

  CHECK(f.hosts() == "10.0.0.1:80 10.0.0.2:81 10.0.0.1:82 ");
}

TEST_CASE("names are asked again after the refresh rate and hosts keep their identity") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1", "10.0.0.2"}));
  const Host* kept = f.published.back()->host(1);
  f.loop.advance(4999ms);
  CHECK(f.resolver.waiting() == 0);

  f.loop.advance(1ms);
  REQUIRE(f.resolver.waiting() == 1);
  f.resolver.answer(found({"10.0.0.2", "10.0.0.3"}));

  CHECK(f.hosts() == "10.0.0.2:80 10.0.0.3:80 ");
  CHECK(f.published.back()->entries()[0].host.get() == kept);
}

TEST_CASE("an unchanged answer publishes nothing") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1"}));
  f.loop.advance(5s);

  f.resolver.answer(found({"10.0.0.1"}));

  CHECK(f.published.size() == 1);
  CHECK(f.dns().updates()->no_rebuild == 1);
  CHECK(f.dns().updates()->successes == 2);
}

TEST_CASE("a failure keeps the last good hosts") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1"}));

  for (int i = 0; i < 50; ++i) {
    f.loop.advance(5s);
    REQUIRE(f.resolver.answer(failed()));
  }

  CHECK(f.hosts() == "10.0.0.1:80 ");
  CHECK(f.published.size() == 1);
  CHECK(f.dns().updates()->failures == 50);
}

TEST_CASE("one denial of the name keeps the hosts, a second one takes them away") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1"}));
  f.loop.advance(5s);
  f.resolver.answer(noSuchName());
  CHECK(f.hosts() == "10.0.0.1:80 ");
  f.loop.advance(5s);

  f.resolver.answer(noSuchName());

  CHECK(f.hosts().empty());
  f.loop.advance(5s);
  f.resolver.answer(found({"10.0.0.1"}));
  CHECK(f.hosts() == "10.0.0.1:80 ");
}

TEST_CASE("the time to live is respected only if asked, up to an hour, and 0 means the refresh rate") {
  Fixture f;
  f.settings.respect_ttl = true;
  f.start();
  f.resolver.answer(found({"10.0.0.1"}, 60s));
  f.loop.advance(59s);
  CHECK(f.resolver.waiting() == 0);
  f.loop.advance(1s);
  REQUIRE(f.resolver.waiting() == 1);

  f.resolver.answer(found({"10.0.0.1"}, 0s));
  f.loop.advance(5s);
  REQUIRE(f.resolver.waiting() == 1);

  f.resolver.answer(found({"10.0.0.1"}, 100000s));
  f.loop.advance(3599s);
  CHECK(f.resolver.waiting() == 0);
  f.loop.advance(1s);
  CHECK(f.resolver.waiting() == 1);
}

TEST_CASE("a short time to live counts as the shortest that is configured") {
  Fixture f;
  f.settings.respect_ttl = true;
  f.settings.min_ttl = 10s;
  f.start();

  f.resolver.answer(found({"10.0.0.1"}, 1s));

  f.loop.advance(9999ms);
  CHECK(f.resolver.waiting() == 0);
  f.loop.advance(1ms);
  CHECK(f.resolver.waiting() == 1);
}

TEST_CASE("with one address the host stays at its own as long as the name has that") {
  Fixture f;
  f.settings.one_address = true;
  f.start();
  f.resolver.answer(found({"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
  const std::string first = f.hosts();
  const Host* const host = f.published.back()->host(0);
  REQUIRE(f.published.back()->entries().size() == 1);

  f.loop.advance(5s);
  f.resolver.answer(found({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}));
  CHECK(f.hosts() == first);
  CHECK(f.published.back()->host(0) == host);
  CHECK(f.published.size() == 2);
  CHECK(f.published.back()->addressesOf(0).size() == 4);

  f.loop.advance(5s);
  f.resolver.answer(found({"10.0.0.9"}));
  CHECK(f.hosts() == "10.0.0.9:80 ");
  CHECK(f.published.back()->addressesOf(0).empty());
}

TEST_CASE("with one address the others of the name are tried behind it, from there on") {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Fixture f;
    f.settings.one_address = true;
    f.seed = seed;
    f.start();
    f.resolver.answer(found({"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
    std::string tried;
    for (const net::Address& address : f.published.back()->addressesOf(0)) tried += address.toString() + " ";
    const std::string circle = "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80 10.0.0.1:80 10.0.0.2:80 ";
    CHECK(circle.find(tried) != std::string::npos);
    CHECK(tried.starts_with(f.hosts()));
    CHECK(f.published.back()->addressesOf(0).size() == 3);
  }
}

TEST_CASE("with one address no more are tried than a connection can have, and its own is among them") {
  Fixture f;
  f.settings.one_address = true;
  f.seed = 3;
  f.start();
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  f.resolver.answer(found(many));
  const std::string first = f.hosts();
  f.loop.advance(5s);

  f.resolver.answer(found(many));

  CHECK(f.hosts() == first);
  CHECK(f.published.back()->addressesOf(0).size() == Source::kMostTried);
  CHECK(f.published.size() == 1);
}

TEST_CASE("a host for each address tries that one only") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1", "10.0.0.2"}));
  CHECK(f.published.back()->addressesOf(0).empty());
  CHECK(f.published.back()->addressesOf(1).empty());
}

TEST_CASE("which address is the one is drawn by chance") {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Fixture f;
    f.settings.one_address = true;
    f.seed = seed;
    f.start();
    f.resolver.answer(found({"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
    seen.insert(f.hosts());
  }
  CHECK(seen == std::set<std::string>{"10.0.0.1:80 ", "10.0.0.2:80 ", "10.0.0.3:80 "});
}

TEST_CASE("the one host stays through failures and goes with the second denial") {
  Fixture f;
  f.settings.one_address = true;
  f.start();
  f.resolver.answer(found({"10.0.0.1"}));
  for (int i = 0; i < 3; ++i) {
    f.loop.advance(5s);
    f.resolver.answer(i == 1 ? noSuchName() : failed());
  }
  CHECK(f.hosts() == "10.0.0.1:80 ");

  f.loop.advance(5s);
  f.resolver.answer(noSuchName());

  CHECK(f.hosts() == "");
}

TEST_CASE("a cluster that turns into one with one address keeps one of its hosts") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1", "10.0.0.2"}));
  const HostSetPtr before = f.published.back();
  f.settings.one_address = true;
  f.start(before);

  f.resolver.answer(failed());

  CHECK(f.hosts() == "10.0.0.1:80 ");
  CHECK(f.published.back()->host(0) == before->host(0));
}

TEST_CASE("after failures the pause doubles up to its maximum, with half of it at random") {
  Fixture f;
  f.settings.failure_base_interval = 1s;
  f.settings.failure_max_interval = 8s;
  f.start();
  std::chrono::milliseconds expected = 1s;

  for (int i = 0; i < 8; ++i) {
    REQUIRE(f.resolver.answer(failed()));
    f.loop.advance(expected / 2 - 1ms);
    CHECK(f.resolver.waiting() == 0);
    f.loop.advance(expected / 2 + 2ms);
    CHECK(f.resolver.waiting() == 1);
    expected = std::min(expected * 2, std::chrono::milliseconds(8s));
  }
  f.resolver.answer(found({"10.0.0.1"}));
  f.loop.advance(5s);
  REQUIRE(f.resolver.waiting() == 1);
  f.resolver.answer(failed());
  f.loop.advance(1s);
  CHECK(f.resolver.waiting() == 1);
}

TEST_CASE("a lookup that is never answered is given up and asked again") {
  Fixture f;
  f.start();
  REQUIRE(f.resolver.waiting() == 1);

  f.loop.advance(30s);

  CHECK(f.dns().warm());
  CHECK(f.resolver.waiting() == 0);
  f.loop.advance(5s);
  CHECK(f.resolver.waiting() == 1);
}

TEST_CASE("destroying a cluster cancels its lookups and its timers") {
  Fixture f;
  f.start();

  f.source.reset();

  CHECK(f.resolver.waiting() == 0);
  CHECK_FALSE(f.resolver.answer(found({"10.0.0.1"})));
  f.loop.advance(1h);
  CHECK(f.resolver.waiting() == 0);
}

TEST_CASE("the receiver of hosts may destroy the cluster") {
  Fixture f;
  f.destroys = true;
  f.start();

  f.resolver.answer(found({"10.0.0.1"}));

  CHECK(f.source == nullptr);
}

TEST_CASE("a changed configuration takes hosts over, even if the name cannot be resolved now") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1"}));
  const HostSetPtr before = f.published.back();

  f.addName("b.test", 81);
  f.start(before);
  f.resolver.answer(failed());
  f.resolver.answer(found({"10.0.0.2"}));

  CHECK(f.hosts() == "10.0.0.1:80 10.0.0.2:81 ");
  CHECK(f.published.back()->host(0) == before->host(0));
}

TEST_CASE("literal addresses among names need no answer") {
  Fixture f;
  f.endpoints.localities[0].endpoints.clear();
  f.endpoints.localities[0].endpoints.emplace_back().address = *net::Address::parse("10.0.0.7:70");

  f.start();

  CHECK(f.dns().warm());
  CHECK(f.hosts() == "10.0.0.7:70 ");
  CHECK(f.resolver.waiting() == 0);
}

}  // namespace
}  // namespace sluice::extensions::clusters::dns
