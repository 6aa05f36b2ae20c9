#include "source/upstream/outcome_observer.h"

#include "source/upstream/tcp_connection.h"
#include "source/upstream/test_attempt.h"

namespace sluice::upstream {
namespace {

using cluster::Detection;
using cluster::HostStat;

struct Heard : OutlierReports {
  void detected(const std::shared_ptr<cluster::HostMonitor>& host, Detection what) override {
    seen.push_back(std::string(host->identity().hostname) + " " + std::to_string(static_cast<int>(what)));
  }
  std::vector<std::string> seen;
};

struct OutcomeTest : AttemptTest {
  explicit OutcomeTest(cluster::OutlierConfig outlier = {}) {
    config->outlier = std::make_shared<cluster::OutlierConfig>(outlier);
    outlier_reports = heard;
    publish();
  }
  // One request to the first host, answered with this.
  void ask(std::string_view answer_bytes) {
    User user(arena);
    begin(user);
    answer(one, answer_bytes);
  }
  void askFor(int status) { ask("HTTP/1.1 " + std::to_string(status) + " X\r\ncontent-length: 0\r\n\r\n"); }
  std::vector<std::string> take() { return std::exchange(heard->seen, {}); }
  uint64_t count(HostStat stat) { return ofHost(stat); }

  const std::shared_ptr<Heard> heard = std::make_shared<Heard>();
};

cluster::OutlierConfig config(uint32_t in_a_row, bool split = false) {
  cluster::OutlierConfig out;
  out.consecutive_5xx = out.consecutive_gateway_failure = out.consecutive_local_origin_failure = in_a_row;
  out.split_local_origin = split;
  return out;
}

using List = std::vector<std::string>;

TEST_CASE("answers of 5xx in a row are told when there are as many as configured, once") {
  OutcomeTest t(config(3));
  for (int i = 0; i < 5; ++i) t.askFor(500);
  CHECK(t.take() == List{"one 0"});
  CHECK(t.count(HostStat::kAnswerFailure) == 5);
  CHECK(t.count(HostStat::kAnswerSuccess) == 0);
}

TEST_CASE("a streak that is beyond the limit, as that was a higher one, is told as well") {
  OutcomeTest t(config(3));
  t.cluster()->hostPtr(0)->monitor().streaks().of_5xx = 7;
  t.askFor(500);
  CHECK(t.take().empty());
  t.askFor(500);
  CHECK(t.take() == List{"one 0"});
}

TEST_CASE("a slow attempt is a failure at once and no second one, as the length of streams is none") {
  const bool split = GENERATE(false, true);
  OutcomeTest t(config(9, split));
  const HostStat failure = split ? HostStat::kLocalFailure : HostStat::kAnswerFailure;
  t.config->http.max_stream_duration = 5s;
  t.publish();
  User user(t.arena);
  t.begin(user);
  SECTION("slow") {
    user.noteSlow();
    CHECK(t.count(failure) == 1);
    user.expire();
    CHECK(t.count(failure) == 1);
    CHECK(t.count(HostStat::kLocalSuccess) == (split ? 1 : 0));
  }
  SECTION("long") {
    t.loop.pass(5s);
    CHECK(user.heard == "ready failed3 ");
    CHECK(t.count(failure) == 0);
  }
}

TEST_CASE("any other answer begins the streak anew") {
  OutcomeTest t(config(3));
  for (const int status : {500, 500, 404, 500, 500}) t.askFor(status);
  CHECK(t.take().empty());
  CHECK(t.count(HostStat::kAnswerFailure) == 4);
  CHECK(t.count(HostStat::kAnswerSuccess) == 1);
  t.askFor(500);
  CHECK(t.take() == List{"one 0"});
}

TEST_CASE("502, 503 and 504 are failures of a gateway, which a 500 ends") {
  OutcomeTest t(config(3));
  for (const int status : {502, 503, 500, 504, 502}) t.askFor(status);
  CHECK(t.take() == List{"one 0"});
  t.askFor(503);
  CHECK(t.take() == List{"one 1", "one 0"});  // nobody began the streak of 5xx anew
}

TEST_CASE("gRPC counts by its status if that is in the head") {
  OutcomeTest t(config(2));
  const std::string unavailable = "HTTP/1.1 200 OK\r\ngrpc-status: 14\r\ncontent-length: 0\r\n\r\n";
  t.ask(unavailable);
  t.ask(unavailable);
  CHECK(t.take() == List{"one 1", "one 0"});
  t.ask("HTTP/1.1 200 OK\r\ngrpc-status: 5\r\ncontent-length: 0\r\n\r\n");
  CHECK(t.count(HostStat::kAnswerSuccess) == 1);
}

TEST_CASE("connections that fail, resets and timeouts count as 503 and 504 where they are not counted apart") {
  OutcomeTest t(config(3));
  {
    User reset(t.arena);
    t.begin(reset);
    t.one.upstream.peer(0).close();
    t.loop.turn();
    CHECK(reset.heard.find("failed") != std::string::npos);
  }
  {
    User late(t.arena);
    t.begin(late);
    late.expire();
  }
  CHECK(t.take().empty());
  t.one.upstream.stop();
  User refused(t.arena);
  t.begin(refused);
  CHECK(t.take() == List{"one 1", "one 0"});
  CHECK(t.count(HostStat::kAnswerFailure) == 3);
  CHECK(t.count(HostStat::kLocalFailure) == 0);
}

TEST_CASE("apart they are failures of local origin, and an answer shows that the host was reached") {
  OutcomeTest t(config(2, true));
  t.askFor(500);
  CHECK(t.count(HostStat::kLocalSuccess) == 1);
  CHECK(t.count(HostStat::kAnswerFailure) == 1);
  t.one.upstream.peer(0).close();
  t.loop.turn();
  t.one.upstream.stop();
  for (int i = 0; i < 2; ++i) {
    User refused(t.arena);
    t.begin(refused);
  }
  CHECK(t.take() == List{"one 3"});
  CHECK(t.count(HostStat::kLocalFailure) == 2);
  CHECK(t.count(HostStat::kAnswerFailure) == 1);
}

TEST_CASE("apart, a reset or a timeout after the host was reached begins a streak of local origin, no more") {
  OutcomeTest t(config(2, true));
  for (int i = 0; i < 3; ++i) {
    User late(t.arena);
    t.begin(late);
    late.expire();
  }
  CHECK(t.take().empty());
  CHECK(t.count(HostStat::kLocalSuccess) == 3);
  CHECK(t.count(HostStat::kLocalFailure) == 3);
}

TEST_CASE("who asked and does not want to know any more says nothing of the host") {
  OutcomeTest t(config(1));
  {
    User user(t.arena);
    t.begin(user);
  }
  CHECK(t.take().empty());
  CHECK(t.count(HostStat::kAnswerFailure) == 0);
}

TEST_CASE("a breaker says nothing of the host") {
  OutcomeTest t(config(1));
  t.thresholds[0].max_connections = 0;
  t.breakers->setLimits(t.thresholds);
  User user(t.arena);
  t.begin(user);
  CHECK(user.heard.find("failed") != std::string::npos);
  CHECK(t.take().empty());
}

struct BytesUser : HostStreamEvents {
  void onHostConnected() override { heard += "connected "; }
  void onHostFailed(std::string_view, bool) override { heard += "failed "; }
  size_t hostCredit() override { return 1000; }
  void onHostData(std::string_view) override {}
  void onHostEnd() override {}
  void onHostBroken() override {}
  void onHostDrained() override {}
  std::string heard;
};

TEST_CASE("connections for bytes count by how connecting went") {
  OutcomeTest t(config(1));
  BytesUser user;
  {
    auto opened = TcpConnection::open(t.cluster(), 0, kPriority, {}, user);
    t.loop.turn();
    CHECK(user.heard == "connected ");
    CHECK(t.count(HostStat::kAnswerSuccess) == 1);
  }
  t.one.upstream.stop();
  const auto opened = TcpConnection::open(t.cluster(), 0, kPriority, {}, user);
  CHECK_FALSE(opened.stream);
  CHECK(t.take() == List{"one 1", "one 0"});
}

TEST_CASE("where connecting cannot even begin, that says nothing of the host") {
  OutcomeTest t(config(1));
  t.hosts({*net::Address::parse("127.0.0.1:9")});
  const cluster::HostSlot slot = t.host_set->entries()[0].host->slot();
  const net::BorrowedSource of_other_family{*net::Address::parse("[::1]:0")};
  const net::BorrowedSource* source = nullptr;
  std::string why = "different families";
  SECTION("the address of a client does not do") {
    source = &of_other_family;
  }
  SECTION("there are no descriptors") {
    t.buffers.descriptors.end = 0;
    why = "no file descriptors";
  }
  User user(t.arena);
  user.setCluster(t.cluster());
  REQUIRE(user.take(slot));
  user.start(t.head, {}, kPriority, {.source = source});
  BytesUser bytes;
  const auto opened = TcpConnection::open(t.cluster(), slot, kPriority, {.source = source}, bytes);

  CHECK(user.heard == "failed1 ");
  CHECK_FALSE(opened.stream);
  CHECK_THAT(user.why, Catch::Contains(why));
  CHECK(t.take().empty());
}

TEST_CASE("where answers are told connecting is no success and no end of a streak") {
  struct AnswersUser : BytesUser {
    bool tellsAnswers() const override { return true; }
  };
  const bool split = GENERATE(false, true);
  OutcomeTest t(config(2, split));
  AnswersUser user;
  const cluster::HostPtr host = t.cluster()->hostPtr(0);
  cluster::HostStats::Row& row = t.cluster()->hostStats(*host);
  for (int i = 0; i < 2; ++i) {
    const auto opened = TcpConnection::open(t.cluster(), 0, kPriority, {}, user);
    t.loop.turn();
    t.cluster()->outcomes()->onNoAnswer(*host, row, false);
  }
  CHECK(t.take() == List{"one 0"});
  CHECK(t.count(HostStat::kAnswerSuccess) == 0);
  CHECK(t.count(HostStat::kLocalSuccess) == (split ? 2 : 0));
  t.cluster()->outcomes()->onNoAnswer(*host, row, true);
  CHECK(t.count(split ? HostStat::kLocalFailure : HostStat::kAnswerFailure) == (split ? 1 : 3));
  t.cluster()->outcomes()->onAnswer(*host, row);
  CHECK(t.count(HostStat::kAnswerSuccess) == 1);
}

TEST_CASE("without outlier detection nobody looks on") {
  AttemptTest t;
  CHECK(t.cluster()->outcomes() == nullptr);
  CHECK(t.cluster()->observers().empty());
}

}  // namespace
}  // namespace sluice::upstream
