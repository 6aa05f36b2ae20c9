#include "source/extensions/filters/network/sni_dynamic_forward_proxy/filter.h"

#include <catch2/catch.hpp>

#include "source/dns_cache/test_dns.h"
#include "source/filter/test_mirror.h"
#include "source/filter/test_network.h"
#include "test/support/filter/accepted.h"

namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy {
namespace {

using dns_cache::testing::CacheBed;

// In front of the filter: what a ClientHello would have told.
class Hello : public filter::NetworkFilterFactory {
 public:
  explicit Hello(std::string name) : name_(std::move(name)) {}
  filter::NetworkResult admit(filter::NetworkStream& stream) const override {
    stream.facts().server_name = name_;
    return filter::Next{};
  }

 private:
  const std::string name_;
};

// Behind it: what it has left.
class Left : public filter::NetworkFilterFactory {
 public:
  explicit Left(std::string& seen) : seen_(seen) {}
  filter::NetworkResult admit(filter::NetworkStream& stream) const override {
    const auto& host = stream.facts().resolved_host;
    seen_ = host ? host->addresses.front().toString() : "nothing";
    return filter::Next{};
  }

 private:
  std::string& seen_;
};

// A connection that asked for `server_name`.
struct Fixture {
  explicit Fixture(std::string server_name, dns_cache::Settings settings = {}, stream::ConnectionStatePtr state = {})
      : bed(worker.registry, std::move(settings)) {
    filter::Accepted accepted = filter::testing::acceptedOf(std::move(pair.ours));
    accepted.state = std::move(state);
    accepted.filters = std::make_shared<const filter::NetworkFilters>(filter::NetworkFilters{
        std::make_shared<Hello>(std::move(server_name)), std::make_shared<FilterFactory>(Settings{.cache = bed.cache}),
        std::make_shared<Left>(left)});
    terminal.serve(std::move(accepted), worker.services, list);
    settle();
  }
  ~Fixture() { close(); }
  void close() {
    while (!list.empty()) list.front().closeNow("test_end");
    settle();
  }
  void settle() {
    worker.loop.turn();
    bed.settle(worker);
    worker.loop.turn();
  }

  worker::testing::TestWorker worker;
  CacheBed bed;
  filter::Heard heard;
  const filter::MirrorFilter terminal{heard};
  std::string left;
  base::List<filter::LiveConnection> list;
  net::SocketPair pair = net::unixPair();
  filter::NetworkClient client{std::move(pair.peers)};
};

TEST_CASE("a connection waits until its host is known, and takes it along") {
  Fixture f("a.example");
  CHECK(f.heard.admitted == 0);
  REQUIRE(f.bed.dns.waiting() == 1);
  f.bed.dns.found({"1.1.1.1"});
  f.settle();

  CHECK(f.heard.admitted == 1);
  CHECK(f.left == "1.1.1.1:443");
}

TEST_CASE("a connection without a server name passes without a host") {
  Fixture f("");
  CHECK(f.heard.admitted == 1);
  CHECK(f.left == "nothing");
}

TEST_CASE("a connection whose host is not known or may not be reached is closed") {
  Fixture failed("a.example");
  failed.bed.dns.fail();
  failed.settle();
  CHECK(failed.heard.details == "dns_resolution_failure");

  Fixture inside("a.example");
  inside.bed.dns.found({"127.0.0.1"});
  inside.settle();
  CHECK(inside.heard.details == "dns_address_refused");
  CHECK(inside.left == "");

  CHECK(Fixture("a..example").heard.details == "dns_resolution_failure");
  CHECK(Fixture("a.example:80").heard.details == "dns_resolution_failure");
  CHECK(Fixture("a.example", {.max_pending_requests = 0}).heard.details ==
        "dynamic_forward_proxy_pending_request_overflow");
  CHECK(Fixture("a.example", {.max_hosts = 1, .preresolved = {*dns_cache::parseHostName("b.example", 80)}})
            .heard.details == "dns_cache_overflow");
}

TEST_CASE("a connection that ends while it waits leaves nothing behind") {
  Fixture f("a.example");
  CHECK(f.worker.stat("dns_cache.n.circuit_breakers.rq_pending_remaining") == 1023);
  f.close();
  CHECK(f.worker.stat("dns_cache.n.circuit_breakers.rq_pending_remaining") == 1024);
  f.bed.dns.found({"1.1.1.1"});
  f.settle();
  CHECK(f.heard.admitted == 0);
}

TEST_CASE("a filter in front may set another name and another port") {
  stream::ConnectionStatePtr state;
  stream::madeIn(state).filter_state.set("envoy.upstream.dynamic_host", "b.example");
  stream::madeIn(state).filter_state.set("envoy.upstream.dynamic_port", "8443");
  Fixture f("a.example", {}, state);
  REQUIRE(f.bed.dns.waiting() == 1);

  f.bed.dns.found({"1.1.1.1"});
  f.settle();

  CHECK(f.left == "1.1.1.1:8443");
}

}  // namespace
}  // namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy
