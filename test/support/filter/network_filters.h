// Network filters of the tests' own: one for each way to wait, to change bytes and to close.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "source/filter/network_filter.h"

namespace sluice::filter::testing {

using NetworkFilterPtr = std::shared_ptr<const NetworkFilterFactory>;

// Waits at the establishment of the connection for a timer, or for a call-out that answers 200: else it closes
// ("denied").
NetworkFilterPtr waitsForTimer();
NetworkFilterPtr waitsForCall();
// The same at the first chunk of the client.
NetworkFilterPtr waitsAtFirstBytes();

// Takes off what doubling puts on: the client sends each byte twice; it gets each byte twice, and "." at the end.
// Whatever the pieces in which bytes come.
NetworkFilterPtr doubling();
std::string doubled(std::string_view bytes);

// Pauses on every chunk in both directions, for a timer, and resumes it: in turn as it is, replaced by itself, and
// before the hook has returned.
NetworkFilterPtr pausing();

// Closes ("enough") with the `at`th byte of the client, or of the terminal filter, which does not come through.
enum class CloseAt : uint8_t { kClientByte, kTerminalByte };
NetworkFilterPtr closing(CloseAt where, size_t at, std::chrono::milliseconds delay);

// Takes a token at the first chunk and forgets it.
NetworkFilterPtr forgetting();

}  // namespace sluice::filter::testing
