// Hands over to internal listeners what is known in front of them; the bytes are the inner transport's.
// (proto: envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport)
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/net/prelude_transport.h"
#include "source/observability/stats.h"
#include "source/stream/connection_state.h"

namespace sluice::extensions::transport_sockets::internal_upstream {

struct MetadataSource {
  bool of_cluster = false;  // else of the host
  std::string name;
};

struct Settings {
  std::vector<MetadataSource> metadata;
  observability::Counter no_metadata;  // what was to be handed over is not there
  observability::StatsHold hold;
};

// Compiled configuration; immutable, shared by all workers.
class HandingOver : public net::WrappingFactory {
 public:
  // `inner`: null for plain sockets.
  HandingOver(Settings settings, std::shared_ptr<const net::TransportFactory> inner)
      : WrappingFactory(std::move(inner)), settings_(std::move(settings)) {}

  net::TransportPtr make(const Options& options) const override { return makeInner(options); }
  bool handsOver() const override { return true; }
  std::shared_ptr<stream::ConnectionState> handedOver(const Options& options) const override;

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::transport_sockets::internal_upstream
