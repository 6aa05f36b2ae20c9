// What both sides of an HTTP/2 connection have in common: the nghttp2 session, streams and the bytes that wait for
// their windows, budgets against abuse, pings. The two codecs derive from it and say what a message means to their
// owner.
//
// Nothing calls the owner but receive() and receiveEnd(): what is sent from inside an event is written when the event
// is over, and a stream that ends inside a send is told of with the next input.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "source/http/codec.h"
#include "source/http/h2/budget.h"
#include "source/http/h2/frame_heads.h"
#include "source/http/h2/head_reader.h"
#include "source/http/h2/head_writer.h"
#include "source/http/h2/stream.h"

namespace sluice::http::h2 {

class Endpoint {
 public:
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Writes the preface.
  void start();

 protected:
  enum class Side : uint8_t { kServer, kClient };

  Endpoint(Side side, ByteSink& sink, const CodecLimits& limits, const Http2Settings& settings);
  virtual ~Endpoint();

  // --- what the sides say to their owners
  virtual void notifyData(Stream& stream, std::string_view data, bool end) = 0;
  virtual Trailers& notifyTrailersBegin(StreamId stream) = 0;
  virtual void notifyTrailers(StreamId stream) = 0;
  virtual void notifyReset(StreamId stream, ResetReason reason) = 0;
  virtual void notifyProgress(StreamId stream) = 0;
  // A header block begins: readies head_reader_.
  virtual void blockBegins(const nghttp2_frame& frame) = 0;
  // It is whole. `stream` is neither dead nor null.
  virtual void blockEnds(Stream& stream, bool end_stream) = 0;
  // The peer's SETTINGS, GOAWAY, the answer to a PING.
  virtual void settingsCame() {}
  virtual void goawayCame() {}
  virtual void pingAcked(uint64_t opaque) { (void)opaque; }
  // A GOAWAY without error went out.
  virtual void goawaySent() {}
  // END_STREAM went out.
  virtual void endSent(Stream& stream) { (void)stream; }

  // --- driving
  void timeIs(TimePoint now) { budget_.tellTime(now); }
  std::optional<ProtocolError> feed(std::string_view bytes);
  // The peer's FIN.
  std::optional<ProtocolError> feedEnd();
  // At the end of every call that may have caused output, but inside of events.
  void flush();
  bool receiving() const { return receiving_; }
  // Ends the connection: GOAWAY with `code` at the end of the call.
  void fail(std::string_view detail, uint32_t code);
  bool failed() const { return error_.has_value(); }

  // --- streams
  Stream& open(StreamId id);
  Stream* find(StreamId id) const;  // null: unknown, closed, or dead; always after an error
  // Forgets a stream that never was.
  void giveUp(Stream& stream);
  // Some message of the peer has begun and not ended.
  bool inputIncomplete() const;
  bool inBlock() const { return block_ != 0; }
  // Without those that linger.
  uint32_t openStreams() const { return open_; }
  // The peer broke a rule on this stream: resets it and tells the owner.
  void failStream(Stream& stream, uint32_t code = NGHTTP2_PROTOCOL_ERROR);
  void resetStream(Stream& stream, uint32_t code);
  // The owner is done with the stream and its peer is not: what comes is dropped, beyond its window it may send
  // nothing.
  void linger(Stream& stream);
  // Resets with NO_ERROR those that lingered at the call before, or all. True: some are left.
  bool resetLingering(bool all);
  // The message ended; false: not where it said that it would, and the stream was reset.
  bool checkEnd(Stream& stream);
  // A header block that is no head: trailers, or what nobody wants. `stream` may be null.
  void beginTrailers(Stream* stream, const nghttp2_frame& frame);
  // `allowed`: whether the message may have any.
  void endTrailers(Stream& stream, bool allowed);

  // The owner gave the end of its message. A server's owner forgets the stream with it, also where a window holds the
  // end back: trailers in the middle of which it does so are read into no list of its.
  void ownerEnds(const Stream& stream);

  // --- sending
  void submitHead(Stream& stream, bool end);
  void sendBody(StreamId id, std::string_view data, bool end);
  void sendTrailerList(StreamId id, const Trailers& trailers);
  size_t unsent(StreamId id) const;
  void consumeStream(StreamId id, size_t bytes);
  void submitPing(uint64_t opaque);
  // Asks the peer for a sign of life, unless that is under way.
  void sendKeepalivePing();

  nghttp2_session* session() const { return session_; }

  ByteSink& sink_;
  const CodecLimits limits_;
  const Http2Settings settings_;
  HeadReader head_reader_;
  HeadWriter head_writer_;
  Budget budget_;
  std::vector<Stream*> unopened_;
  bool awaiting_ping_ = false;

  static constexpr uint64_t kKeepalivePing = 1;
  static constexpr uint64_t kDrainPing = 2;

 private:
  struct Callbacks;
  struct Reset {
    StreamId stream;
    ResetReason reason;
  };
  // A stream that we reset before its peer ended it: frames of it may be on their way.
  struct Cut {
    StreamId id;
    bool told;  // that it is closed
  };

  bool server() const { return side_ == Side::kServer; }
  bool charge(Budget::Verdict verdict);
  void submitSettings();
  void read(std::string_view bytes);
  void write();
  void settle();
  void terminate();
  void reap();
  void pump(Stream& stream);
  void submitTrailers(Stream& stream);
  void dropTrailers();
  void detach(Stream& stream);
  void resetOldestLingering(size_t count);
  void forgetLingering(const Stream& stream);

  bool checkNewId(StreamId id);
  Stream* known(StreamId id) const;  // to nghttp2; null: not
  bool wasOpen(StreamId id) const;
  bool onClosedStream(StreamId id, bool tiny);
  void rememberCut(StreamId id, bool told);
  int onBeginFrame(const nghttp2_frame_hd& head);
  int onBeginHeaders(const nghttp2_frame& frame);
  int onHeader(std::string_view name, std::string_view value);
  int onData(StreamId id, std::string_view data);
  int onFrame(const nghttp2_frame& frame);
  void onDataFrame(const nghttp2_frame& frame);
  void onFrameSent(const nghttp2_frame& frame);
  void onResetSent(StreamId id, const Stream* stream, uint32_t code);
  void onFrameNotSent(const nghttp2_frame& frame);
  void onClose(StreamId id, uint32_t code);
  ssize_t readBody(Stream& stream, size_t length, uint32_t& flags);
  void writeBody(Stream& stream, std::string_view head, size_t length);

  const Side side_;
  nghttp2_session* session_ = nullptr;
  base::Arena dropped_arena_;  // of trailers that the owner does not want
  Trailers dropped_{dropped_arena_};
  std::vector<std::unique_ptr<Stream>> all_;
  std::vector<Stream*> free_;
  std::vector<Stream*> closed_;       // recycled at the end of the call
  std::vector<Stream*> lingering_;    // the oldest first
  size_t lingered_before_ = 0;        // how many of them did at the last call of resetLingering()
  std::vector<StreamId> progressed_;  // some of their bytes went out
  std::vector<Reset> resets_;         // not told yet
  std::optional<ProtocolError> error_;
  uint32_t error_code_ = 0;
  uint32_t open_ = 0;
  bool receiving_ = false;  // input is read, events may run
  bool reading_ = false;    // nghttp2 reads
  bool terminated_ = false;
  StreamId block_ = 0;                               // whose header block is read; 0: none
  int64_t peer_window_ = 65535;                      // SETTINGS_INITIAL_WINDOW_SIZE of the peer
  int64_t window_growth_ = 0;                        // the most that it grew by in the input that is read
  StreamId highest_id_ = 0;                          // that a client used
  std::vector<std::pair<StreamId, StreamId>> gaps_;  // between ids that were used, both ends not included
  std::vector<Cut> cut_;                             // the last ones
  size_t next_cut_ = 0;
  size_t continuations_ = 0;  // of the header block that is read
  FrameHeads heads_;
  // Of the frame that is read.
  bool data_begun_ = false;  // it is DATA, on a stream that is open
  size_t frame_length_ = 0;
  size_t frame_data_ = 0;
  uint8_t frame_flags_ = 0;
};

}  // namespace sluice::http::h2
