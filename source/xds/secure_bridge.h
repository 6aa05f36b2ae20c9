// A TLS connection whose plain bytes are on a descriptor that gRPC can be given: one end of a socket pair, pumped by
// the loop. gRPC itself is linked without TLS; ours is the only one in the process.
//
// Thread: the loop's. Each direction holds at most 256 KiB.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "source/event/loop.h"
#include "source/net/connection.h"

namespace sluice::xds {

class SecureBridge : public event::Deferred {
 public:
  class Events {
   public:
    virtual ~Events() = default;
    // The handshake is done: the bytes of the peer are read from and written to `plain`.
    virtual void onSecured(SecureBridge& bridge, net::Fd plain) = 0;
    // It is over, and both sides are closed. `why`: what broke it; empty: one of the two sides ended it properly.
    virtual void onEnded(SecureBridge& bridge, const std::string& why) = 0;
  };

  // `handshake_timeout` begins with the attempt to connect. `events`, `loop` and `buffers` outlive the bridge.
  SecureBridge(event::Loop& loop, net::WorkerBuffers& buffers, net::Fd socket, net::Connection::Mode mode,
               net::TransportPtr transport, std::chrono::milliseconds handshake_timeout, Events& events);

  // What the handshake found out about the peer.
  net::Transport& transport() const { return *outer_.connection.transport(); }

  // Closes both sides without telling, and destroys the bridge: from inside of its events, too.
  static void drop(std::unique_ptr<SecureBridge> bridge);

 private:
  struct End : net::ConnectionEvents {
    explicit End(SecureBridge& owner) : bridge(owner) {}
    size_t readCredit() override;
    void onBytes(std::string_view bytes) override;
    void onDrained() override;

    virtual net::Connection* other() = 0;
    SecureBridge& bridge;
  };
  struct Outer final : End {
    Outer(SecureBridge& owner, net::Fd fd, net::Connection::Mode mode, net::TransportPtr transport)
        : End(owner), connection(owner.loop_, owner.buffers_, std::move(fd), mode, *this, std::move(transport)) {}
    void onConnected() override { bridge.secured(); }
    void onPeerEnd() override;
    void onBroken(net::CloseReason reason, int error) override;
    void onDrained() override;
    net::Connection* other() override { return bridge.inner_ ? &bridge.inner_->connection : nullptr; }
    net::Connection connection;
  };
  struct Inner final : End {
    Inner(SecureBridge& owner, net::Fd fd)
        : End(owner), connection(owner.loop_, owner.buffers_, std::move(fd), net::Connection::Mode::kAccepted, *this) {}
    void onPeerEnd() override { bridge.innerEnded(); }
    void onBroken(net::CloseReason, int) override { bridge.innerEnded(); }
    net::Connection* other() override { return &bridge.outer_.connection; }
    net::Connection connection;
  };

  void secured();
  void innerEnded();
  void onTimer();
  void end(const std::string& why);

  event::Loop& loop_;
  net::WorkerBuffers& buffers_;
  Events* events_;
  event::Timer timer_;  // of the handshake, later of the last bytes
  Outer outer_;
  std::optional<Inner> inner_;
  bool ending_ = false;  // gRPC is done; the last bytes are on their way
};

}  // namespace sluice::xds
