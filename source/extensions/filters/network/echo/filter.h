// Sends back to each client what it sends. For tests of listeners and of what stands in front.
// (proto: envoy.extensions.filters.network.echo.v3.Echo)
#pragma once

#include "source/filter/network.h"

namespace sluice::extensions::network_filters::echo {

class EchoFilter : public filter::TerminalNetworkFilter {
 public:
  void serve(filter::Accepted accepted, worker::WorkerServices& worker,
             base::List<filter::LiveConnection>& list) const override;
};

}  // namespace sluice::extensions::network_filters::echo
