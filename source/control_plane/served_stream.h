// A call of the control plane's gRPC services without gRPC: messages as bytes, in both directions.
//
// A transport opens one for each call, passes messages on, and destroys it when the call is over. Thread: the main
// loop's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sluice::control_plane {

class MessageWriter {
 public:
  virtual ~MessageWriter() = default;
  // Sends one message; ServedStream::onWritten follows when the next may be sent. Never calls back inside.
  virtual void write(std::string message) = 0;
};

class ServedStream {
 public:
  // When the next message is read: always, when the last one was answered, or never, because the answer ends the call.
  enum class Reads : uint8_t { kAlways, kWhenAnswered, kOnce };

  explicit ServedStream(Reads reads = Reads::kAlways) : reads_(reads) {}
  virtual ~ServedStream() = default;
  Reads reads() const { return reads_; }
  // An error ends the call.
  virtual absl::Status onMessage(std::string_view bytes) = 0;
  // The writer took the last message and is ready for another.
  virtual void onWritten() = 0;

 private:
  const Reads reads_;
};

}  // namespace sluice::control_plane
