// One request on its way to a host, and its response: what the user of a pool holds.
//
// A member of its user, so that it costs no allocation. It goes from idle to waiting (Pool::request) to open (onReady)
// and back to idle (the response ended or was reset, or the request failed); then it may ask again. What an idle one is
// told to send is dropped. Destruction abandons. Thread: the worker's.
#pragma once

#include <cstdint>
#include <string_view>

#include "source/base/intrusive_list.h"
#include "source/base/local_ptr.h"
#include "source/http/codec.h"
#include "source/stream/stream_info.h"

namespace sluice::upstream::pool {

class ClientConnection;
class Pool;

enum class Failure : uint8_t {
  kConnectFailed,
  kConnectTimeout,
  kOverflow,        // a breaker is open
  kDrained,         // the pool went away while the request waited
  kUpgradeRefused,  // the host of HTTP/2 takes no upgrades (RFC 8441)
  kNotBegun,        // no descriptors, or no connecting from the address that the client lends: it is not the host's
};

// What a request asks of its connection.
struct ConnectionNeeds {
  bool fresh = false;    // none that served before: the request failed on one already
  bool upgrade = false;  // RequestHeaders::upgrade will be sent: onReady waits until a host of HTTP/2 has allowed it
};

// The user of an exchange. Calls come in order; after onFailure, onResponseReset or the end of the response none, and
// the exchange is idle already when these are told. Only the end of the response in a tunnel whose request goes on
// leaves it open: until sendData with end_stream, or a reset.
class ExchangeEvents {
 public:
  virtual ~ExchangeEvents() = default;
  // There is a connection: send.
  virtual void onReady() = 0;
  // There is none. `text` is valid during the call.
  virtual void onFailure(Failure failure, std::string_view text) = 0;
  virtual http::ResponseHeaders& beginResponse() = 0;
  virtual void onInformational() = 0;
  virtual void onResponseHeaders(bool end_stream) = 0;
  virtual void onResponseData(std::string_view data, bool end_stream) = 0;
  virtual http::Trailers& beginResponseTrailers() = 0;
  virtual void onResponseTrailers() = 0;
  // `detail`: static text.
  virtual void onResponseReset(http::ResetReason reason, std::string_view detail) = 0;
  // Bytes of the response's body that can be taken now. On a connection of many streams more may come than that, as
  // much as the stream's window: the window opens as credit does.
  virtual size_t responseCredit() = 0;
  virtual void onRequestBytesSent() = 0;
};

class Exchange : public base::ListNode {
 public:
  explicit Exchange(ExchangeEvents& user) : user_(user) {}
  ~Exchange() { abandon(); }

  bool open() const { return connection_ != nullptr; }
  bool waiting() const { return pool_ != nullptr; }

  void sendHeaders(const http::RequestHeaders& headers, bool end_stream);
  void sendData(std::string_view data, bool end_stream);
  void sendTrailers(const http::Trailers& trailers);
  // The user is not interested any more, whatever the state. An HTTP/1 connection is closed unless it is done with the
  // exchange, or nothing was sent; a stream of many is reset.
  void abandon();
  // Bytes of the request that wait here.
  size_t unsentBytes() const;
  // responseCredit() grew.
  void resumeReading();

  // True if the connection served a request before this one and nothing came since this one began: then its peer may
  // have closed it before it saw the request. Of the connection that was last used.
  bool maybeUnseen() const { return maybe_unseen_; }
  // Of an open exchange.
  uint64_t connectionId() const;
  // Of the connection's TLS; null: plain, or no connection.
  base::LocalPtr<stream::UpstreamTls> tls() const;
  stream::StreamInfo::UpstreamConnect connectTimes() const;
  std::string_view localAddress() const;
  bool multiplexed() const;
  http::Protocol protocol() const;

 private:
  friend class ClientConnection;
  friend class Pool;

  ExchangeEvents& user_;
  Pool* pool_ = nullptr;  // waiting there
  ClientConnection* connection_ = nullptr;
  uint64_t received_before_ = 0;
  http::StreamId stream_ = 0;
  uint32_t unconsumed_ = 0;  // response bytes given to the user for which the stream's window is not open again
  size_t full_credit_ = 0;   // the user's credit when it holds nothing
  bool started_ = false;     // the head was sent
  bool request_ended_ = false;
  bool response_ended_ = false;  // and the exchange is a tunnel whose request goes on
  bool upgrade_ = false;         // as the request wanted it
  bool held_ = false;            // the user waits for onReady: the host has not said whether it takes upgrades
  bool maybe_unseen_ = false;
  mutable bool told_unsent_ = false;  // the user waits for onRequestBytesSent
};

}  // namespace sluice::upstream::pool
