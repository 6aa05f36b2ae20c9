#pragma once

// RetryPolicy and HedgePolicy of routes and virtual hosts. Thread: main. Run after validate(); errors go to `context`.

#include <functional>
#include <memory>

#include "envoy/config/route/v3/route_components.pb.h"
#include "google/protobuf/any.pb.h"

#include "source/config/errors.h"
#include "source/config/route_texts.h"
#include "source/route/retry_policy.h"

namespace sluice::config {

// Makes what passes hosts over, of its typed_config, at which the context stands. Null after an error.
using CompileHostPredicate = std::function<std::shared_ptr<const route::RetryHostPredicate>(
    const google::protobuf::Any& config, const Context& context)>;

// The same of what chooses among priorities.
using CompileRetryPriority = std::function<std::shared_ptr<const route::RetryPriority>(
    const google::protobuf::Any& config, const Context& context)>;

// Null: no such extension is known.
struct RetryExtensions {
  CompileHostPredicate host_predicate = {};
  CompileRetryPriority priority = {};
};

// Never null. `context` stands at the retry_policy.
std::shared_ptr<const route::RetryPolicy> compileRetryPolicy(const envoy::config::route::v3::RetryPolicy& config,
                                                             const Context& context, Regexes& regexes,
                                                             const RetryExtensions& extensions);

// Warns where a try may take as long as the whole request, `timeout` (0: for ever). `context` stands at what sets one
// of the two.
void checkTryTimeout(const route::RetryPolicy& policy, std::chrono::milliseconds timeout, const Context& context);

// Whether it hedges when a try takes too long. `context` stands at the hedge_policy.
bool compileHedgePolicy(const envoy::config::route::v3::HedgePolicy& config, const Context& context);

// Warns where hedging does nothing, or where nothing ends the last try. `policy`: null: there is none. `context` stands
// at the hedge_policy.
void checkHedging(const route::RetryPolicy* policy, std::chrono::milliseconds timeout, const Context& context);

}  // namespace sluice::config
