#include "source/upstream/load_observer.h"

#include "source/upstream/test_attempt.h"
#include "test/support/upstream/policies.h"

namespace sluice::upstream {
namespace {

// Chooses as InTurn does, and wants reports.
class Weighing final : public lb::LbPolicy {
 public:
  std::unique_ptr<lb::LbPicker> makePicker(lb::LbWorker& worker) const override { return in_turn_.makePicker(worker); }
  const lb::LoadWeights* loadWeights() const override { return &weights_; }

 private:
  lb::InTurn in_turn_;
  const lb::LoadWeights weights_{{}};
};

struct LoadTest : AttemptTest {
  LoadTest() {
    config->lb.policy = std::make_shared<Weighing>();
    publish();
  }
  // One request to the first host, answered so.
  void ask(const std::string& response, bool retried = false) {
    User user(arena);
    user.elsewhere = retried;
    begin(user);
    answer(one, response);
  }
  // That of the first host, however young.
  std::optional<double> weight() { return cluster()->hostPtr(0)->monitor().loadWeight().at(loop.now(), 0s, 180s); }
};

const std::string kReport = "endpoint-load-metrics: TEXT rps_fractional=100,cpu_utilization=0.5\r\n";

TEST_CASE("a report in the head of an answer is the host's weight") {
  LoadTest t;
  t.ask(kOk);
  CHECK_FALSE(t.weight());

  t.ask("HTTP/1.1 200 OK\r\n" + kReport + "content-length: 0\r\n\r\n");

  CHECK(t.weight() == 200.0);
  CHECK_FALSE(t.cluster()->hostPtr(1)->monitor().loadWeight().at(t.loop.now(), 0s, 180s));
}

TEST_CASE("so is one in its trailers, where those are read") {
  LoadTest t;
  t.config->http.enable_trailers = true;
  t.publish();

  t.ask("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + kReport + "\r\n");

  CHECK(t.weight() == 200.0);
}

TEST_CASE("and one of an answer that is not passed on") {
  LoadTest t;

  t.ask("HTTP/1.1 503 X\r\n" + kReport + "content-length: 0\r\n\r\n", true);

  CHECK(t.weight() == 200.0);
}

TEST_CASE("a report that is invalid or does not say enough changes nothing") {
  LoadTest t;
  t.ask("HTTP/1.1 200 OK\r\n" + kReport + "content-length: 0\r\n\r\n");

  t.ask("HTTP/1.1 200 OK\r\nendpoint-load-metrics: TEXT rps_fractional=-1\r\ncontent-length: 0\r\n\r\n");
  t.ask("HTTP/1.1 200 OK\r\nendpoint-load-metrics: TEXT rps_fractional=1\r\ncontent-length: 0\r\n\r\n");

  CHECK(t.weight() == 200.0);
}

}  // namespace
}  // namespace sluice::upstream
