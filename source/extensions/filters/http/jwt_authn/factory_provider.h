// Providers of tokens: where their tokens are, where their keys come from.
#pragma once

#include <memory>
#include <string>

#include "envoy/extensions/filters/http/jwt_authn/v3/config.pb.h"
#include "source/config/services.h"
#include "source/extensions/filters/http/jwt_authn/settings.h"

namespace sluice::extensions::http_filters::jwt_authn {

// `context` stands at the provider and takes its errors. `stats`: what the names of the filter's stats begin with.
std::unique_ptr<Provider> compileProvider(const envoy::extensions::filters::http::jwt_authn::v3::JwtProvider& proto,
                                          const std::string& stats, const config::FactoryContext& context);

}  // namespace sluice::extensions::http_filters::jwt_authn
