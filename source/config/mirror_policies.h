#pragma once

// RequestMirrorPolicy of routes, virtual hosts and route configurations. Thread: main. Run after validate(); errors go
// to `context`.

#include <functional>
#include <memory>
#include <string>

#include "envoy/config/route/v3/route_components.pb.h"
#include "google/protobuf/repeated_ptr_field.h"

#include "source/config/errors.h"
#include "source/route/mirror_policy.h"
#include "source/runtime/snapshot.h"

namespace sluice::config {

// The id of a cluster that a route names; reports if there has to be one of that name and is none.
using NamedCluster = std::function<route::ClusterId(const std::string& name, const Context& context)>;

// The list stands in field "request_mirror_policies" of the message at `context`. `runtime`: null: not known.
std::shared_ptr<const route::MirrorPolicies> compileMirrorPolicies(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction::RequestMirrorPolicy>& protos,
    const Context& context, const NamedCluster& named_cluster, const runtime::Snapshot* runtime);

}  // namespace sluice::config
