// Questions over loopback, and a resolver that answers when the test says so.
#include "source/extensions/filters/udp/dns_filter/filter.h"

#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "envoy/extensions/filters/udp/dns_filter/v3/dns_filter.pb.h"
#include "source/config/test_world.h"
#include "source/config/udp_filter_factory.h"
#include "source/extensions/filters/udp/dns_filter/factory.h"
#include "source/extensions/filters/udp/dns_filter/name.h"
#include "source/extensions/filters/udp/dns_filter/test_dns_message.h"
#include "source/upstream/test_cluster.h"
#include "test/support/upstream/policies.h"

using namespace std::chrono_literals;

namespace sluice::extensions::udp_filters::dns_filter {
namespace {

using testing::addressesIn;
using testing::question;
using testing::rcodeIn;
using Strings = std::vector<std::string>;

struct FakeResolver : net::DnsResolver {
  struct Asked {
    std::string name;
    net::DnsLookupFamily family;
    OnResult on_result;
    std::shared_ptr<bool> wanted;
  };
  struct Handle : net::DnsQuery {
    explicit Handle(std::shared_ptr<bool> wanted) : wanted(std::move(wanted)) {}
    ~Handle() override { *wanted = false; }
    std::shared_ptr<bool> wanted;
  };
  explicit FakeResolver(std::vector<Asked>& asked) : asked(asked) {}
  std::unique_ptr<net::DnsQuery> resolve(std::string_view name, net::DnsLookupFamily family,
                                         OnResult on_result) override {
    auto wanted = std::make_shared<bool>(true);
    asked.push_back({std::string(name), family, std::move(on_result), wanted});
    return std::make_unique<Handle>(wanted);
  }
  std::vector<Asked>& asked;
};

struct FilterTest : upstream::TestCluster {
  FilterTest() : services(setup(no_calls)) {
    services.add(clusters);
    config->lb.policy = std::make_shared<upstream::lb::InTurn>();
    Domain& www = settings->table.domain(*nameOf("www.example.com"));
    www.ipv4 = {ip("10.0.0.1"), ip("10.0.0.2")};
    www.ipv6 = {ip("::1")};
    www.ttl = 60;
    settings->table.domain(*nameOf("cluster.example.com")).cluster = 0;
    settings->stats.unanswered_queries = registry.counter("unanswered");
    settings->stats.local_a_answers = registry.counter("local_a");
    settings->stats.rx_invalid_queries = registry.counter("invalid");
  }
  static net::Address ip(const std::string& text) { return *net::Address::fromIp(text, 0); }
  void forward(size_t max_pending) {
    settings->forwarding.emplace();
    settings->forwarding->max_pending = max_pending;
    settings->forwarding->resolver.timeout = 1s;
    settings->forwarding->resolver.tries = 1;
    settings->forwarding->resolver.servers = {*net::Address::fromIp("192.0.2.53", 53)};
  }
  Service& service() {
    if (!made) {
      made = std::make_unique<Service>(services, settings, [this](event::Loop&, const net::DnsResolverOptions&) {
        return std::make_unique<FakeResolver>(asked);
      });
    }
    return *made;
  }
  void send(std::string_view bytes) {
    const net::Datagram datagram{bytes, net::localAddress(client.get()), port->address()};
    service().onDatagrams(*port, {&datagram, 1});
  }
  // Empty: nothing came.
  std::string take() {
    char buffer[2048];
    const ssize_t size = recv(client.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    return size < 0 ? std::string() : std::string(buffer, static_cast<size_t>(size));
  }
  std::string ask(std::string_view bytes) {
    send(bytes);
    return take();
  }
  Strings sorted(Strings list) {
    std::sort(list.begin(), list.end());
    return list;
  }
  static net::Fd socketOf() { return *net::listenOn(*net::Address::fromIp("127.0.0.1", 0), {.datagram = true}); }

  worker::WorkerServices services;
  std::shared_ptr<Settings> settings = std::make_shared<Settings>();
  net::Fd client = socketOf();
  base::LocalPtr<filter::UdpPort> port = makePort();
  std::vector<FakeResolver::Asked> asked;
  std::unique_ptr<Service> made;

 private:
  static base::LocalPtr<filter::UdpPort> makePort() {
    net::Fd fd = socketOf();
    const net::Address address = net::localAddress(fd.get());
    return base::makeLocal<filter::UdpPort>(address, std::move(fd));
  }
};

net::DnsResult found(const Strings& ips) {
  net::DnsResult result{.status = net::DnsResult::Status::kOk, .ttl = 5s};
  for (const std::string& each : ips) result.addresses.push_back(FilterTest::ip(each));
  return result;
}

TEST_CASE("addresses of the table are answered by family") {
  FilterTest t;
  CHECK(t.sorted(addressesIn(t.ask(question("WWW.example.com", 1)))) == Strings{"10.0.0.1", "10.0.0.2"});
  CHECK(addressesIn(t.ask(question("www.example.com", 28))) == Strings{"::1"});
  CHECK(addressesIn(t.ask(question("www.example.com", 255))).size() == 3);
  CHECK(t.stat("local_a") == 4);
}

TEST_CASE("a name without a record of the type exists and others do not") {
  FilterTest t;
  const std::string mail = t.ask(question("www.example.com", 15));
  CHECK(rcodeIn(mail) == Rcode::kNoError);
  CHECK(addressesIn(mail).empty());
  CHECK(rcodeIn(t.ask(question("other.example.com", 1))) == Rcode::kNoSuchName);
  CHECK(rcodeIn(t.ask(question("example.net", 1))) == Rcode::kNoSuchName);
  CHECK(t.stat("unanswered") == 3);
}

TEST_CASE("a cluster's name stands for its hosts as they are now") {
  FilterTest t;
  CHECK(addressesIn(t.ask(question("cluster.example.com", 1))).empty());
  t.hosts({*net::Address::fromIp("10.1.0.1", 80), *net::Address::fromIp("10.1.0.2", 80)});
  CHECK(t.sorted(addressesIn(t.ask(question("cluster.example.com", 1)))) == Strings{"10.1.0.1", "10.1.0.2"});
}

TEST_CASE("hosts at one address are one record and no more are looked at than fit") {
  FilterTest t;
  t.hosts({*net::Address::fromIp("10.1.0.1", 80), *net::Address::fromIp("10.1.0.1", 81)});
  CHECK(addressesIn(t.ask(question("cluster.example.com", 1))) == Strings{"10.1.0.1"});
  std::vector<net::Address> many;
  for (int i = 0; i < 200; ++i) many.push_back(*net::Address::fromIp("10.2.0." + std::to_string(i), 80));
  t.hosts(many);
  Strings told = t.sorted(addressesIn(t.ask(question("cluster.example.com", 1, 1232))));
  CHECK(told.size() > 70);
  CHECK(std::unique(told.begin(), told.end()) == told.end());
}

TEST_CASE("a resolver has the time that all of its servers take") {
  FilterTest t;
  t.forward(10);
  t.settings->forwarding->resolver.servers.resize(4);
  t.send(question("a.org", 1));
  t.loop.pass(4s);
  CHECK(*t.asked[0].wanted);
  t.loop.pass(1s);
  CHECK(rcodeIn(t.take()) == Rcode::kServerFailure);
}

TEST_CASE("services are answered with their targets and these with their addresses") {
  FilterTest t;
  t.settings->table.domain(*nameOf("_web._tcp.example.com")).targets = {{*nameOf("www.example.com"), {}, 1, 2, 80}};
  const std::string answer = t.ask(question("_web._tcp.example.com", 33, 1232));
  CHECK(testing::numberIn(answer, 6) == 1);
  CHECK(t.sorted(addressesIn(answer)) == Strings{"10.0.0.1", "10.0.0.2", "::1"});
}

TEST_CASE("what is no question is told so, and answers are not answered") {
  FilterTest t;
  CHECK(rcodeIn(t.ask(question("a.b", 1).substr(0, 14))) == Rcode::kFormatError);
  std::string answer = question("a.b", 1);
  answer[2] = '\x80';
  CHECK(t.ask(answer).empty());
  CHECK(t.ask("x").empty());
  CHECK(t.stat("invalid") == 3);
}

TEST_CASE("names of others are asked for and answered when they are found") {
  FilterTest t;
  t.forward(10);
  CHECK(t.ask(question("www.other.org", 1)).empty());
  REQUIRE(t.asked.size() == 1);
  CHECK(t.asked[0].name == "www.other.org.");  // and no name of the search list of resolv.conf
  CHECK(t.asked[0].family == net::DnsLookupFamily::kV4Only);
  t.asked[0].on_result(found({"192.0.2.1"}));
  const std::string answer = t.take();
  CHECK(addressesIn(answer) == Strings{"192.0.2.1"});
  CHECK(answer.substr(0, 2) == "\x12\x34");
  CHECK_FALSE(*t.asked[0].wanted);
  CHECK(t.service().sessions() == 0);
  CHECK_FALSE(t.ask(question("gone.example.com", 1)).empty());  // the table's domain is the table's
}

TEST_CASE("a resolver that fails, or says nothing, is a server failure") {
  FilterTest t;
  t.forward(10);
  t.send(question("a.org", 1));
  t.asked[0].on_result({});
  CHECK(rcodeIn(t.take()) == Rcode::kServerFailure);
  t.send(question("b.org", 1));
  t.asked[1].on_result({.status = net::DnsResult::Status::kNoSuchName});
  CHECK(rcodeIn(t.take()) == Rcode::kNoError);
  t.send(question("c.org", 28));
  t.loop.pass(2s);
  CHECK(rcodeIn(t.take()) == Rcode::kServerFailure);
  CHECK_FALSE(*t.asked[2].wanted);
}

TEST_CASE("questions beyond the limit, of other types and with strange names are not asked") {
  FilterTest t;
  t.forward(1);
  CHECK(rcodeIn(t.ask(question("a.org", 15))) == Rcode::kNotImplemented);
  CHECK(rcodeIn(t.ask(question("a b.org", 1))) == Rcode::kNoSuchName);
  CHECK(t.ask(question("a.org", 1)).empty());
  CHECK(rcodeIn(t.ask(question("b.org", 1))) == Rcode::kServerFailure);
  CHECK(t.asked.size() == 1);
}

TEST_CASE("a question that waits is answered behind an update and given up with the service") {
  FilterTest t;
  t.forward(10);
  t.send(question("a.org", 1));
  t.send(question("b.org", 1));
  const DnsFilter next(std::make_shared<Settings>());
  CHECK(t.service().update(next, 1s));
  t.asked[0].on_result(found({"192.0.2.1"}));
  CHECK(addressesIn(t.take()) == Strings{"192.0.2.1"});
  t.made.reset();
  CHECK_FALSE(*t.asked[1].wanted);
}

// --- the configuration

using Proto = envoy::extensions::filters::udp::dns_filter::v3::DnsFilterConfig;

std::string problemsOf(const std::string& yaml) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  Proto proto;
  if (world.load(yaml, proto)) {
    const bool made =
        world.registry.udp_filters.find(proto.GetDescriptor()->full_name())->compile(proto, world.context()) != nullptr;
    CHECK(made == world.problems().empty());
  }
  return world.problems();
}
std::string tableOf(const std::string& domain) {
  return "stat_prefix: d\nserver_config: {inline_dns_table: {virtual_domains: [" + domain + "]}}\n";
}

TEST_CASE("what a dns_filter may say") {
  CHECK(problemsOf(
            tableOf("{name: '*.a.b', endpoint: {address_list: {address: [10.0.0.1, '::1']}}}, {name: c.d, endpoint: "
                    "{cluster_name: c}}, {name: e.f, endpoint: {service_list: {services: [{service_name: web, "
                    "protocol: {number: 6}, targets: [{host_name: x.y, port: 80}, {cluster_name: c}]}]}}}") +
            "client_config: {max_pending_lookups: 1, dns_resolution_config: {resolvers: [{socket_address: {protocol: "
            "UDP, address: 10.0.0.1, port_value: 53}}]}}\n")
            .empty());
}

TEST_CASE("a table that could not answer is refused") {
  using Catch::Matchers::Contains;
  CHECK_THAT(problemsOf("stat_prefix: d\nserver_config: {inline_dns_table: {}}\n"), Contains("answers nothing"));
  CHECK_THAT(problemsOf(tableOf("{name: a..b, endpoint: {cluster_name: c}}")), Contains("is no domain name"));
  for (const std::string name : {"*a.b", "a.*.b", "*", "*.*.b"}) {
    CHECK_THAT(problemsOf(tableOf("{name: '" + name + "', endpoint: {cluster_name: c}}")),
               Contains("a * that is no label at its front"));
  }
  CHECK_THAT(problemsOf(tableOf("{name: a.b}")), Contains("has no endpoint"));
  CHECK_THAT(problemsOf(tableOf("{name: a.b, endpoint: {address_list: {address: [nope]}}}")),
             Contains("is no IP address"));
  CHECK_THAT(
      problemsOf(tableOf("{name: a.b, endpoint: {service_list: {services: [{service_name: web, protocol: {number: "
                         "99}, targets: [{host_name: x, port: 1}]}]}}}")),
      Contains("only 6 (tcp)"));
  CHECK_THAT(problemsOf(tableOf("{name: a.b, endpoint: {cluster_name: c}}") +
                        "client_config: {max_pending_lookups: 1, "
                        "upstream_resolvers: [{socket_address: {address: 10.0.0.1, port_value: 0}}]}\n"),
             Contains("a DNS server is"));
  CHECK_THAT(problemsOf("stat_prefix: d\nserver_config: {external_dns_table: {filename: /nowhere.yaml}}\n"),
             Contains("/nowhere.yaml"));
}

}  // namespace
}  // namespace sluice::extensions::udp_filters::dns_filter
