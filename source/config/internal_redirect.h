#pragma once

// InternalRedirectPolicy of routes. Thread: main. Run after validate(); errors go to `context`.

#include <functional>
#include <memory>

#include "envoy/config/route/v3/route_components.pb.h"
#include "google/protobuf/any.pb.h"

#include "source/config/errors.h"
#include "source/route/internal_redirect.h"

namespace sluice::config {

// Makes a predicate of its typed_config, at which the context stands. Null after an error.
using CompileRedirectPredicate = std::function<std::shared_ptr<const route::RedirectPredicate>(
    const google::protobuf::Any& config, const Context& context)>;

// Never null. `context` stands at the internal_redirect_policy. `compile_predicate`: empty: none is known.
std::shared_ptr<const route::InternalRedirectPolicy> compileInternalRedirectPolicy(
    const envoy::config::route::v3::InternalRedirectPolicy& config, const Context& context,
    const CompileRedirectPredicate& compile_predicate);

}  // namespace sluice::config
