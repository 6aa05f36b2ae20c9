// The fields of the connection manager about who the client is, whom one trusts, and what heads say of both.
#pragma once

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/config/services.h"
#include "source/session/http_settings.h"

namespace sluice::extensions::network_filters::http_connection_manager {

// `context` stands at the message and takes its errors.
void compileIdentity(
    const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& proto,
    const config::Services& services, const config::Context& context, session::HttpSettings& out);

}  // namespace sluice::extensions::network_filters::http_connection_manager
