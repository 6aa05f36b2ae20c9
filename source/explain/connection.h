// The connection that a request would come by: which listener accepts it, and which chain serves it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/config/errors.h"
#include "source/explain/configuration.h"
#include "source/explain/explanation.h"
#include "source/explain/request.h"
#include "source/filter/network.h"
#include "source/session/http_settings.h"

namespace sluice::explain {

using HttpConnectionManager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

struct Served {
  Listener listener;
  std::string why;  // it is that listener
  size_t chain = 0;
  filter::Accepted accepted;
  std::shared_ptr<const session::HttpSettings> settings;
  std::unique_ptr<HttpConnectionManager> manager;  // that `settings` were made of
  std::string chain_path, manager_path;            // of their messages
};

// Errors as of explain().
absl::StatusOr<Served> findServer(const Request& request, const Configuration& configuration);

ChainPart describeChain(const Served& served, const Configuration& configuration);

// With its position, where there is one.
Place placeOf(const Configuration& configuration, std::string path);

}  // namespace sluice::explain
