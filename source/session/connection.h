// One downstream connection: feeds a codec, makes streams of its events, and decides when the connection ends. It knows
// messages, not HTTP/1 or HTTP/2: which codec serves it is chosen when that is known (codec_type, ALPN, or the client's
// first bytes), until then it has none.
//
// Thread: the worker's. It owns itself from start() on: it leaves its list and is destroyed (Loop::deleteLater) when
// the connection is over.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/filter/network.h"
#include "source/filter/network_chain.h"
#include "source/http/codec.h"
#include "source/net/connection.h"
#include "source/session/http_settings.h"
#include "source/session/request_policy.h"
#include "source/session/stream.h"
#include "source/session/worker.h"

namespace sluice::session {

// How codecs are made. Null `http2`: only HTTP/1 is spoken.
struct CodecMakers {
  std::unique_ptr<http::ServerCodec> (*http1)(http::ServerEvents&, http::ByteSink&, const http::CodecLimits&);
  std::unique_ptr<http::ServerCodec> (*http2)(http::ServerEvents&, http::ByteSink&, const http::CodecLimits&,
                                              const http::Http2Settings&);
};

class Connection final : private net::ConnectionEvents,
                         private http::ServerEvents,
                         private event::TurnTask,
                         public event::Deferred,
                         public filter::LiveConnection {
 public:
  // Begins to serve an accepted socket; the connection puts itself into `list` and leaves it at its end.
  static Connection& start(SessionWorker& worker, std::shared_ptr<const HttpSettings> settings,
                           filter::Accepted accepted, base::List<filter::LiveConnection>& list, CodecMakers makers);
  ~Connection() override;

  // No requests after the next one: its answer says "connection: close". An idle HTTP/1 connection stays until its next
  // request or until closeNow(): closing it would race with a request on its way. HTTP/2 says GOAWAY and closes.
  void drain() override;
  void drainAtAnswer() override { drain_at_answer_ = true; }
  // Ends the connection whatever runs on it. True if that cut a request short.
  bool closeNow(std::string_view details) override;

  const HttpSettings& settings() const { return *settings_; }
  SessionWorker& worker() { return worker_; }
  const PeerText& peer() const { return peer_; }
  const stream::DownstreamFacts& facts() const { return facts_; }
  uint64_t id() const { return id_; }
  bool idle() const { return streams_.empty(); }
  // How many bytes may wait here in each direction.
  uint32_t bufferLimit() const { return buffer_limit_; }
  std::string_view serverName() const { return server_name_; }
  // What requests begin with; null: nothing was left for them.
  const stream::ConnectionState* state() const { return chain_ ? chain_->facts().state.get() : state_.get(); }
  // Whether another filter chain than this connection's is for that authority.
  bool misdirected(std::string_view authority) const;

 private:
  friend class Stream;

  static constexpr size_t kMaxUnsent = 64 * 1024;

  Connection(SessionWorker& worker, std::shared_ptr<const HttpSettings> settings, filter::Accepted accepted,
             CodecMakers makers);

  // net::ConnectionEvents
  void onConnected() override;
  size_t readCredit() override;
  void onBytes(std::string_view bytes) override;
  void onPeerEnd() override;
  bool dropsUnread(bool reset) override;
  void onBroken(net::CloseReason reason, int error) override;
  void onDrained() override;
  // http::ServerEvents
  bool mayBegin() override { return !connection_.broken() && connection_.pendingBytes() < unsentLimit(); }
  http::RequestHeaders& beginRequest(http::StreamId id) override;
  void onRequestHeaders(http::StreamId id, bool end_stream, bool expect_continue) override;
  void onRequestData(http::StreamId id, std::string_view data, bool end_stream) override;
  http::Trailers& beginRequestTrailers(http::StreamId id) override;
  void onRequestTrailers(http::StreamId id) override;
  void onRequestReset(http::StreamId id, http::ResetReason reason) override;
  void onSendProgress(http::StreamId id) override;
  // event::TurnTask
  void runAtTurnEnd() override;

  // Asks the filters in front. False if one of them closes the connection: they do that, soon or after a delay.
  bool admit();
  void chooseCodec(bool http2);
  static std::optional<bool> seemsHttp2(std::string_view bytes);
  void receive(std::string_view bytes);
  // While so many bytes wait for a client that does not read, no further request of it is begun.
  size_t unsentLimit() const { return std::min<size_t>(kMaxUnsent, buffer_limit_); }
  size_t bufferedBytes() const { return first_bytes_.size() + (codec_ ? codec_->bufferedBytes() : 0); }
  void onKeepalive();
  void armKeepalive();
  Stream* find(http::StreamId id);
  // The codec kept input that it can go on with.
  void resumeInputLater() {
    worker_.loop.atTurnEnd(*this);
    connection_.resumeReading();
  }
  void streamFinished(Stream& stream, bool request_complete);
  // `next` answers what `stream` was to answer.
  void replaceStream(Stream& stream, Stream& next);
  void protocolError(const http::ProtocolError& error);
  void refuse(const http::ProtocolError& error);
  void afterInput();
  void stopHeadClock();
  void goOnWithHeadClock();
  void watchBlock();
  void onSilentBlock();
  void watchLingering();
  void drainIfTooOld();
  void armLastStream();
  void onLife();
  milliseconds idleTimeout() const;
  void countSent(uint64_t sent);
  void logFailedHandshake(std::string_view why);
  void closeAfterFlush(bool linger);
  void destroy();
  // `status`: what the client is told about the requests that were not answered; 0: nothing.
  void abortStreams(std::string_view details, stream::ResponseFlag flag, uint16_t status = 0);
  void armIdle();
  void onTimer();

  SessionWorker& worker_;
  std::shared_ptr<const HttpSettings> settings_;
  std::string addresses_;  // the texts that peer_ points into, end to end: an idle connection holds one string
  PeerText peer_;
  stream::DownstreamFacts facts_;
  uint64_t id_;
  const stream::ConnectionStatePtr state_;
  std::unique_ptr<filter::NetworkChain> chain_;  // null: no filter stands in front
  net::Connection connection_;
  const CodecMakers makers_;
  std::unique_ptr<http::ServerCodec> codec_;  // null until it is known which one
  std::string first_bytes_;                   // that do not tell it yet
  base::List<Stream> streams_;
  // What a codec with many streams needs; null where there is one at a time.
  struct Multiplexing {
    Multiplexing(event::TimerQueue& timers, Connection& owner)
        : keepalive(timers, [&owner] { owner.onKeepalive(); }),
          life(timers, [&owner] { owner.onLife(); }),
          block(timers, [&owner] { owner.onSilentBlock(); }),
          lingering(timers, [&owner] { owner.watchLingering(); }) {}
    absl::flat_hash_map<http::StreamId, Stream*> by_id;
    event::Timer keepalive;       // until the next ping, then until its answer
    event::Timer life;            // max_connection_duration, then drain_timeout
    event::Timer block;           // of a header block that has begun: nothing else can come before its end
    event::Timer lingering;       // until streams that linger in the codec are reset
    uint32_t block_begun_at = 0;  // how many requests there were when the timer was armed
    bool in_block = false;
    bool may_linger = false;                     // a stream ended before its request
    std::optional<event::Duration> block_left;   // while that clock stands still
    std::optional<milliseconds> flush_of_route;  // of the stream that ended last; nullopt: as for all
    uint64_t received_before = 0;
    uint64_t sent_before = 0;
    bool pinged = false;
  };
  std::unique_ptr<Multiplexing> multiplexing_;
  // Trailers of a request whose stream has ended go here; made on first use.
  struct DroppedTrailers {
    base::Arena arena;
    http::Trailers trailers{arena};
  };
  std::unique_ptr<DroppedTrailers> dropped_trailers_;
  std::string server_name_;                          // SNI
  std::shared_ptr<const filter::ChainGuard> guard_;  // null: no request can be misdirected
  const void* chosen_chain_;
  event::Timer timer_;  // handshake, idle, request head, lingering close: whichever phase the connection is in
  event::TimePoint born_;
  event::TimePoint old_at_ = event::TimePoint::max();  // max_connection_duration is over
  event::TimePoint idle_since_;
  std::optional<event::Duration> head_left_;  // of timer_ as that of a head, while its clock stands still
  uint64_t counted_sent_ = 0;
  uint64_t sent_before_ = 0;  // at the last look, while the rest of the output is waited for
  const uint32_t buffer_limit_;
  uint32_t requests_ = 0;
  bool invalid_message_ = false;  // that ends the connection
  bool head_timed_ = false;       // timer_ is that of a request head
  bool head_clock_stopped_ = false;
  bool draining_ = false;
  bool drain_at_answer_ = false;
  bool peer_ended_ = false;
  bool ending_ = false;     // no more input is understood; closes once the output is out
  bool lingering_ = false;  // FIN sent; waits for the peer's
  bool cut_ = false;        // what only the end delimits was cut short: it ends by a reset
  bool dead_ = false;
};

}  // namespace sluice::session
