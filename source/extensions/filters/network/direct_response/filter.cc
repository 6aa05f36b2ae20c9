#include "source/extensions/filters/network/direct_response/filter.h"

#include "source/filter/network_connection.h"

namespace sluice::extensions::network_filters::direct_response {
namespace {

// How long a client may take nothing of the response, and how long its end is waited for after that: a close with
// unread bytes is a reset, which could destroy the response on its way.
constexpr std::chrono::seconds kFlushPatience{10};
constexpr std::chrono::seconds kLinger{1};

class Reply final : public filter::NetworkConnection {
 public:
  Reply(worker::WorkerServices& worker, filter::Accepted& accepted, std::shared_ptr<const std::string> response)
      : NetworkConnection(worker, accepted),
        response_(std::move(response)),
        timer_(worker.loop.timers(), [this] { onTimer(); }) {}
  void start(base::List<filter::LiveConnection>& list) { begin(list); }

 private:
  void onAdmitted() override {
    downstream().write(*response_);
    downstream().shutdownWrites();
    downstream().flush();
    timer_.arm(kFlushPatience);
    if (downstream().pendingBytes() == 0) onFlushed();
  }
  size_t credit() override { return net::WorkerBuffers::kReadSize; }  // read and dropped
  void onData(std::string_view) override {}
  void onEnd() override {
    ended_ = true;
    if (sent_) finish({});
  }
  void onFlushed() override {
    sent_ = true;
    if (ended_) return finish({});
    timer_.arm(kLinger);
  }
  void onTimer() {
    if (sent_ || downstream().bytesSent() == sent_before_) return finish({});
    sent_before_ = downstream().bytesSent();
    timer_.arm(kFlushPatience);
  }
  bool over(std::string_view) override {
    timer_.cancel();
    return !sent_;
  }

  const std::shared_ptr<const std::string> response_;
  event::Timer timer_;
  uint64_t sent_before_ = 0;
  bool sent_ = false;
  bool ended_ = false;
};

}  // namespace

void DirectResponse::serve(filter::Accepted accepted, worker::WorkerServices& worker,
                           base::List<filter::LiveConnection>& list) const {
  (new Reply(worker, accepted, response_))->start(list);
}

}  // namespace sluice::extensions::network_filters::direct_response
