#pragma once

// Values of rate limit descriptors by extension: an expression, or an input of matchers. (proto:
// config.route.v3.RateLimit.Action.extension)

#include <functional>
#include <memory>

#include "envoy/config/core/v3/extension.pb.h"
#include "google/protobuf/any.pb.h"
#include "source/config/errors.h"
#include "source/match/input.h"
#include "source/route/rate_limits.h"

namespace sluice::config {

// Null after reporting to the context, which stands at the message.
using CompileMatchInput =
    std::function<std::shared_ptr<const match::Input>(const google::protobuf::Any& config, const Context& context)>;

// Sets what the extension makes. `context` stands at it. `compile_input`: empty where nobody knows inputs; they are
// refused then.
void compileDescriptorExtension(const envoy::config::core::v3::TypedExtensionConfig& extension, const Context& context,
                                const CompileMatchInput& compile_input, route::RateLimitAction& out);

}  // namespace sluice::config
