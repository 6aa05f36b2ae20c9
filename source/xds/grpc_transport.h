// The stream to a management server over gRPC.
//
// The connection is ours: an address is asked for before each attempt (the endpoints of envoy_grpc.cluster_name in
// turn), connected without blocking, and the descriptor handed to gRPC; with TLS it is the plain end of a SecureBridge.
// A channel over a descriptor never reconnects, so there is one channel a connection, and AdsClient is what tries
// again.
//
// Main thread. gRPC's threads post to the loop; nothing of theirs is seen outside. The loop outlives the transport.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/connection.h"
#include "source/net/socket.h"
#include "source/xds/transport.h"

namespace sluice::xds {

struct GrpcTransportOptions {
  // The endpoint to try next; an error if the cluster has none now.
  std::function<absl::StatusOr<net::Address>()> next_endpoint;
  std::string authority;  // envoy_grpc.authority, or the cluster's name
  std::vector<std::pair<std::string, std::string>>
      initial_metadata;                             // GrpcService.initial_metadata, names in lower case
  std::chrono::milliseconds connect_timeout{5000};  // the TLS handshake included
  net::ConnectOptions connect;
  // The TLS of the next connection, or why there is none now; empty: the stream is plain.
  std::function<absl::StatusOr<net::TransportPtr>()> security;
  net::WorkerBuffers* buffers = nullptr;  // of the loop; needed with `security`
  // A peer that is silent for longer than these two is gone.
  std::chrono::milliseconds keepalive_time{30000};
  std::chrono::milliseconds keepalive_timeout{10000};
};

// Destruction cancels the stream and waits for gRPC to let go of it (no network round trip).
std::unique_ptr<Transport> makeGrpcTransport(GrpcTransportOptions options, event::Loop& loop);

}  // namespace sluice::xds
