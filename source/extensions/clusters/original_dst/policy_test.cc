#include "source/extensions/clusters/original_dst/policy.h"

#include <arpa/inet.h>

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "source/base/arena.h"
#include "source/event/simulated_loop.h"

using namespace std::chrono_literals;

namespace sluice::extensions::clusters::original_dst {
namespace {

using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;

net::Address at(std::string_view text) {
  return *net::Address::parse(text);
}

struct Asker final : upstream::lb::LbContext {
  Asker(net::Address address, bool redirected, const http::RequestHeaders* request = nullptr)
      : going_to{address, redirected} {
    headers = request;
  }
  upstream::lb::Destination destination() const override { return going_to; }
  upstream::lb::Destination going_to;
};

struct Fixture {
  Fixture() { settings.cleanup_interval = 1000ms; }
  Picker& picker() {
    if (!made) made.emplace(settings, worker);
    return *made;
  }
  HostSlot pick(const net::Address& destination, bool redirected = true) {
    return picker().pick(Asker(destination, redirected));
  }
  // Where a connection that was redirected from `destination` goes; "": nowhere.
  std::string redirected(std::string_view destination) { return text(pick(at(destination))); }
  std::string direct(std::string_view destination) { return text(pick(at(destination), false)); }
  std::string byHeader(std::string_view name, std::string_view value) {
    http::RequestHeaders request(arena);
    request.authority = "10.9.9.9:99";
    request.add(name, value);
    return text(picker().pick(Asker(at("10.0.0.1:80"), true, &request)));
  }
  std::string text(HostSlot slot) { return slot == kNoHost ? "" : worker.hosts.hostPtr(slot)->addressText(); }
  int64_t stat(std::string_view name) const { return registry.valueOf(name).value_or(-1); }

  event::SimulatedLoop loop;
  base::Arena arena;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  Settings settings;
  std::vector<HostSlot> gone;
  upstream::lb::LbWorker worker{
      loop.timers(),
      cells,
      {registry.counter("panic"), registry.counter("invalid"), registry.gauge("total"), registry.gauge("healthy")},
      base::Random(1),
      upstream::lb::HostTable([this](HostSlot slot) { gone.push_back(slot); })};
  std::optional<Picker> made;
};

TEST_CASE("each destination is a host of its own, and stays the same one") {
  Fixture f;

  CHECK(f.redirected("10.0.0.1:80") == "10.0.0.1:80");
  CHECK(f.redirected("10.0.0.1:81") == "10.0.0.1:81");
  CHECK(f.redirected("[fd00::1]:80") == "[fd00::1]:80");
  CHECK(f.pick(at("10.0.0.1:80")) == f.pick(at("10.0.0.1:80")));
  CHECK(f.stat("total") == 3);
}

TEST_CASE("a connection that nobody redirected would come back here") {
  Fixture f;

  CHECK(f.direct("10.0.0.1:15001") == "");
  CHECK(f.text(f.picker().pick(upstream::lb::LbContext())) == "");
  CHECK(f.stat("invalid") == 2);
}

TEST_CASE("another port than the destination's may be set") {
  Fixture f;
  f.settings.port_override = 8080;

  CHECK(f.redirected("10.0.0.1:80") == "10.0.0.1:8080");
  CHECK(f.direct("10.0.0.1:15001") == "10.0.0.1:8080");
  CHECK(f.direct("10.0.0.1:8080") == "");
}

TEST_CASE("a header names the host where that is configured, and nothing else does then") {
  Fixture f;
  CHECK(f.byHeader("x-to", "10.0.0.2:82") == "10.0.0.1:80");
  f.settings.header = "x-to";

  CHECK(f.byHeader("x-to", "10.0.0.2:82") == "10.0.0.2:82");
  CHECK(f.byHeader("x-other", "10.0.0.2:82") == "10.0.0.1:80");
  for (const char* wrong : {"", "10.0.0.2", "host:80", "10.0.0.2:0", "0.0.0.0:80", "/run/socket", "@name"}) {
    CAPTURE(wrong);
    CHECK(f.byHeader("x-to", wrong) == "");
  }
  CHECK(f.stat("invalid") == 7);
  f.settings.header = ":authority";
  CHECK(f.byHeader("x-to", "10.0.0.2:82") == "10.9.9.9:99");
}

TEST_CASE("a host that was not used for an interval is forgotten, one in use is not") {
  Fixture f;
  const HostSlot idle = f.pick(at("10.0.0.1:80"));
  const HostSlot busy = f.pick(at("10.0.0.2:80"));
  const HostSlot asked = f.pick(at("10.0.0.3:80"));
  f.worker.hosts.requestStarted(busy);
  f.loop.advance(1500ms);
  CHECK(f.gone.empty());
  f.pick(at("10.0.0.3:80"));
  f.loop.advance(1000ms);

  CHECK(f.gone == std::vector<HostSlot>{idle});
  CHECK(f.stat("total") == 2);
  f.worker.hosts.requestFinished(*f.worker.hosts.hostPtr(busy));
  f.loop.advance(1000ms);
  CHECK(f.gone == std::vector<HostSlot>{idle, busy, asked});
  CHECK(f.stat("total") == 0);
  CHECK(f.redirected("10.0.0.4:80") == "10.0.0.4:80");
  CHECK(f.worker.hosts.slotCount() == 3);
}

TEST_CASE("hosts do not grow without end") {
  Fixture f;
  for (uint32_t i = 0; i < Picker::kMaxHosts; ++i) {
    const uint32_t ip = htonl(0x0A000001 + i);
    REQUIRE(f.pick(net::Address::fromIpv4Bytes(&ip, 80)) != kNoHost);
  }

  CHECK(f.redirected("192.0.2.1:80") == "");
  CHECK(f.redirected("10.0.0.1:80") == "10.0.0.1:80");
  f.made.reset();
  CHECK(f.stat("total") == 0);
}

}  // namespace
}  // namespace sluice::extensions::clusters::original_dst
