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
  // One request to the first host, answered with this field.
  void ask(std::string_view field, bool retried = false) {
    User user(arena);
    user.elsewhere = retried;
    begin(user);
    answer(one, "HTTP/1.1 503 X\r\n" + std::string(field) + "content-length: 0\r\n\r\n");
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

}  // namespace
}  // namespace sluice::upstream
