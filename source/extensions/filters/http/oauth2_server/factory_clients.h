#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "sluice/extensions/filters/http/oauth2_server/v1/oauth2_server.pb.h"
#include "source/config/services.h"
#include "source/extensions/filters/http/oauth2_server/clients.h"

namespace sluice::extensions::http_filters::oauth2_server {

// Uses clients that are right in themselves, or reports to `at`, which stands at the filter's message, why they do not
// fit.
using OnClients = std::function<void(const Clients& clients, const config::Context& at)>;

// Those of the message and of its file, which is followed. Null after reporting. `on_clients`: told of the first ones
// and of those that come later.
std::shared_ptr<const ClientSource> compileClients(
    const sluice::extensions::filters::http::oauth2_server::v1::OAuth2Server& proto,
    const config::FactoryContext& context, OnClients on_clients);

// The longest that an access token of one of them lives.
std::chrono::seconds longestToken(const Clients& clients);

}  // namespace sluice::extensions::http_filters::oauth2_server
