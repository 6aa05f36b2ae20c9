// FilterChainMatch and CidrRange as protos -> values. Thread: main. Run after validate(); errors go to `context`.
#pragma once

#include <optional>
#include <vector>

#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "source/config/errors.h"
#include "source/listener/chain_index.h"
#include "source/net/cidr.h"

namespace sluice::config {

listener::ChainMatch compileChainMatch(const envoy::config::listener::v3::FilterChainMatch& match,
                                       const Context& context);

}  // namespace sluice::config
