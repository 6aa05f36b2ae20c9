// A call of the control plane's gRPC services without gRPC: messages as bytes, in both directions.
//
// A transport opens one for each call, passes messages on, and destroys it when the call is over. Thread: the main
// loop's.
#pragma once

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
  virtual ~ServedStream() = default;
  // An error ends the call (InvalidArgument).
  virtual absl::Status onMessage(std::string_view bytes) = 0;
  // The writer took the last message and is ready for another.
  virtual void onWritten() = 0;
};

}  // namespace sluice::control_plane
