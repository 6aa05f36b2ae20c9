// One downstream connection: feeds a codec, makes streams of its events, and decides when the connection ends. It knows
// messages, not HTTP/1: the codec is given to it.
//
// Thread: the worker's. It owns itself from start() on: it leaves its list and is destroyed (Loop::deleteLater) when
// the connection is over.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/filter/network.h"
#include "source/http/codec.h"
#include "source/net/connection.h"
#include "source/session/http_settings.h"
#include "source/session/request_policy.h"
#include "source/session/stream.h"
#include "source/session/worker.h"

namespace sluice::session {

using MakeCodec = std::unique_ptr<http::ServerCodec> (*)(http::ServerEvents&, http::ByteSink&,
                                                         const http::CodecLimits&);

class Connection final : private net::ConnectionEvents,
                         private http::ServerEvents,
                         private event::TurnTask,
                         public event::Deferred,
                         public filter::LiveConnection {
 public:
  // Begins to serve an accepted socket; the connection puts itself into `list` and leaves it at its end.
  static Connection& start(SessionWorker& worker, std::shared_ptr<const HttpSettings> settings, net::Fd fd,
                           const net::Address& remote, const net::Address& local,
                           base::List<filter::LiveConnection>& list, MakeCodec make_codec);
  ~Connection() override;

  // No requests after the next one: its answer says "connection: close". An idle connection stays until its next
  // request or until closeNow(): closing it would race with a request on its way.
  void drain() override;
  // Ends the connection whatever runs on it. True if that cut a request short.
  bool closeNow(std::string_view details) override;

  const HttpSettings& settings() const { return *settings_; }
  SessionWorker& worker() { return worker_; }
  const PeerText& peer() const { return peer_; }
  uint64_t id() const { return id_; }
  bool idle() const { return streams_.empty(); }

 private:
  friend class Stream;

  Connection(SessionWorker& worker, std::shared_ptr<const HttpSettings> settings, net::Fd fd,
             const net::Address& remote, const net::Address& local, MakeCodec make_codec);

  // net::ConnectionEvents
  size_t readCredit() override;
  void onBytes(std::string_view bytes) override;
  void onPeerEnd() override;
  void onBroken(net::CloseReason reason, int error) override;
  void onDrained() override;
  // http::ServerEvents
  http::RequestHeaders& beginRequest(http::StreamId id) override;
  void onRequestHeaders(http::StreamId id, bool end_stream, bool expect_continue) override;
  void onRequestData(http::StreamId id, std::string_view data, bool end_stream) override;
  http::Trailers& beginRequestTrailers(http::StreamId id) override;
  void onRequestTrailers(http::StreamId id) override;
  void onRequestReset(http::StreamId id, http::ResetReason reason) override;
  // event::TurnTask
  void runAtTurnEnd() override;

  Stream* find(http::StreamId id);
  void streamFinished(Stream& stream, bool request_complete);
  void protocolError(const http::ProtocolError& error);
  void refuse(const http::ProtocolError& error);
  void afterInput();
  void drainIfTooOld();
  void closeAfterFlush(bool linger);
  void destroy();
  // `status`: what the client is told about the requests that were not answered; 0: nothing.
  void abortStreams(std::string_view details, stream::ResponseFlag flag, uint16_t status = 0);
  void armIdle();
  void onTimer();

  SessionWorker& worker_;
  std::shared_ptr<const HttpSettings> settings_;
  std::string remote_text_, local_text_;
  PeerText peer_;
  uint64_t id_;
  net::Connection connection_;
  std::unique_ptr<http::ServerCodec> codec_;
  base::List<Stream> streams_;
  // By id, where the codec has many streams; null where it has one at a time.
  std::unique_ptr<absl::flat_hash_map<http::StreamId, Stream*>> by_id_;
  // Trailers of a request whose stream has ended go here; made on first use.
  struct DroppedTrailers {
    base::Arena arena;
    http::Trailers trailers{arena};
  };
  std::unique_ptr<DroppedTrailers> dropped_trailers_;
  event::Timer timer_;  // idle, request head, lingering close: whichever phase the connection is in
  event::TimePoint born_;
  uint64_t sent_before_ = 0;  // at the last look, while the rest of the output is waited for
  uint32_t requests_ = 0;
  bool head_timed_ = false;  // timer_ is that of a request head
  bool draining_ = false;
  bool peer_ended_ = false;
  bool ending_ = false;     // no more input is understood; closes once the output is out
  bool lingering_ = false;  // FIN sent; waits for the peer's
  bool dead_ = false;
};

}  // namespace sluice::session
