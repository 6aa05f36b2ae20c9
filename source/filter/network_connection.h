// The downstream side of a terminal network filter that takes bytes as they are (tcp_proxy, echo, direct_response):
// owns the socket, waits for the handshake and for the filters in front, then hands over to the derived class.
//
// It owns itself from begin() on: it is destroyed (Loop::deleteLater) after finish(), closeNow() or the end of the
// socket. Thread: the worker's.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "source/filter/network.h"
#include "source/filter/network_chain.h"
#include "source/net/connection.h"

namespace sluice::filter {

class NetworkConnection : public LiveConnection, public event::Deferred, private net::ConnectionEvents {
 public:
  // How long a client may take for its handshake where the listener does not say.
  static constexpr std::chrono::seconds kHandshakeTimeout{15};

  // Byte streams are not told of a drain: they go on until the drain time is over.
  void drain() override {}
  bool closeNow(std::string_view details) override;

 protected:
  NetworkConnection(worker::WorkerServices& worker, Accepted& accepted);
  ~NetworkConnection() override;

  // Once, right after construction. The object may be over when it returns.
  void begin(base::List<LiveConnection>& list);

  // The handshake is over, of a connection that has one; filters in front have not been asked yet.
  virtual void onHandshakeDone() {}
  // The connection is established and every filter lets it through. Called once, before the calls below.
  virtual void onAdmitted() = 0;
  virtual size_t credit() = 0;
  virtual void onData(std::string_view bytes) = 0;
  virtual void onEnd() = 0;
  // The connection broke: it is closed, over() follows.
  virtual void onReset() {}
  virtual void onFlushed() {}
  // The last call, whatever the reason. True if work was cut short. `details`: why.
  virtual bool over(std::string_view details) = 0;

  // Without credit: whether the client's end is told although bytes of it are unread.
  virtual bool dropsData(bool reset) {
    (void)reset;
    return false;
  }

  // Closes at once and ends. Nothing of the object is called after that but its destructor.
  void finish(std::string_view details, bool reset = false);
  // Ends with a reset behind what was written; over() follows, nothing else. `details` lives until then.
  void finishBroken(std::string_view details);

  net::Connection& downstream() { return connection_; }
  worker::WorkerServices& worker() { return worker_; }
  // What filters in front have left; null where there is none.
  const ConnectionFacts* facts() const { return chain_ ? &std::as_const(*chain_).facts() : nullptr; }
  // What was left for the connection's streams so far; null: nothing.
  const stream::ConnectionState* state() const { return chain_ ? facts()->state.get() : state_.get(); }
  bool finished() const { return finished_; }

 private:
  void onConnected() override;
  size_t readCredit() override { return admitted_ ? credit() : 0; }
  void onBytes(std::string_view bytes) override { onData(bytes); }
  void onPeerEnd() override;
  bool dropsUnread(bool reset) override { return !admitted_ || dropsData(reset); }
  void onBroken(net::CloseReason reason, int error) override;
  void onDrained() override;
  void admit();
  void close(bool reset);

  worker::WorkerServices& worker_;
  const stream::ConnectionStatePtr state_;
  std::unique_ptr<NetworkChain> chain_;  // the connection's transport may be a part of it
  net::Connection connection_;
  std::unique_ptr<event::Timer> wait_;  // for the handshake; null where there is none
  std::chrono::milliseconds handshake_timeout_;
  std::string_view breaking_details_;
  bool admitted_ = false;
  bool breaking_ = false;  // finishBroken()
  bool finished_ = false;
};

}  // namespace sluice::filter
