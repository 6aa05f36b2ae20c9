// A connection to an upstream host, and the exchanges on it: one at a time (HTTP/1) or many (HTTP/2).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/event/loop.h"
#include "source/http/codec.h"
#include "source/net/connection.h"
#include "source/upstream/pool/exchange.h"

namespace sluice::upstream::pool {

// Thread: the worker's. Owned by its pool until it is closed, then by the loop until the end of the turn.
class ClientConnection final : private net::ConnectionEvents,
                               private http::ClientEvents,
                               public event::Deferred,
                               public base::ListNode {
 public:
  // `assumed_capacity`: how many requests it will probably take at once.
  ClientConnection(Pool& pool, net::Fd fd, net::TransportPtr transport, uint32_t assumed_capacity);
  ~ClientConnection() override;

  uint64_t id() const { return id_; }
  const stream::StreamInfo::UpstreamConnect& connectTimes() const { return connect_; }
  std::string_view localAddress();
  const base::LocalPtr<stream::UpstreamTls>& tls();
  bool multiplexed() const { return multiplexed_; }

 private:
  friend class Exchange;
  friend class Pool;

  enum class State : uint8_t { kConnecting, kOpen, kDead };

  void onConnected() override;
  size_t readCredit() override;
  void onBytes(std::string_view bytes) override;
  void onPeerEnd() override;
  void onBroken(net::CloseReason reason, int error) override;
  void onDrained() override;

  http::ResponseHeaders& beginResponse(http::StreamId stream) override;
  void onInformational(http::StreamId stream) override;
  void onResponseHeaders(http::StreamId stream, bool end_stream) override;
  void onResponseData(http::StreamId stream, std::string_view data, bool end_stream) override;
  http::Trailers& beginResponseTrailers(http::StreamId stream) override;
  void onResponseTrailers(http::StreamId stream) override;
  void onResponseReset(http::StreamId stream, http::ResetReason reason) override;
  void onSendProgress(http::StreamId stream) override;
  void onCapacityChanged() override;

  void makeCodec();
  // Requests that may be started now.
  uint32_t capacity() const;
  // Nothing runs on it, nor is anybody in the middle of one of its calls.
  bool idle() const { return state_ == State::kOpen && active_ == 0 && !busy_ && !receiving_; }
  void attach(Exchange& exchange);
  void detach(Exchange& exchange);
  // Nothing further starts here; closed once nothing runs.
  void retire();
  Exchange* find(http::StreamId stream);
  Exchange* take(http::StreamId stream, bool end_stream);
  // Lets an upgrade go on, or fails it, or holds it until the peer's SETTINGS tell which.
  void beginUpgrade(Exchange& exchange);
  void hold(Exchange& exchange);
  void unhold(Exchange& exchange);
  Exchange& firstHeld();
  // Both sides of a tunnel have ended.
  void tunnelOver(Exchange& exchange);
  void giveRoom();
  void closeFlushed();
  void countSent();
  void closeBroken();
  void settle();
  // Closes the connection; its exchanges hear of it.
  void fail(http::ResetReason reason, std::string_view detail);
  void openWindow(Exchange& exchange);
  void onTimer();
  void onKeepalive();
  void armKeepalive();
  void ping();
  // A request is to follow: asks for a sign of life where the host has given none for long.
  void pingAhead();
  std::chrono::milliseconds keepaliveWait() const;
  void onMaxDuration();

  Pool& pool_;
  State state_ = State::kConnecting;
  bool multiplexed_ = false;
  bool retired_ = false;
  bool busy_ = false;           // HTTP/1: from the start of an exchange until both messages have ended
  bool request_ended_ = false;  // HTTP/1
  bool in_free_ = false;        // in the pool's list of those with capacity
  bool receiving_ = false;      // the codec is at work: what follows from events waits for its return
  bool pinged_ = false;         // keepalive_timer_ waits for the answer
  bool flushing_ = false;       // HTTP/1: nothing follows what is on its way out
  uint32_t active_ = 0;         // exchanges
  uint32_t held_ = 0;           // of them, those that wait for the peer's first SETTINGS
  uint32_t requests_ = 0;       // so far
  uint32_t assumed_capacity_;
  uint64_t id_;
  uint64_t counted_sent_ = 0;
  uint64_t sent_before_ = 0;  // while it is flushed: at the last look
  stream::StreamInfo::UpstreamConnect connect_;
  event::TimePoint heard_at_;  // HTTP/2: the host's last bytes, or that it was connected
  std::string local_address_;
  base::LocalPtr<stream::UpstreamTls> tls_;  // made when it is first asked for
  net::Connection connection_;
  std::unique_ptr<http::ClientCodec> codec_;                               // once connected
  base::List<Exchange> exchanges_;                                         // that are open
  std::optional<absl::flat_hash_map<http::StreamId, Exchange*>> streams_;  // HTTP/2
  event::Timer timer_;  // connect timeout, then idle timeout; that of a wait for SETTINGS or of a flush
  std::optional<event::Timer> keepalive_timer_;  // HTTP/2
  std::optional<event::Timer> duration_timer_;
};

}  // namespace sluice::upstream::pool
