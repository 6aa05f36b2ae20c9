#include "source/upstream/cluster/dns_cluster.h"

#include <catch2/catch.hpp>
#include <deque>

#include "source/event/simulated_loop.h"

namespace sluice::upstream::cluster {
namespace {

using namespace std::chrono_literals;
using net::DnsResult;

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

struct Fixture {
  event::SimulatedLoop loop;
  FakeResolver resolver;
  std::vector<HostSetPtr> published;
  ClusterConfig config;
  std::unique_ptr<DnsCluster> cluster;

  Fixture() {
    config.discovery = DiscoveryType::kStrictDns;
    config.assignment.localities.resize(1);
    addName("a.test", 80);
  }

  void addName(const std::string& name, uint16_t port) {
    Endpoint& endpoint = config.assignment.localities[0].endpoints.emplace_back();
    endpoint.dns_name = name;
    endpoint.dns_port = port;
  }

  void start(HostSetPtr previous = nullptr) {
    cluster = std::make_unique<DnsCluster>(
        loop, resolver, std::make_shared<const ClusterConfig>(config), 1,
        [this](HostSetPtr hosts) { published.push_back(std::move(hosts)); }, std::move(previous));
    cluster->start();
  }

  std::string hosts() const {
    std::string out;
    for (const HostSet::Entry& entry : cluster->hosts()->entries()) out += entry.host->addressText() + " ";
    return out;
  }
};

TEST_CASE("a cluster is warm after the first answer and serves its addresses") {
  Fixture f;
  f.start();
  CHECK_FALSE(f.cluster->warm());
  CHECK(f.cluster->problem() == "a.test: not resolved yet");

  f.resolver.answer(found({"10.0.0.1", "10.0.0.2"}));

  CHECK(f.cluster->warm());
  CHECK(f.hosts() == "10.0.0.1:80 10.0.0.2:80 ");
  CHECK(f.cluster->hosts()->entries()[0].host->hostname() == "a.test");
  CHECK(f.published.size() == 1);
  CHECK(f.cluster->problem().empty());
}

TEST_CASE("a cluster is warm after the first failure too, without hosts") {
  Fixture f;
  f.start();

  f.resolver.answer(failed());

  CHECK(f.cluster->warm());
  CHECK(f.published.size() == 1);
  CHECK(f.hosts().empty());
  CHECK(f.cluster->problem() == "a.test: server failure");
}

TEST_CASE("a cluster waits for the first answer to each of its names and asks each name once") {
  Fixture f;
  f.addName("b.test", 81);
  f.addName("a.test", 82);
  f.start();
  REQUIRE(f.resolver.waiting() == 2);

  f.resolver.answer(found({"10.0.0.1"}));
  CHECK_FALSE(f.cluster->warm());
  f.resolver.answer(found({"10.0.0.2"}));

  CHECK(f.hosts() == "10.0.0.1:80 10.0.0.2:81 10.0.0.1:82 ");
}

TEST_CASE("names are asked again after the refresh rate and hosts keep their identity") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1", "10.0.0.2"}));
  const Host* kept = f.cluster->hosts()->host(1);
  f.loop.advance(4999ms);
  CHECK(f.resolver.waiting() == 0);

  f.loop.advance(1ms);
  REQUIRE(f.resolver.waiting() == 1);
  f.resolver.answer(found({"10.0.0.2", "10.0.0.3"}));

  CHECK(f.hosts() == "10.0.0.2:80 10.0.0.3:80 ");
  CHECK(f.cluster->hosts()->entries()[0].host.get() == kept);
}

TEST_CASE("an unchanged answer publishes nothing") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1"}));
  f.loop.advance(5s);

  f.resolver.answer(found({"10.0.0.1"}));

  CHECK(f.published.size() == 1);
  CHECK(f.cluster->stats().no_rebuild == 1);
  CHECK(f.cluster->stats().successes == 2);
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
  CHECK(f.cluster->stats().failures == 50);
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
  f.config.dns.respect_ttl = true;
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

TEST_CASE("after failures the pause doubles up to its maximum, with half of it at random") {
  Fixture f;
  f.config.dns.failure_base_interval = 1s;
  f.config.dns.failure_max_interval = 8s;
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

  CHECK(f.cluster->warm());
  CHECK(f.resolver.waiting() == 0);
  f.loop.advance(5s);
  CHECK(f.resolver.waiting() == 1);
}

TEST_CASE("destroying a cluster cancels its lookups and its timers") {
  Fixture f;
  f.start();

  f.cluster.reset();

  CHECK(f.resolver.waiting() == 0);
  CHECK_FALSE(f.resolver.answer(found({"10.0.0.1"})));
  f.loop.advance(1h);
  CHECK(f.resolver.waiting() == 0);
}

TEST_CASE("the receiver of hosts may destroy the cluster") {
  Fixture f;
  f.cluster = std::make_unique<DnsCluster>(f.loop, f.resolver, std::make_shared<const ClusterConfig>(f.config), 1,
                                           [&f](HostSetPtr) { f.cluster.reset(); });
  f.cluster->start();

  f.resolver.answer(found({"10.0.0.1"}));

  CHECK(f.cluster == nullptr);
}

TEST_CASE("a changed configuration takes hosts over, even if the name cannot be resolved now") {
  Fixture f;
  f.start();
  f.resolver.answer(found({"10.0.0.1"}));
  const HostSetPtr before = f.cluster->hosts();

  f.addName("b.test", 81);
  f.start(before);
  f.resolver.answer(failed());
  f.resolver.answer(found({"10.0.0.2"}));

  CHECK(f.hosts() == "10.0.0.1:80 10.0.0.2:81 ");
  CHECK(f.cluster->hosts()->host(0) == before->host(0));
}

TEST_CASE("literal addresses among names need no answer") {
  Fixture f;
  f.config.assignment.localities[0].endpoints.clear();
  f.config.assignment.localities[0].endpoints.emplace_back().address = *net::Address::parse("10.0.0.7:70");

  f.start();

  CHECK(f.cluster->warm());
  CHECK(f.hosts() == "10.0.0.7:70 ");
  CHECK(f.resolver.waiting() == 0);
}

}  // namespace
}  // namespace sluice::upstream::cluster
