// On whose behalf slow work of authentication is done (worker::ThreadPool): the client's, not that of the user whom it
// names, since anybody may name a user, and would keep him out.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::filter {

// Of an address as in stream::StreamInfo::downstream_remote_address, without its port; of IPv6 the /64, since a client
// has all of one, unless IPv4 is mapped into it. Another one in each process.
uint64_t clientHash(std::string_view address);

}  // namespace sluice::filter
