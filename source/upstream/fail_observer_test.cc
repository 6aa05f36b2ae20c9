#include "source/upstream/fail_observer.h"

#include "source/upstream/test_attempt.h"

namespace sluice::upstream {
namespace {

struct Heard : FailReports {
  void askedToFail(const std::shared_ptr<cluster::HostMonitor>& host) override {
    seen.emplace_back(host->identity().hostname);
  }
  std::vector<std::string> seen;
};

struct FailTest : AttemptTest {
  FailTest() {
    fail_reports = heard;
    publish();
  }
  // One request to the first host, answered with this field. Whether the answer has it when it is passed on.
  bool ask(std::string_view field, bool retried = false) {
    User user(arena);
    user.elsewhere = retried;
    begin(user);
    answer(one, "HTTP/1.1 503 X\r\n" + std::string(field) + "content-length: 0\r\n\r\n");
    return user.responseHead().get(cluster::kFailHeader).has_value();
  }

  const std::shared_ptr<Heard> heard = std::make_shared<Heard>();
};

const std::string kAsks = "x-envoy-immediate-health-check-fail: true\r\n";

TEST_CASE("a host that asks to be failed is told of once, until it is let in again") {
  FailTest t;
  t.ask("");
  CHECK(t.heard->seen.empty());
  t.ask(kAsks);
  t.ask(kAsks);
  CHECK(t.heard->seen == std::vector<std::string>{"one"});
  t.cluster()->hostPtr(0)->monitor().letIn();
  t.ask(kAsks);
  CHECK(t.heard->seen.size() == 2);
}

TEST_CASE("a host may ask by any value, and in an answer that is not passed on") {
  FailTest t;
  t.ask("x-envoy-immediate-health-check-fail: \r\n", true);
  CHECK(t.heard->seen == std::vector<std::string>{"one"});
}

TEST_CASE("what was asked is not passed on where it was heard") {
  FailTest t;
  CHECK_FALSE(t.ask(kAsks));
  CHECK_FALSE(t.ask(kAsks));
}

TEST_CASE("a cluster without checks passes it on, to somebody who has some") {
  FailTest t;
  t.fail_reports = nullptr;
  t.config = std::make_shared<cluster::ClusterConfig>(*t.config);
  t.publish();
  CHECK(t.ask(kAsks));
}

}  // namespace
}  // namespace sluice::upstream
