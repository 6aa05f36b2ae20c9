// One provider and its client, with all that is asked of requests.
#pragma once

#include <memory>

#include "envoy/extensions/filters/http/oauth2/v3/oauth.pb.h"
#include "source/config/services.h"
#include "source/extensions/filters/http/oauth2/settings.h"

namespace sluice::extensions::http_filters::oauth2 {

// `context` stands at the config and takes its errors; what is returned after one is not to be used.
std::shared_ptr<const Config> compileConfig(const envoy::extensions::filters::http::oauth2::v3::OAuth2Config& proto,
                                            const config::FactoryContext& context);

}  // namespace sluice::extensions::http_filters::oauth2
