#pragma once

// Policies of the filter cors, in their form of today and in the older one of routes and virtual hosts. Thread: main.
// Run after validate(); errors go to `context`, which stands at the policy.

#include <memory>

#include "envoy/config/core/v3/base.pb.h"
#include "google/protobuf/wrappers.pb.h"

#include "source/config/errors.h"
#include "source/config/route_texts.h"
#include "source/config/runtime_compiler.h"
#include "source/route/cors_policy.h"

namespace sluice::config {

// Reports what cannot stand in a header, and warns of a policy by which any site acts for its visitors.
void checkCorsPolicy(const route::CorsPolicy& policy, const Context& context);

// `snapshot`: null where no runtime layers are known.
template <typename Proto>
std::shared_ptr<const route::CorsPolicy> compileCorsPolicy(const Proto& proto, const Context& context, Regexes& regexes,
                                                           const runtime::Snapshot* snapshot) {
  const auto flag = [](bool has, const google::protobuf::BoolValue& value) {
    return has ? std::optional(value.value()) : std::nullopt;
  };
  auto out = std::make_shared<route::CorsPolicy>();
  for (int i = 0; i < proto.allow_origin_string_match_size(); ++i) {
    const Context at = context.child("allow_origin_string_match", static_cast<size_t>(i));
    out->origins.push_back(regexes.stringMatcher(proto.allow_origin_string_match(i), at));
  }
  out->methods = proto.allow_methods();
  out->headers = proto.allow_headers();
  out->exposed = proto.expose_headers();
  out->max_age = proto.max_age();
  out->credentials = flag(proto.has_allow_credentials(), proto.allow_credentials());
  out->private_network = flag(proto.has_allow_private_network_access(), proto.allow_private_network_access());
  out->forward_other_preflights =
      flag(proto.has_forward_not_matching_preflights(), proto.forward_not_matching_preflights());
  if (proto.has_filter_enabled()) out->enabled = compileFraction(proto.filter_enabled(), snapshot);
  if (proto.has_shadow_enabled()) out->shadow = compileFraction(proto.shadow_enabled(), snapshot);
  checkCorsPolicy(*out, context);
  return out;
}

}  // namespace sluice::config
