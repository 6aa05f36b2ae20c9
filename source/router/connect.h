// CONNECT that ends here: the bytes of the tunnel go to a host of the route's cluster as they are.
// (proto: RouteAction.UpgradeConfig.ConnectConfig)
//
// Where they go is the configuration's choice alone: the authority that the client names is not looked at. The tunnel
// is accepted (200) once the host is connected; until then the client's bytes wait here.
#pragma once

#include "source/filter/chain.h"
#include "source/filter/terminal.h"

namespace sluice::router {

// Whether the request is for a tunnel that its route ends here.
bool endsTunnel(const filter::Stream& stream);

// In the stream's arena; the caller runs its destructor.
filter::Terminal* makeConnectEnd(worker::WorkerServices& services, filter::ChainRunner& runner, filter::Stream& stream);

}  // namespace sluice::router
