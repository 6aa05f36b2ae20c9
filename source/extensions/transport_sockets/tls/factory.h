#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::transport_sockets::tls {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::transport_sockets::tls
