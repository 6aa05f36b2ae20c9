// A stream to the first of two servers, or to the second for as long as the first has never answered.
//
// A server is passed over when kMisses attempts in a row brought no message. While the second one serves the first is
// tried beside it; when a stream to it stands that of the second is ended, and connect() goes to the first. From its
// first message on only the first is tried: what it has said serves while it is away.
//
// Main thread. The loop outlives it.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "source/event/loop.h"
#include "source/xds/transport.h"

namespace sluice::xds {

class FailoverTransport final : public Transport, private TransportEvents {
 public:
  using Make = std::function<std::unique_ptr<Transport>()>;
  static constexpr int kMisses = 2;
  // From the second server's first message to the next try of the first: so long at most and half of it at least,
  // twice as long each time.
  static constexpr std::chrono::milliseconds kFirstProbe{10000}, kLastProbe{60000};

  // `random` gives any 64 bits.
  FailoverTransport(Make first, Make second, event::Loop& loop, std::function<uint64_t()> random);
  ~FailoverTransport() override;

  void connect(std::string_view method, TransportEvents& events) override;
  bool writable() const override { return stream_ != nullptr && stream_->writable(); }
  void send(std::string bytes) override { stream_->send(std::move(bytes)); }
  size_t server() const override { return at_; }

 private:
  // Of a stream to the first server that is only to see whether it can be made.
  class Probe : public TransportEvents {
   public:
    explicit Probe(FailoverTransport& owner) : owner_(owner) {}
    void onConnected() override { owner_.afterProbe(true); }
    void onMessage(std::string_view) override {}
    void onWritable() override {}
    void onClosed(const absl::Status&) override { owner_.afterProbe(false); }

   private:
    FailoverTransport& owner_;
  };

  void onConnected() override { events_->onConnected(); }
  void onMessage(std::string_view bytes) override;
  void onWritable() override { events_->onWritable(); }
  void onClosed(const absl::Status& status) override;

  void waitForProbe();
  void startProbe();
  void endProbe();
  void afterProbe(bool stands);
  void goBack();

  const std::array<Make, 2> servers_;
  event::Loop& loop_;
  const std::function<uint64_t()> random_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::string method_;
  TransportEvents* events_ = nullptr;

  size_t at_ = 0;  // which server is tried, or serves
  size_t of_ = 0;  // whose stream_ is
  bool first_answered_ = false;
  bool answered_ = false;  // on this stream
  int misses_ = 0;         // in a row
  std::chrono::milliseconds probe_wait_ = kFirstProbe;
  uint64_t probe_number_ = 0;
  event::Timer probe_timer_;
  Probe probe_events_{*this};
  std::unique_ptr<Transport> probe_;
  std::unique_ptr<Transport> stream_;  // last: its events end first
};

}  // namespace sluice::xds
