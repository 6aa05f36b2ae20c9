#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "source/event/polled_loop.h"
#include "source/http/h2/test_peer.h"
#include "source/upstream/cluster/host_monitors.h"
#include "source/upstream/health/load_streams.h"
#include "source/upstream/pool/test_h2_host.h"

using namespace std::chrono_literals;

namespace sluice::upstream::health {
namespace {

using http::h2::data;

class Streaming final : public lb::LbPolicy {
 public:
  std::unique_ptr<lb::LbPicker> makePicker(lb::LbWorker&) const override { return nullptr; }
  const lb::LoadWeights* loadWeights() const override { return &weights_; }

 private:
  const lb::LoadWeights weights_{{.stream_period = 5s}};
};

// A cluster of two hosts that the test plays, which are asked every 5 s.
struct StreamTest {
  StreamTest() {
    config->name = config->stat_name = "c";
    config->lb.policy = std::make_shared<Streaming>();
    REQUIRE(LoadStreams::wantedBy(*config));
    streams.emplace(loop, buffers, cells, config, registry.scope("cluster", "c"), 1);
    setHosts(1);
    loop.pass(5s);
    host.emplace(loop, upstreams[0]);
    host->settings(100);
  }
  void setHosts(size_t count) {
    cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (size_t i = 0; i < count; ++i) locality.endpoints.emplace_back().address = upstreams[i].address;
    set = cluster::HostSet::build(assignment, {}, set.get(), &monitors);
    streams->setHosts(*set);
    loop.turn();
  }
  static std::string reportOf(double cpu, double requests) {
    std::string out(1, '\x09');
    out.append(reinterpret_cast<const char*>(&cpu), sizeof(cpu)) += '\x31';
    out.append(reinterpret_cast<const char*>(&requests), sizeof(requests));
    return std::string(4, '\0') + static_cast<char>(out.size()) + out;
  }
  std::string answerHead(uint32_t stream = 1) { return host->head(stream, {{":status", "200"}}); }
  std::optional<double> weight() { return set->entries()[0].host->monitor().loadWeight().at(loop.now(), 0s, 180s); }
  int64_t stat(const std::string& name) { return registry.valueOf("cluster.c.lb_orca_oob." + name).value_or(-1); }

  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  pool::TestUpstream upstreams[2];
  cluster::HostMonitors monitors{loop, [] {}};
  std::shared_ptr<const cluster::HostSet> set;
  std::shared_ptr<cluster::ClusterConfig> config = std::make_shared<cluster::ClusterConfig>();
  std::optional<LoadStreams> streams;
  std::optional<pool::H2Host> host;
};

TEST_CASE("a host is asked to report once a period, and each report is its weight") {
  StreamTest t;
  const std::string request = t.host->seen();
  CHECK_THAT(request, Catch::Contains(":path=/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"));
  CHECK_THAT(request, Catch::Contains("content-type=application/grpc"));
  CHECK(t.stat("active_sessions") == 1);
  CHECK_FALSE(t.weight());

  t.host->send(t.answerHead() + data(1, t.reportOf(0.5, 100), false));
  CHECK(t.weight() == 200.0);
  t.host->send(data(1, t.reportOf(0.25, 100) + t.reportOf(0.5, 300), false));

  CHECK(t.weight() == 600.0);
  CHECK(t.stat("reports_received") == 3);
}

TEST_CASE("reports may come in pieces") {
  StreamTest t;
  const std::string report = t.reportOf(0.5, 100);
  t.host->send(t.answerHead() + data(1, report.substr(0, 3), false));
  t.host->send(data(1, report.substr(3, 7), false));
  CHECK_FALSE(t.weight());

  t.host->send(data(1, report.substr(10), false));

  CHECK(t.weight() == 200.0);
}

TEST_CASE("a report that is none is counted, and the stream goes on") {
  StreamTest t;
  t.host->send(t.answerHead() + data(1, std::string("\0\0\0\0\1\x09", 6), false));
  CHECK(t.stat("report_errors") == 1);

  t.host->send(data(1, t.reportOf(0.5, 100), false));

  CHECK(t.weight() == 200.0);
}

TEST_CASE("a stream that ends begins again on a new connection after a while") {
  StreamTest t;
  t.host->send(t.answerHead());
  std::string counted = "stream_failures";
  SECTION("with a status") {
    t.host->send(t.host->head(1, {{"grpc-status", "12"}}, true));
    counted = "stream_terminated";
  }
  SECTION("by a reset") {
    t.host->send(http::h2::rst(1, 2));
  }
  SECTION("with its connection") {
    t.host->peer().close();
    t.loop.turn();
  }
  SECTION("by a message that is compressed") {
    t.host->send(data(1, std::string("\1\0\0\0\1x", 6), false));
  }
  SECTION("by a message that is too long") {
    t.host->send(data(1, std::string("\0\0\1\0\1", 5), false));
  }
  SECTION("because nothing came for long") {
    t.host->send(data(1, t.reportOf(0.5, 100), false));
    t.loop.pass(89s);
    CHECK(t.stat(counted) == 0);
    t.loop.pass(1s);
  }
  CHECK(t.stat(counted) == 1);
  CHECK(t.stat("active_sessions") == 0);
  CHECK(t.upstreams[0].accept() == 1);

  t.loop.pass(1s);
  t.loop.turn();

  CHECK(t.upstreams[0].accept() == 2);
  CHECK(t.stat("active_sessions") == 1);
}

TEST_CASE("streams to hosts that stay go on, those to hosts that leave end, and new hosts get theirs") {
  StreamTest t;
  t.setHosts(2);
  t.loop.pass(5s);
  CHECK(t.upstreams[0].accept() == 1);
  CHECK(t.upstreams[1].accept() == 1);
  CHECK(t.stat("active_sessions") == 2);

  t.setHosts(0);

  CHECK(t.streams->size() == 0);
  CHECK(t.stat("active_sessions") == 0);
}

TEST_CASE("the waits between failures grow to half a minute") {
  StreamTest t;
  t.host->peer().close();
  t.loop.turn();
  for (int i = 0; i < 6; ++i) {
    t.loop.pass(30s);
    REQUIRE(t.upstreams[0].accept() == static_cast<size_t>(i) + 2);
    t.upstreams[0].peer(static_cast<size_t>(i) + 1).close();
    t.loop.turn();
  }

  t.loop.pass(14s);
  CHECK(t.upstreams[0].accept() == 7);
  t.loop.pass(16s);
  CHECK(t.upstreams[0].accept() == 8);
}

}  // namespace
}  // namespace sluice::upstream::health
