// The server's side of CSDS (envoy.service.status.v3): what each client was sent and what it made of it, without what
// is private. Thread: the main loop's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "source/control_plane/discovery_server.h"

namespace sluice::control_plane {

// The largest answer, in bytes of resources and names.
inline constexpr size_t kMaxClientStatusBytes = size_t{16} << 20;
// The largest request: each client is compared with each matcher of it, on the thread that serves all.
inline constexpr size_t kMaxClientStatusRequestBytes = size_t{16} << 10;

// A call of "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus" and its like; null for any other
// method.
std::unique_ptr<ServedStream> openClientStatus(std::string_view method, const DiscoveryServer& discovery,
                                               MessageWriter& writer);

// Bytes of a ClientStatusResponse for those of a ClientStatusRequest. InvalidArgument: it is none, or too large, or a
// matcher is no good; ResourceExhausted: the answer would be too large.
absl::StatusOr<std::string> clientStatus(const DiscoveryServer& discovery, std::string_view request,
                                         size_t max_bytes = kMaxClientStatusBytes);

}  // namespace sluice::control_plane
