// One bidirectional message stream to a management server, free of gRPC: what AdsClient drives and tests script.
// Main thread; events are never delivered from inside a call of the transport's methods.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sluice::xds {

class TransportEvents {
 public:
  virtual ~TransportEvents() = default;
  // The stream may be written to. Not yet proof of a server.
  virtual void onConnected() = 0;
  virtual void onMessage(std::string_view bytes) = 0;
  // The last send() was taken: writable() is true again.
  virtual void onWritable() = 0;
  // The stream is over, or could not be made. connect() may be called again.
  virtual void onClosed(const absl::Status& status) = 0;
};

class Transport {
 public:
  // Destruction ends the stream without a further event.
  virtual ~Transport() = default;
  // Begins a stream for a method such as "/package.Service/Method". Only while there is none; ends in onConnected or
  // onClosed within a bounded time.
  virtual void connect(std::string_view method, TransportEvents& events) = 0;
  // Whether a message can be sent: the stream is connected and the previous message was taken. The queue is the
  // subscription's, where newer interest replaces older.
  virtual bool writable() const = 0;
  // Only while writable().
  virtual void send(std::string bytes) = 0;
  // Which of several servers the stream goes to; versions of one mean nothing to another.
  virtual size_t server() const { return 0; }
};

}  // namespace sluice::xds
