// The bed of tests of attempts: a cluster of one worker with hosts that the test plays, and virtual time.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "source/upstream/attempt.h"
#include "source/upstream/pool/test_upstream.h"
#include "source/upstream/test_cluster.h"

using namespace std::chrono_literals;

namespace sluice::upstream {

using cluster::Resource;
inline const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

// Who asks: sends its request once there is a connection, and writes down what it hears.
struct User final : AttemptOf<User> {
  explicit User(base::Arena& arena) : AttemptOf(arena), trailers(arena) {}
  ~User() override { cancel(); }

  void onReady() override {
    heard += "ready ";
    sendHead(ends);
  }
  http::Trailers& beginTrailers() { return trailers; }
  size_t responseCredit() override { return 1 << 20; }
  void onRequestBytesSent() override {}

  std::optional<RetryState::Repeat> retry(const AttemptEnd&) {
    if (repeats == 0) return std::nullopt;
    --repeats;
    return RetryState::Repeat{.fresh = true};
  }
  bool retriesElsewhere(const AttemptEnd& end) {
    if (!elsewhere) return false;
    heard += "left" + std::to_string(static_cast<int>(end.kind)) + " ";
    return true;
  }
  bool retriesAnswer() { return elsewhere && responseHead().status >= 500; }
  void onFailed(const AttemptEnd& end) {
    heard += running() ? "held " : "";
    heard += "failed" + std::to_string(static_cast<int>(end.kind)) + " ";
    why = end.text;
    if (on_failed) on_failed();
  }
  void onInterimHead() { heard += "info" + std::to_string(responseHead().status) + " "; }
  void onHead(bool end_stream) {
    heard += std::to_string(status()) + " ";
    if (end_stream) heard += "end ";
  }
  void onData(std::string_view data, bool end_stream) {
    body += data;
    if (end_stream) heard += "end ";
  }
  void onTrailers() { heard += "end "; }

  http::Trailers trailers;
  bool ends = true;
  int repeats = 0;
  bool elsewhere = false;  // retries by policy
  std::string heard, body, why;
  std::function<void()> on_failed;
};

// Writes down what all attempts of a cluster do.
struct Watcher : AttemptObserver {
  void onAttemptBegin(const Attempt& attempt) override { seen.push_back("begin " + hostOf(attempt)); }
  void onAttemptHead(const Attempt& attempt) override { seen.push_back("head " + std::to_string(attempt.status())); }
  void onAttemptEnd(const Attempt& attempt, const AttemptEnd& end) override {
    seen.push_back("end " + std::to_string(static_cast<int>(end.kind)) + " " + hostOf(attempt));
  }
  void onAttemptSlow(const Attempt& attempt) override { seen.push_back("slow " + hostOf(attempt)); }
  static std::string hostOf(const Attempt& attempt) { return attempt.host().hostname(); }

  std::vector<std::string> seen;
};

struct AttemptTest : TestCluster {
  // Slots count in this order.
  struct TestHost {
    std::string name;
    pool::TestUpstream upstream = {};
  };

  AttemptTest() {
    stats.rq_active = registry.gauge("rq_active");
    for (const auto& [name, counter] : counters()) *counter = registry.counter(name);
    publishHosts();
    head.method = "GET";
    head.path = "/";
    head.authority = "asked.example";
  }
  // Whatever happened, nothing stays counted.
  ~AttemptTest() {
    clusters.remove(0);
    loop.turn();
    CHECK(used(Resource::kConnections) == 0);
    CHECK(used(Resource::kPendingRequests) == 0);
    CHECK(used(Resource::kRequests) == 0);
    CHECK(used(Resource::kRetries) == 0);
    CHECK(stat("rq_active") == 0);
  }

  std::vector<std::pair<const char*, observability::Counter*>> counters() {
    return {{"rq_total", &stats.rq_total},
            {"rq_completed", &stats.rq_completed},
            {"rq_timeout", &stats.rq_timeout},
            {"rq_per_try_timeout", &stats.rq_per_try_timeout},
            {"rq_per_try_idle_timeout", &stats.rq_per_try_idle_timeout},
            {"rq_max_duration_reached", &stats.rq_max_duration_reached},
            {"rq_cancelled", &stats.rq_cancelled},
            {"rq_rx_reset", &stats.rq_rx_reset},
            {"rq_tx_reset", &stats.rq_tx_reset},
            {"rq_retry", &stats.rq_retry},
            {"rq_1xx", &stats.rq_1xx},
            {"rq_2xx", &stats.rq_2xx},
            {"rq_5xx", &stats.rq_5xx},
            {"none_healthy", &stats.cx_none_healthy}};
  }
  void publishHosts() {
    cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (TestHost* host : {&one, &two}) {
      auto& endpoint = locality.endpoints.emplace_back();
      endpoint.address = host->upstream.address;
      endpoint.hostname = host->name;
    }
    assign(assignment);
  }
  base::LocalPtr<WorkerCluster> cluster() { return clusters.find(0); }
  // On the host of that slot.
  User& begin(User& user, cluster::HostSlot slot = 0, HeadOverlay overlay = {}) {
    user.setCluster(cluster());
    REQUIRE(user.take(slot));
    user.start(head, overlay, kPriority);
    loop.turn();
    return user;
  }
  // The host answers what came in on its first connection.
  void answer(TestHost& host, std::string_view bytes = kOk) {
    host.upstream.peer(0).take();
    host.upstream.peer(0).send(bytes);
    loop.turn();
  }
  uint32_t active(cluster::HostSlot slot = 0) { return cluster()->activeRequests(slot); }
  uint64_t ofHost(cluster::HostStat stat, cluster::HostSlot slot = 0) {
    return cluster()->hostPtr(slot)->stats().sum(stat);
  }

  TestHost one{"one"}, two{"two"};
  base::Arena arena;
  http::RequestHeaders head{arena};
};

}  // namespace sluice::upstream
