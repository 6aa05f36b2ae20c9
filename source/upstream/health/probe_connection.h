// A connection to a host that is checked or asked for its load, with the cluster's transport (TLS). Counted nowhere: it
// is no traffic. Thread: main.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/upstream/health/probe.h"

namespace sluice::upstream::health {

// Its owner, which may let go of it in each of these.
class ProbeConnectionUser {
 public:
  virtual ~ProbeConnectionUser() = default;
  virtual void onProbeConnected() = 0;
  virtual void onProbeBytes(std::string_view bytes) = 0;
  // The host sends no more.
  virtual void onProbePeerEnd() { onProbeEnd("the host closed the connection"); }
  // It is over, or could not be made. `detail`: static text.
  virtual void onProbeEnd(std::string_view detail) = 0;
};

class ProbeConnection final : public buffer::ByteSink, private net::ConnectionEvents, public event::Deferred {
 public:
  // Closes it; it is destroyed at the end of the turn.
  struct LetGo {
    void operator()(ProbeConnection* connection) const { connection->letGo(); }
  };
  using Ptr = std::unique_ptr<ProbeConnection, LetGo>;

  // An error if connecting cannot even begin; kResourceExhausted if that is for want of descriptors of our own. `user`
  // outlives the pointer. `alpn`: what a TLS transport offers, unless the
  // host has its own.
  static absl::StatusOr<Ptr> open(const ProbeHost& host, const std::vector<std::string>& alpn,
                                  ProbeConnectionUser& user);

  void write(std::string_view bytes) override { connection_.write(bytes); }
  void flush() { connection_.flush(); }
  // As agreed with the host by ALPN; empty: nothing was. Once connected.
  std::string_view applicationProtocol() const {
    return connection_.transport() == nullptr ? std::string_view() : connection_.transport()->applicationProtocol();
  }

 private:
  ProbeConnection(const ProbeHost& host, net::Fd fd, net::TransportPtr transport, ProbeConnectionUser& user)
      : loop_(host.loop),
        user_(&user),
        connection_(host.loop, host.buffers, std::move(fd), net::Connection::Mode::kConnecting, *this,
                    std::move(transport)) {}

  void onConnected() override {
    if (user_ != nullptr) user_->onProbeConnected();
  }
  size_t readCredit() override { return user_ == nullptr ? 0 : net::WorkerBuffers::kReadSize; }
  void onBytes(std::string_view bytes) override {
    if (user_ != nullptr) user_->onProbeBytes(bytes);
  }
  void onPeerEnd() override {
    if (user_ != nullptr) user_->onProbePeerEnd();
  }
  void onBroken(net::CloseReason reason, int error) override;
  void end(std::string_view detail) {
    if (user_ != nullptr) user_->onProbeEnd(detail);
  }
  void letGo();

  event::Loop& loop_;
  ProbeConnectionUser* user_;  // null: let go of
  net::Connection connection_;
};

}  // namespace sluice::upstream::health
