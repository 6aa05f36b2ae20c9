#include "source/extensions/filters/network/echo/filter.h"

#include "source/filter/network_connection.h"

namespace sluice::extensions::network_filters::echo {
namespace {

// Bytes that wait for a client that does not read; until they are gone nothing more is read of it.
constexpr size_t kMaxBuffered = 64 * 1024;

class Echo final : public filter::NetworkConnection {
 public:
  Echo(worker::WorkerServices& worker, filter::Accepted& accepted) : NetworkConnection(worker, accepted) {}
  void start(base::List<filter::LiveConnection>& list) { begin(list); }

 private:
  void onAdmitted() override {}
  size_t credit() override {
    const size_t pending = downstream().pendingBytes();
    return pending < kMaxBuffered ? kMaxBuffered - pending : 0;
  }
  void onData(std::string_view bytes) override { downstream().write(bytes); }
  void onEnd() override {
    ended_ = true;
    downstream().shutdownWrites();
    onFlushed();
  }
  void onFlushed() override {
    if (ended_ && downstream().pendingBytes() == 0) return finish({});
    downstream().resumeReading();
  }
  bool over(std::string_view) override { return !ended_; }

  bool ended_ = false;
};

}  // namespace

void EchoFilter::serve(filter::Accepted accepted, worker::WorkerServices& worker,
                       base::List<filter::LiveConnection>& list) const {
  (new Echo(worker, accepted))->start(list);
}

}  // namespace sluice::extensions::network_filters::echo
