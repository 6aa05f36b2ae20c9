// http_protocol_options of the connection manager.
#pragma once

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/config/services.h"
#include "source/session/http_settings.h"

namespace sluice::extensions::network_filters::http_connection_manager {

// `context` stands at the connection manager and takes its errors.
void compileHttp1(const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& proto,
                  config::Defaults defaults, const config::Context& context, session::HttpSettings& out);

}  // namespace sluice::extensions::network_filters::http_connection_manager
