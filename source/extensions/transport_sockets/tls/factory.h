#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::transport_sockets::tls {

void registerFactories(config::Registry& registry);

}  // namespace sluice::extensions::transport_sockets::tls
