#pragma once

// The policies that a cluster has for requests of whatever route. Thread: main. Run after validate(); errors go to the
// context.

#include <memory>
#include <string>

#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

#include "source/config/services.h"
#include "source/route/request_policies.h"

namespace sluice::config {

// Null: there are none. `context` stands at the message.
std::shared_ptr<const route::RequestPolicies> compileRequestPolicies(
    const envoy::extensions::upstreams::http::v3::HttpProtocolOptions& proto, const FactoryContext& context);

}  // namespace sluice::config
