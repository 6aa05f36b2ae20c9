// Sends every client the same bytes and closes.
// (proto: envoy.extensions.filters.network.direct_response.v3.Config)
#pragma once

#include <memory>
#include <string>

#include "source/filter/network.h"

namespace sluice::extensions::network_filters::direct_response {

class DirectResponse : public filter::TerminalNetworkFilter {
 public:
  explicit DirectResponse(std::string response) : response_(std::make_shared<const std::string>(std::move(response))) {}

  void serve(filter::Accepted accepted, worker::WorkerServices& worker,
             base::List<filter::LiveConnection>& list) const override;

 private:
  const std::shared_ptr<const std::string> response_;
};

}  // namespace sluice::extensions::network_filters::direct_response
