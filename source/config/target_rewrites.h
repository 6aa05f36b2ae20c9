#pragma once

// What routes make of the host and path of requests, as far as it depends on the request, and formatted bodies.

#include <memory>
#include <string>

#include "envoy/config/core/v3/substitution_format_string.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"

#include "source/config/errors.h"
#include "source/config/route_texts.h"
#include "source/route/spec.h"

namespace sluice::config {

// Every call reports to its context. The first two stand at the RouteAction, the others at what they compile.
void compileHostRewrite(const envoy::config::route::v3::RouteAction& config, const Context& context, Regexes& regexes,
                        route::ForwardSpec& out);
void compilePathFormat(const envoy::config::route::v3::RouteAction& config, const Context& context,
                       route::ForwardSpec& out);
// Null: there is none, or an error.
std::shared_ptr<const route::ValueFormatter> compilePathFormat(const std::string& text, const Context& context);
void compileBodyFormat(const envoy::config::core::v3::SubstitutionFormatString& config, const Context& context,
                       route::DirectResponseSpec& out);

}  // namespace sluice::config
