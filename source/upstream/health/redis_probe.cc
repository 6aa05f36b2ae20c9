#include "source/redis/resp.h"
#include "source/upstream/health/probe.h"
#include "source/upstream/health/probe_connection.h"

namespace sluice::upstream::health {
namespace {

using Verdict = CheckResult::Verdict;

// Asks PING, or whether a key exists that is not to. Says the cluster's password first on each connection.
class RedisProbe final : public Probe, private ProbeConnectionUser {
 public:
  // An answer has one line.
  static constexpr redis::Limits kLimits{.bytes = 64 * 1024, .items = 16};

  RedisProbe(ProbeTarget target, OnResult on_result) : target_(std::move(target)), on_result_(std::move(on_result)) {}

  void begin() override {
    running_ = true;
    if (framer_.waiting() > 0) connection_.reset();  // what nobody asked for would be taken for the answer
    if (connection_) return ask();
    auto opened = ProbeConnection::open(target_, {}, *this);
    if (!opened.ok()) return finish(notBegun(opened.status()));
    connection_ = *std::move(opened);
    framer_ = redis::Framer(kLimits);
    saying_password_ = false;
  }
  void abandon() override {
    running_ = false;
    connection_.reset();
  }

 private:
  void ask() {
    const std::string& key = target_.check.redis_key;
    connection_->write(key.empty() ? redis::command({"PING"}) : redis::command({"EXISTS", key}));
  }
  void onProbeConnected() override {
    const auto& auth = target_.config->redis_auth;
    const std::string password = auth ? auth->of(target_.address).command() : std::string();
    saying_password_ = !password.empty();
    if (saying_password_) connection_->write(password);
    ask();
  }
  void onProbeBytes(std::string_view bytes) override {
    framer_.feed(bytes);
    std::string_view frame;
    while (connection_) {
      const redis::Framer::Result result = framer_.next(frame);
      if (result == redis::Framer::Result::kNeedsMore) return;
      if (!running_) return connection_.reset();  // nobody asked
      if (result == redis::Framer::Result::kBroken)
        return end({Verdict::kNetwork, 0, false, "the host does not speak Redis"});
      if (!saying_password_) return finish(verdictOf(frame));
      saying_password_ = false;
      if (redis::typeOf(frame) == redis::Type::kError) {
        return end({Verdict::kFailed, 0, false, "the host refused our password"});
      }
    }
  }
  CheckResult verdictOf(std::string_view frame) const {
    if (target_.check.redis_key.empty()) {
      if (frame == "+PONG\r\n") return {};
      return {Verdict::kFailed, 0, false, "the host did not answer PONG"};
    }
    if (frame == ":0\r\n") return {};
    return {Verdict::kFailed, 0, false, "the host has the key, or did not answer"};
  }
  void onProbeEnd(std::string_view detail) override {
    connection_.reset();
    if (running_) finish({Verdict::kNetwork, 0, false, detail});
  }
  void end(const CheckResult& result) {
    connection_.reset();
    finish(result);
  }
  // Last thing that is done: the next check may begin inside.
  void finish(const CheckResult& result) {
    running_ = false;
    if (!target_.check.reuse_connection) connection_.reset();
    on_result_(result);
  }

  const ProbeTarget target_;
  const OnResult on_result_;
  ProbeConnection::Ptr connection_;  // null: none
  redis::Framer framer_;
  bool saying_password_ = false;  // its answer comes first
  bool running_ = false;
};

}  // namespace

std::unique_ptr<Probe> makeRedisProbe(ProbeTarget target, Probe::OnResult on_result) {
  return std::make_unique<RedisProbe>(std::move(target), std::move(on_result));
}

}  // namespace sluice::upstream::health
