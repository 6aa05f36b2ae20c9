// A terminal network filter for tests, which sends back what comes and tells what it heard.
#pragma once

#include <string>
#include <string_view>

#include "source/filter/network_connection.h"

namespace sluice::filter {

struct Heard {
  int admitted = 0;
  std::string data, details;
  bool ended = false, reset = false;
};

// Sends back what comes, and ends behind the client's end.
class Mirror : public NetworkConnection {
 public:
  Mirror(worker::WorkerServices& worker, Accepted& accepted, Heard& heard)
      : NetworkConnection(worker, accepted), heard_(heard) {}
  void start(base::List<LiveConnection>& list) { begin(list); }

 private:
  void onAdmitted() override { ++heard_.admitted; }
  size_t credit() override {
    const size_t pending = downstream().pendingBytes();
    return pending < kWindow ? kWindow - pending : 0;
  }
  void onData(std::string_view bytes) override {
    heard_.data += bytes;
    downstream().write(bytes);
  }
  void onEnd() override {
    ended_ = heard_.ended = true;
    downstream().shutdownWrites();
    onFlushed();
  }
  void onReset() override { heard_.reset = true; }
  void onFlushed() override {
    if (ended_ && downstream().pendingBytes() == 0) return finish("ended");
    downstream().resumeReading();
  }
  bool over(std::string_view details) override {
    heard_.details = details;
    return true;
  }

  static constexpr size_t kWindow = 64 * 1024;
  Heard& heard_;
  bool ended_ = false;
};

class MirrorFilter : public TerminalNetworkFilter {
 public:
  explicit MirrorFilter(Heard& heard) : heard_(heard) {}
  void serve(Accepted accepted, worker::WorkerServices& worker, base::List<LiveConnection>& list) const override {
    (new Mirror(worker, accepted, heard_))->start(list);
  }

 private:
  Heard& heard_;
};

}  // namespace sluice::filter
