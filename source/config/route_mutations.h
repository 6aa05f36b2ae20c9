#pragma once

// Header mutations of one level of a route configuration.

#include <string_view>
#include <vector>

#include "envoy/config/common/mutation_rules/v3/mutation_rules.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "google/protobuf/repeated_ptr_field.h"

#include "source/config/errors.h"
#include "source/route/mutation.h"
#include "source/stream/body_values.h"

namespace sluice::config {

using HeaderValueOptions = google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>;
using HeaderNames = google::protobuf::RepeatedPtrField<std::string>;

// One direction. The context stands at the message that has both fields; `direction` is "request" or "response".
route::HeaderMutations compileHeaderMutations(const HeaderValueOptions& add, const HeaderNames& remove,
                                              std::string_view direction, const Context& context);

// One list of additions. The context stands at the message that has it in `field`.
std::vector<route::HeaderAddition> compileHeaderAdditions(const HeaderValueOptions& add, std::string_view field,
                                                          const Context& context);

// A list of single changes, to be applied one after the other. The context stands at the message that has it in
// `field`. `bodies` gets what values want of bodies; null: they may want nothing of them.
std::vector<route::HeaderMutations> compileHeaderMutationList(
    const google::protobuf::RepeatedPtrField<envoy::config::common::mutation_rules::v3::HeaderMutation>& list,
    std::string_view field, const Context& context, stream::BodyPaths* bodies = nullptr);

// Both directions of a RouteConfiguration, VirtualHost, Route or ClusterWeight: their fields have the same names.
template <typename Level>
route::Mutations compileMutations(const Level& level, const Context& context) {
  return {
      compileHeaderMutations(level.request_headers_to_add(), level.request_headers_to_remove(), "request", context),
      compileHeaderMutations(level.response_headers_to_add(), level.response_headers_to_remove(), "response", context)};
}

}  // namespace sluice::config
