// Sets objects of a connection's filter state.
// (proto: envoy.extensions.filters.network.set_filter_state.v3.Config)
#pragma once

#include <utility>

#include "source/filter/connection_info.h"
#include "source/filter/network_filter.h"
#include "source/stream/filter_state_rules.h"

namespace sluice::extensions::network_filters::set_filter_state {

struct Settings {
  stream::FilterStateRules on_new_connection, on_downstream_tls_handshake;
};

class SetFilterState : public filter::NetworkFilterFactory {
 public:
  explicit SetFilterState(Settings settings) : settings_(std::move(settings)) {}

  // The handshake is over by now: what is set behind it comes second.
  filter::NetworkResult admit(filter::NetworkStream& stream) const override {
    filter::ConnectionInfo facts(stream);
    bool any = settings_.on_new_connection.apply({.info = facts.info()}, facts.info());
    if (stream.facts().tls != nullptr) {
      any |= settings_.on_downstream_tls_handshake.apply({.info = facts.info()}, facts.info());
    }
    if (any) stream::madeIn(stream.facts().state).filter_state = *facts.info().filter_state;
    return filter::Next{};
  }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::network_filters::set_filter_state
