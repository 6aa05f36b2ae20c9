// CONNECT that ends here: the bytes of the tunnel go to a host of the route's cluster as they are.
// (proto: RouteAction.UpgradeConfig.ConnectConfig)
//
// Where they go is the configuration's choice alone: the authority that the client names is not looked at. The tunnel
// is accepted (200) once the host is connected; until then the client's bytes wait here.
#pragma once

#include "source/filter/chain.h"
#include "source/filter/reply.h"
#include "source/filter/terminal.h"

namespace sluice::router {

// Whether the request is for a tunnel that its route ends here.
bool endsTunnel(const filter::Stream& stream);

// In the stream's arena; the caller runs its destructor. `refuses_early_data`: what comes before the tunnel is accepted
// ends the request. (proto: Router.reject_connect_request_early_data)
filter::Terminal* makeConnectEnd(worker::WorkerServices& services, filter::ChainRunner& runner, filter::Stream& stream,
                                 bool refuses_early_data);

// The answer to it.
filter::Reply earlyConnectData();

}  // namespace sluice::router
