#include "source/extensions/clusters/dynamic_forward_proxy/policy.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "source/base/arena.h"
#include "test/support/upstream/picking.h"

using namespace std::chrono_literals;

namespace sluice::extensions::clusters::dynamic_forward_proxy {
namespace {

using dns_cache::DnsCache;
using dns_cache::ResolvedHost;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;

struct Asker final : upstream::lb::LbContext {
  explicit Asker(const ResolvedHost* resolved, const http::RequestHeaders* request = nullptr) : resolved(resolved) {
    headers = request;
  }
  const dns_cache::ResolvedHost* resolvedHost() const override { return resolved; }
  bool refuses(const upstream::cluster::Host& host) const override { return refused.contains(host.addressText()); }
  const ResolvedHost* resolved;
  std::set<std::string> refused;
};

struct Fixture {
  ResolvedHost host(std::string_view name, const std::vector<std::string>& addresses) const {
    ResolvedHost out;
    out.cache = cache.get();
    out.name = *dns_cache::parseHostName(name, 80);
    out.outcome = ResolvedHost::Outcome::kResolved;
    for (const std::string& ip : addresses) out.addresses.push_back(*net::Address::fromIp(ip, out.name.port));
    return out;
  }
  std::string text(HostSlot slot) {
    if (slot == kNoHost) return "";
    const upstream::cluster::Host& host = *picking.hosts().hostPtr(slot);
    return host.hostname() + " " + host.addressText();
  }
  std::string pick(const ResolvedHost& resolved) { return text(picking.pick(Asker(&resolved))); }

  std::shared_ptr<const DnsCache> cache = std::make_shared<DnsCache>(dns_cache::Settings{.host_ttl = 10s});
  Policy policy{cache};
  upstream::lb::Picking picking{policy};
};

TEST_CASE("a host is made of each name and address, and stays the same one") {
  Fixture f;
  const ResolvedHost a = f.host("a.example:8080", {"1.1.1.1"}), b = f.host("b.example", {"1.1.1.1"});
  CHECK(f.pick(a) == "a.example 1.1.1.1:8080");
  CHECK(f.pick(b) == "b.example 1.1.1.1:80");
  CHECK(f.picking.pick(Asker(&a)) == f.picking.pick(Asker(&a)));
  CHECK(f.picking.hosts().madeCount() == 2);
}

TEST_CASE("without an answer of its own cache there is no host") {
  Fixture f;
  CHECK(f.picking.pick() == kNoHost);
  const DnsCache other{dns_cache::Settings{}};
  ResolvedHost foreign = f.host("a.example", {"1.1.1.1"});
  foreign.cache = &other;
  CHECK(f.pick(foreign) == "");
  CHECK(f.pick(f.host("a.example", {})) == "");
}

TEST_CASE("an address that may not be reached becomes no host, wherever it comes from") {
  Fixture f;
  CHECK(f.pick(f.host("a.example", {"127.0.0.1"})) == "");
  CHECK(f.picking.hosts().madeCount() == 0);
}

TEST_CASE("a request that goes to another host by now finds none") {
  Fixture f;
  base::Arena arena;
  http::RequestHeaders request(arena);
  const ResolvedHost a = f.host("a.example", {"1.1.1.1"});
  request.authority = "A.example";
  CHECK(f.text(f.picking.pick(Asker(&a, &request))) == "a.example 1.1.1.1:80");
  request.authority = "b.example";
  CHECK(f.text(f.picking.pick(Asker(&a, &request))) == "");
  request.authority = "a.example:81";
  CHECK(f.text(f.picking.pick(Asker(&a, &request))) == "");
}

TEST_CASE("a name's other addresses are for retries") {
  Fixture f;
  const ResolvedHost a = f.host("a.example", {"1.1.1.1", "2.2.2.2", "3.3.3.3"});
  const std::string first = f.pick(a);
  CHECK(f.pick(a) == first);
  Asker retry(&a);
  retry.repicks = 5;
  retry.refused.insert(first.substr(first.find(' ') + 1));
  const std::string second = f.text(f.picking.pick(retry));
  CHECK(second != first);
  CHECK(second != "");
}

TEST_CASE("hosts that nobody used for a while are forgotten, those in use are not") {
  Fixture f;
  const ResolvedHost idle = f.host("a.example", {"1.1.1.1"}), busy = f.host("b.example", {"2.2.2.2"});
  f.pick(idle);
  const HostSlot slot = f.picking.pick(Asker(&busy));
  f.picking.hosts().requestStarted(slot);
  f.picking.loop().advance(10s);
  CHECK(f.picking.hosts().madeCount() == 2);
  f.picking.loop().advance(10s);
  CHECK(f.picking.hosts().madeCount() == 1);
  f.picking.hosts().requestFinished(*f.picking.hosts().hostPtr(slot));
  f.picking.loop().advance(10s);
  CHECK(f.picking.hosts().madeCount() == 0);
  CHECK(f.pick(idle) == "a.example 1.1.1.1:80");
}

}  // namespace
}  // namespace sluice::extensions::clusters::dynamic_forward_proxy
