#include "test/support/filter/test_terminal.h"

#include <utility>

namespace sluice::filter::testing {
namespace {

class Relay final : public Terminal {
 public:
  Relay(const std::string& cluster, ChainRunner& runner, Stream& stream)
      : cluster_(cluster), runner_(runner), stream_(stream) {}

  void requestHeaders(bool end_stream) override {
    if (end_stream) ask();
  }
  void requestData(std::string_view data, bool end_stream) override {
    if (done_) return;
    if (body_.size() + data.size() > kMaxBody) return fail({413, "the body is too large", "relay_too_large"});
    body_.append(data);
    if (end_stream) ask();
  }
  void requestTrailers() override {
    if (!done_) ask();
  }
  size_t unsentRequestBytes() const override { return 0; }  // what it collects it bounds itself
  void responseCreditGrew() override {
    if (answers_) send();
  }
  void deadlineExpired() override {}
  void cancel() override {
    done_ = true;
    call_.reset();
  }

 private:
  static constexpr size_t kMaxBody = 64 * 1024;

  void ask() {
    call_ = stream_.calls().send({.cluster = cluster_, .method = "POST", .path = "/relay", .body = std::move(body_)},
                                 [this](HttpCallResponse answer) { answered(std::move(answer)); });
    body_.clear();
  }
  void fail(Reply reply) {
    done_ = true;
    runner_.localReply(std::move(reply));
  }
  void answered(HttpCallResponse answer) {
    if (answer.status != 200) return fail({502, "the peer is gone", "relay_failed"});
    body_ = std::move(answer.body);
    http::ResponseHeaders& head = stream_.response();
    head.clear();
    head.status = 200;
    answers_ = true;
    sending_ = true;  // credit is used behind the head only
    runner_.responseHeaders(false);
    sending_ = false;
    send();
  }
  void send() {
    if (std::exchange(sending_, true)) return;
    while (!done_ && sent_ < body_.size() && runner_.responseCredit() > 0) {
      runner_.responseData(std::string_view(body_).substr(sent_++, 1), false);
    }
    sending_ = false;
    if (done_ || sent_ < body_.size()) return;
    done_ = true;
    stream_.responseTrailers().add("mark", "response");
    runner_.responseTrailers();
  }

  const std::string& cluster_;
  ChainRunner& runner_;
  Stream& stream_;
  std::string body_;  // of the request, then of the response
  size_t sent_ = 0;
  std::unique_ptr<Call> call_;
  bool answers_ = false;
  bool sending_ = false;
  bool done_ = false;
};

class RelayConfig final : public TerminalConfig {
 public:
  explicit RelayConfig(std::string cluster) : cluster_(std::move(cluster)) {}
  Terminal* make(worker::WorkerServices&, ChainRunner& runner, Stream& stream, Downstream&) const override {
    return makeIn<Relay>(stream.arena(), cluster_, runner, stream);
  }

 private:
  const std::string cluster_;
};

}  // namespace

std::shared_ptr<const TerminalConfig> relay(std::string cluster) {
  return std::make_shared<RelayConfig>(std::move(cluster));
}

}  // namespace sluice::filter::testing
