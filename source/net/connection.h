// One stream socket on one loop: bytes in, bytes out, flow control by credit.
//
// Reading. The owner states its credit before each read; nothing is read beyond it. Bytes arrive in the worker's one
// hot buffer and are valid during onBytes() only. When credit was 0 the connection remembers that the socket may be
// readable: the owner calls resumeReading() once there is credit again. Writing. Small writes are gathered and sent at
// the end of the loop's turn; large ones go out at once. What the socket does not take waits here: pendingBytes() is
// what the owner subtracts from the credit it gives to its own source, and whoever was told that bytes wait is told by
// onDrained() when they are gone. The end. What the peer sent is delivered before its FIN or its reset, as credit
// allows. Without credit both are told once nothing unread is in front of them, or at once (dropsUnread()); a broken
// connection whose bytes nobody takes ends after kPatience. Thread: the loop's. The owner may close() at any time, but
// destroys a connection only through Loop::deleteLater or from outside of its callbacks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "source/buffer/byte_queue.h"
#include "source/buffer/byte_sink.h"
#include "source/event/loop.h"
#include "source/net/connect_race.h"
#include "source/net/descriptors.h"
#include "source/net/internal_listeners.h"
#include "source/net/socket.h"
#include "source/net/transport.h"

namespace sluice::observability {
class StatsCells;
}

namespace sluice::net {

// What all connections of a worker share.
struct WorkerBuffers {
  static constexpr size_t kReadSize = 64 * 1024;
  buffer::BlockPool blocks;
  std::unique_ptr<char[]> read{new char[kReadSize]};
  // Scratch space of transports, in which they take bytes from and hand them to the socket.
  std::unique_ptr<char[]> transport{new char[kReadSize]};
  // Where transports count; null: nowhere.
  observability::StatsCells* cells = nullptr;
  Descriptors descriptors;
  InternalListeners* internal_listeners = nullptr;  // null: there are none
};

enum class CloseReason : uint8_t {
  kLocal,            // the owner wanted it: closeBehind()
  kReset,            // ECONNRESET, EPIPE and the like while established
  kConnectFailed,    // the attempt failed
  kHandshakeFailed,  // the transport's handshake failed; transport()->failure() says why
};

class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  // The connection is established, its transport's handshake included. Not told for an accepted plain socket, which is
  // established from the start.
  virtual void onConnected() {}
  // How many bytes may be delivered now; 0 stops reading until resumeReading().
  virtual size_t readCredit() = 0;
  virtual void onBytes(std::string_view bytes) = 0;
  // The peer sent its FIN; writing may go on. Told even without credit, once nothing unread is in front of it.
  virtual void onPeerEnd() = 0;
  // Whether the end is told now, although bytes are unread in front of it: asked without credit, and, with `reset`,
  // wherever it broke.
  virtual bool dropsUnread(bool reset) {
    (void)reset;
    return false;
  }
  // The connection broke; it is closed already. `error`: errno of the failure. Not called for close() of the owner.
  virtual void onBroken(CloseReason reason, int error) = 0;
  virtual void onDrained() {}
};

class Connection : public buffer::ByteSink, private event::FdHandler, private event::TurnTask {
 public:
  enum class Mode : uint8_t { kAccepted, kConnecting };
  // How long one side may take nothing of the last bytes once the other is over.
  static constexpr std::chrono::seconds kPatience{10};

  // `transport`: null for a plain socket.
  Connection(event::Loop& loop, WorkerBuffers& buffers, Fd fd, Mode mode, ConnectionEvents& events,
             TransportPtr transport = nullptr);
  ~Connection() override;

  // While connecting: attempts at further addresses of the peer follow the one that is under way, and the first that
  // connects is the connection; its transport's handshake is behind that. `options` outlives the attempts.
  void raceTo(std::span<const Address> others, const ConnectOptions& options);

  void write(std::string_view bytes) override;
  // Sends what waits, as far as the socket takes it, without waiting for the end of the turn.
  void flush();
  // Bytes accepted by write() and not yet by the kernel (what a transport holds back counts as one). If there are any,
  // onDrained() follows.
  size_t pendingBytes() const {
    const size_t pending = out_.size() + (transport_blocked_ ? 1 : 0);
    if (pending > 0) tell_drained_ = true;
    return pending;
  }
  // The kernel may have bytes for us that were not read yet.
  bool unread() const { return readable_; }
  uint64_t bytesSent() const { return sent_; }
  // That, and what waits to be sent.
  uint64_t bytesWritten() const { return sent_ + out_.size(); }
  uint64_t bytesReceived() const { return received_; }

  void resumeReading();
  // FIN after all pending bytes.
  void shutdownWrites();
  // Closes at once; pending bytes are dropped. With `reset` the peer sees RST. Idempotent.
  void close(bool reset = false);
  // Reads no more, and closes with an RST once the peer has all that was written, or takes none of it for kPatience.
  // onBroken(kLocal) tells unless it was so at once: then open() is false when this returns.
  void resetBehind();

  bool open() const { return fd_.valid(); }
  // The socket has failed: what is written is dropped, and onBroken() follows.
  bool broken() const { return broken_; }
  // The attempt or the handshake still runs.
  bool connecting() const { return connecting_ || handshaking_; }
  // When the attempt was over, its handshake not included; of one that was not accepted.
  event::TimePoint connectedAt() const { return connected_at_; }
  Transport* transport() const { return transport_.get(); }
  // The peer's end came without the transport's own end: what is delimited by the end may have been cut short.
  bool truncated() const { return truncated_; }
  // From the transport, never inside one of its calls: what it held goes on, in either direction.
  void transportReady();
  // Nothing was going on for a while: the transport begins with small records again.
  void idle() {
    if (transport_) transport_->idle();
  }
  int fd() const { return fd_.get(); }
  // What the kernel measured of the way to the peer and back; nullopt: it is closed, or no TCP.
  std::optional<std::chrono::microseconds> roundTrip() const;

 private:
  void onFdEvents(uint32_t events) override;
  void watch();
  bool goOnWith(Fd fd);
  void runAtTurnEnd() override;
  void readSome();
  void tellEnd();
  bool endWithoutCredit();
  bool unreadInFront();
  void waitForLast(event::Duration first_look);
  void onLastWait();
  bool flushNow(std::string_view extra);
  void tellIfDrained();
  void broken(CloseReason reason, int error);
  void brokenByPeer();
  void breakDown(int error);
  size_t undelivered() const;
  ssize_t receive(char* to, size_t size);
  ssize_t send(const iovec* vectors, int count);
  bool handshakeOn();
  void sendFinIfDone();

  event::Loop& loop_;
  WorkerBuffers& buffers_;
  ConnectionEvents& events_;
  Fd fd_;
  std::unique_ptr<event::FdWatch> watch_;
  std::unique_ptr<ConnectRace> race_;  // while connecting to one of several addresses
  buffer::ByteQueue out_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  event::TimePoint connected_at_;
  TransportPtr transport_;
  bool connecting_;
  bool handshaking_ = false;
  bool truncated_ = false;
  bool readable_ = false;     // the kernel may have something for us
  bool peer_closed_ = false;  // or broken_: a short read is not the last word
  bool broken_ = false;       // it is over: what is unread is all that comes
  bool end_delivered_ = false;
  bool resetting_ = false;  // resetBehind()
  bool write_blocked_ = false;
  bool transport_blocked_ = false;     // the transport holds bytes that the socket did not take
  mutable bool tell_drained_ = false;  // the owner knows of bytes in out_
  bool fin_wanted_ = false;
  bool in_read_ = false;
  bool drained_ = false;  // the transport said so at the last receive()
  bool held_ = false;     // the same: it holds what there is
  int error_ = 0;         // what broke it, once a call has told: the socket tells it only once
  // Until somebody takes the last bytes of a connection that is over; null: not over.
  struct LastWait;
  std::unique_ptr<LastWait> last_wait_;
};

}  // namespace sluice::net
