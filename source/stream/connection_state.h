// What is left for all streams of a connection: by its listener filters, by the network filters in front of the
// terminal one, and by whoever connected to an internal listener (the transport socket internal_upstream).
//
// Connections that nobody leaves anything for have none. Requests begin with a copy of it. Thread: the connection's
// worker; before the listener has handed the connection to a worker, whoever has the connection.
#pragma once

#include <memory>
#include <optional>

#include "source/net/proxy_tlv.h"
#include "source/net/socket.h"
#include "source/stream/filter_state.h"
#include "source/stream/metadata.h"

namespace sluice::stream {

struct ConnectionState {
  DynamicMetadata metadata;
  FilterState filter_state;
  // Of the client's PROXY header, for those of connections to hosts; null: none. Its requests have the same.
  std::shared_ptr<const net::ProxyTlvs> tlvs;
  std::optional<net::BorrowedSource> source;  // of connections to hosts; nothing: the proxy's own
};

using ConnectionStatePtr = std::shared_ptr<ConnectionState>;

// The one that is there, made if there is none.
inline ConnectionState& madeIn(ConnectionStatePtr& state) {
  if (!state) state = std::make_shared<ConnectionState>();
  return *state;
}

}  // namespace sluice::stream
