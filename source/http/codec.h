// The codec interface: bytes on one side, codec-neutral messages on the other. No sockets, no timers, no logs.
//
// One codec serves one connection and is driven by one owner (a session, or an upstream connection), on one thread.
// HTTP/1 has one stream at a time, HTTP/2 many: the owner knows streams by id only.
// Tunnels: a request with wantsTunnel() that is answered 101 (an upgrade, by whatever the protocol says for it) or 2xx
// (CONNECT) turns into one: data goes both ways as it comes until each side has ended, in whichever order; there are no
// trailers. HTTP/1: the request of an upgrade is complete with its head, but its end_stream is false; without
// acceptance the codec goes on with the next request, and the owner ends its side of a tunnel by FIN, after sendData
// with end_stream. Calls into the owner (events) happen inside receive(), receiveEnd(), resumeInput() only, never
// inside a send.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "source/buffer/byte_sink.h"
#include "source/http/headers.h"
#include "source/http/strictness.h"

namespace sluice::http {

using StreamId = uint32_t;

using ByteSink = buffer::ByteSink;

using TimePoint = std::chrono::steady_clock::time_point;

// Something that ends the whole connection. `detail` is static text in Envoy's words ("http1.codec_error...").
struct ProtocolError {
  uint16_t status;  // what a server answers before it closes (HTTP/1): 400, 413, 414, 431, 501, 505
  std::string_view detail;
};

enum class ResetReason : uint8_t {
  kLocal,            // we gave up on the stream
  kRemote,           // the peer reset it
  kConnectionEnded,  // the connection went away under it
  kProtocolError,    // the peer broke the protocol on this stream
  kRefused,          // the peer says that it did not process it (REFUSED_STREAM); some say so and did
  kUnprocessed,      // the peer cannot have processed it: not sent, or beyond GOAWAY's last stream (safe to repeat)
  kConnectError,     // the peer lost the connection that a CONNECT was for
};

// (proto: envoy.config.core.v3.Http2ProtocolOptions; defaults are the edge's)
struct Http2Settings {
  uint32_t header_table_size = 4096;                 // HPACK decoder's, bytes
  uint32_t max_concurrent_streams = 100;             // that the peer may have open
  uint32_t initial_stream_window = 64 * 1024;        // bytes, 65535..2^31-1; a slow stream's memory is at most this
  uint32_t initial_connection_window = 1024 * 1024;  // bytes
  bool allow_connect = false;                        // extended CONNECT (RFC 8441)
  bool allow_metadata = false;
  bool disallow_obs_text = false;  // values of fields with bytes of 0x80 and above are malformed
  // Further entries of the first SETTINGS frame: identifier, value. (proto: custom_settings_parameters)
  std::vector<std::pair<uint16_t, uint32_t>> further;
  // Abuse budgets; 0: none. They are rates: see source/http/h2/budget.h.
  uint32_t max_outbound_frames = 10'000;
  uint32_t max_outbound_control_frames = 1000;
  uint32_t max_consecutive_inbound_empty_frames = 1;
  uint32_t max_inbound_priority_frames_per_stream = 100;
  uint32_t max_inbound_window_updates_per_data_frame = 10;
  // Of a server: streams that end early, at once and in the long run.
  uint64_t stream_reset_burst = 200;
  uint64_t stream_reset_rate = 33;  // a second
};

// How HTTP/1 writes names of fields. What came with NameForms is written in them, whatever is set. (proto:
// Http1ProtocolOptions.HeaderKeyFormat)
enum class NameCase : uint8_t {
  kLower,
  kProper,          // "Content-Type"
  kKeep,            // the forms of what is read are kept
  kKeepElseProper,  // and names that join them are written so
};

// Which protocols of `upgrade` are passed over. Immutable, used by all workers.
class UpgradeFilter {
 public:
  virtual ~UpgradeFilter() = default;
  virtual bool ignores(std::string_view protocol) const = 0;
};

struct CodecLimits {
  uint32_t max_header_bytes = 60 * 1024;  // request or response head, decoded (proto: max_request_headers_kb)
  uint32_t max_header_count = 100;        // (proto: HttpProtocolOptions.max_headers_count)
  bool accept_http_10 = false;            // (proto: Http1ProtocolOptions.accept_http_10)
  bool allow_absolute_url = true;         // (proto: Http1ProtocolOptions.allow_absolute_url)
  bool allow_chunked_length = false;  // both content-length and chunked: drop the length (proto: allow_chunked_length)
  // Hand upgrades and CONNECT to the owner; otherwise an upgrade is ignored (the request goes on without it) and
  // CONNECT refused.
  bool allow_upgrades = false;
  // Of requests, beside h2c (proto: Http1ProtocolOptions.ignore_http_11_upgrade). Null: none. Outlives the codec.
  const UpgradeFilter* ignored_upgrades = nullptr;
  NameCase name_case = NameCase::kLower;
  bool absolute_target = false;  // requests name scheme and host in their first line (proto: send_fully_qualified_url)
  bool enable_trailers = true;   // pass chunked trailers on; false drops them (proto: enable_trailers)
  StrictRules report_only;       // of a server: broken without being refused, noted in RequestHeaders::let_through
};

// --- server side ---------------------------------------------------------------------------------------------------

class ServerEvents {
 public:
  virtual ~ServerEvents() = default;
  // HTTP/1: asked before each further request of one batch of bytes. False: it is kept, for resumeInput().
  virtual bool mayBegin() { return true; }
  // A request head is complete on the wire: makes the stream and gives the list that the codec fills (its arena
  // included). Followed by onRequestHeaders, or when the head turns out bad by onRequestReset where that is the end of
  // this stream only, by nothing where it is the end of the connection (receive returns the error).
  virtual RequestHeaders& beginRequest(StreamId stream) = 0;
  // `expect_continue`: the client waits for "100 Continue" before it sends the body.
  virtual void onRequestHeaders(StreamId stream, bool end_stream, bool expect_continue) = 0;
  // `data` is valid during the call only. At most the credit that the owner gave is delivered (HTTP/1: what it fed).
  virtual void onRequestData(StreamId stream, std::string_view data, bool end_stream) = 0;
  // The list that the codec fills with trailers, then onRequestTrailers (which ends the stream).
  virtual Trailers& beginRequestTrailers(StreamId stream) = 0;
  virtual void onRequestTrailers(StreamId stream) = 0;
  // The stream died by the peer's doing (RST_STREAM). Not called for ends of the connection.
  virtual void onRequestReset(StreamId stream, ResetReason reason) = 0;
  // Some of unsentBytes(stream) went out: the peer opened its window.
  virtual void onSendProgress(StreamId stream) { (void)stream; }
};

class ServerCodec {
 public:
  virtual ~ServerCodec() = default;

  // What time it is on the owner's loop, for budgets that are rates: told before receive() where multiplexed().
  virtual void tellTime(TimePoint now) { (void)now; }
  // Takes all of `bytes`: what cannot be parsed yet is kept. After an error nothing further may be fed.
  [[nodiscard]] virtual std::optional<ProtocolError> receive(std::string_view bytes) = 0;
  // The peer finished sending. An error if that cuts a message short; an idle end is no error.
  [[nodiscard]] virtual std::optional<ProtocolError> receiveEnd() = 0;
  // True while the codec can do nothing with input (HTTP/1: a response is still to be sent before the next request is
  // read). The owner then reads no more; when false again it calls resumeInput() outside of codec events.
  virtual bool inputBlocked() const = 0;
  // Goes on with bytes kept while blocked.
  [[nodiscard]] virtual std::optional<ProtocolError> resumeInput() = 0;
  // Bytes kept that are not yet a message (to tell an idle connection from one in the middle of a head).
  virtual size_t bufferedBytes() const = 0;

  // A 1xx (never 101).
  virtual void sendInformational(StreamId stream, const ResponseHeaders& headers) = 0;
  // The final head. The codec does the framing: with end_stream false and no content-length it chooses (chunked, or
  // close-delimited for HTTP/1.0). Bodies of answers to HEAD and of 204/304 are swallowed.
  virtual void sendHeaders(StreamId stream, const ResponseHeaders& headers, bool end_stream) = 0;
  virtual void sendData(StreamId stream, std::string_view data, bool end_stream) = 0;
  virtual void sendTrailers(StreamId stream, const Trailers& trailers) = 0;
  // Ends the stream without a proper end. HTTP/1: shouldClose() turns true.
  virtual void reset(StreamId stream, ResetReason reason) = 0;

  // Answers a connection-level error before the owner closes (HTTP/1: a response with "connection: close" and no body;
  // nothing where no answer can be understood). shouldClose() is true from then on.
  virtual void sendErrorReply(const ProtocolError& error) { (void)error; }
  // Whether many streams share the connection; then the codec holds back single streams by windows of its own.
  virtual bool multiplexed() const { return false; }
  // Body bytes taken by sendData() that the stream's window holds back inside the codec.
  virtual size_t unsentBytes(StreamId stream) const {
    (void)stream;
    return 0;
  }
  // The owner has done with so many bytes of the request's body: the peer may send as many more. With many streams this
  // is all that opens a stream's window.
  virtual void consumed(StreamId stream, size_t bytes) { (void)stream, (void)bytes; }
  // Asks the peer for a sign of life (PING). awaitingPing() turns false when it has come.
  virtual void ping() {}
  virtual bool awaitingPing() const { return false; }
  // With many streams, those that were answered before their request had ended linger: the rest of it is dropped, and
  // its end is theirs. This resets those that lingered at the call before, or `all` (which an owner that closes says);
  // there is a bound on their number, too. True: some are left, to be asked for again in a while.
  virtual bool endLingering(bool all) {
    (void)all;
    return false;
  }

  // No new streams after those in flight: the next response says "connection: close" (HTTP/2: GOAWAY).
  virtual void drain() = 0;
  // Everything that may be sent was sent and the connection cannot be used further: flush, then close.
  virtual bool shouldClose() const = 0;
  // No stream is open (none but lingering ones) and no bytes of a next request are here.
  virtual bool idle() const = 0;
};

// --- client side ---------------------------------------------------------------------------------------------------

class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  // As on the server side; one head may be informational (1xx), then another final one follows.
  virtual ResponseHeaders& beginResponse(StreamId stream) = 0;
  virtual void onInformational(StreamId stream) = 0;
  virtual void onResponseHeaders(StreamId stream, bool end_stream) = 0;
  virtual void onResponseData(StreamId stream, std::string_view data, bool end_stream) = 0;
  virtual Trailers& beginResponseTrailers(StreamId stream) = 0;
  virtual void onResponseTrailers(StreamId stream) = 0;
  virtual void onResponseReset(StreamId stream, ResetReason reason) = 0;
  // Some of unsentBytes(stream) went out.
  virtual void onSendProgress(StreamId stream) { (void)stream; }
  // freeStreams() may have grown, or reusable() turned false (the peer's SETTINGS, GOAWAY).
  virtual void onCapacityChanged() {}
};

class ClientCodec {
 public:
  virtual ~ClientCodec() = default;

  // As on the server side.
  virtual void tellTime(TimePoint now) { (void)now; }
  [[nodiscard]] virtual std::optional<ProtocolError> receive(std::string_view bytes) = 0;
  // The peer finished sending; ends a close-delimited body properly.
  [[nodiscard]] virtual std::optional<ProtocolError> receiveEnd() = 0;

  // Starts a request. The codec does the framing as above. 0: it could not be started (freeStreams() is 0, or the peer
  // does not take the upgrade), and nothing follows.
  virtual StreamId sendHeaders(const RequestHeaders& headers, bool end_stream) = 0;
  virtual void sendData(StreamId stream, std::string_view data, bool end_stream) = 0;
  virtual void sendTrailers(StreamId stream, const Trailers& trailers) = 0;
  virtual void reset(StreamId stream, ResetReason reason) = 0;

  // Streams that can be started now: HTTP/1 gives 1 or 0. 0 for ever once !reusable().
  virtual uint32_t freeStreams() const = 0;
  // Whether requests with RequestHeaders::upgrade can be sent. HTTP/2 has to learn it from the peer's first SETTINGS
  // (RFC 8441 section 3); onCapacityChanged() tells when they have come.
  enum class Upgrades : uint8_t { kUnknown, kTaken, kRefused };
  virtual Upgrades upgrades() const { return Upgrades::kTaken; }
  virtual bool multiplexed() const { return false; }
  // As on the server side, for the request's and the response's body.
  virtual size_t unsentBytes(StreamId stream) const {
    (void)stream;
    return 0;
  }
  virtual void consumed(StreamId stream, size_t bytes) { (void)stream, (void)bytes; }
  virtual void ping() {}
  virtual bool awaitingPing() const { return false; }
  // The stream is an accepted tunnel: the end of one side leaves the other.
  virtual bool tunnelling(StreamId stream) const = 0;
  // Says to the peer that no more streams follow (HTTP/2: GOAWAY).
  virtual void drain() {}
  // False once no further request may start (close was announced, an exchange was cut short, protocol error).
  virtual bool reusable() const = 0;
};

}  // namespace sluice::http
