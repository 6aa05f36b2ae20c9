// HTTP/1 options of either side as values of the data path. (proto: envoy.config.core.v3.Http1ProtocolOptions)
#pragma once

#include "envoy/config/core/v3/protocol.pb.h"
#include "source/config/errors.h"
#include "source/http/codec.h"

namespace sluice::config {

// How names of fields are written. The context stands at the options.
http::NameCase compileNameCase(const envoy::config::core::v3::Http1ProtocolOptions& proto, const Context& context);

}  // namespace sluice::config
