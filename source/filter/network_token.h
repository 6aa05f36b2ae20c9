// The one-shot right to let a paused connection go on, or to end it; what ResumeToken is to a stream.
//
// A hook takes it from NetworkStream::resumeToken(), gives it to whatever it waits for, and returns Pause. Dropped
// unused it closes the connection ("filter_token_dropped"), so that a forgotten one cannot hang. When the connection
// ends first the token goes dead: using it does nothing. Using it runs no hook: what waits goes on at the end of the
// loop's turn. Thread: the connection's worker.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "source/stream/response_flags.h"

namespace sluice::filter {

class ByteStage;

// Closes the connection.
struct Close {
  // Text that lives as long as the filter's factory: why, for %CONNECTION_TERMINATION_DETAILS%.
  std::string_view details;
  // Before it is closed; nothing is read of the client meanwhile, and it may go.
  std::chrono::milliseconds delay{0};
  std::optional<stream::ResponseFlag> flag = {};
};

class NetworkToken {
 public:
  NetworkToken() = default;
  NetworkToken(NetworkToken&& other) noexcept;
  NetworkToken& operator=(NetworkToken&& other) noexcept;
  ~NetworkToken() { drop(); }

  // True while the connection waits for this token.
  explicit operator bool() const { return stage_ != nullptr; }

  // On to the next filter, with what was held.
  void resume();
  // As resume(), with the chunk that the hook paused on replaced. Of onNewConnection(): resume().
  void resumeWith(std::string bytes);
  void close(const Close& close);
  // Gives up: closes the connection.
  void drop();

 private:
  friend class ByteStage;
  NetworkToken(ByteStage& stage, uint8_t direction);
  void moved();

  ByteStage* stage_ = nullptr;
  uint8_t direction_ = 0;
};

}  // namespace sluice::filter
