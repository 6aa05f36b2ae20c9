#pragma once

// gRPC services that filters call, and what services may change.

#include <optional>

#include "envoy/config/common/mutation_rules/v3/mutation_rules.pb.h"
#include "envoy/config/core/v3/grpc_service.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "source/config/route_texts.h"
#include "source/config/services.h"
#include "source/filter/grpc_client.h"
#include "source/filter/header_changes.h"

namespace sluice::config {

// nullopt after an error. Clusters that are known not to exist are errors; `context` stands at the service.
std::optional<filter::GrpcTarget> compileGrpcService(const envoy::config::core::v3::GrpcService& service,
                                                     const FactoryContext& context);

filter::MutationRules compileMutationRules(const envoy::config::common::mutation_rules::v3::HeaderMutationRules& rules,
                                           const Context& context);

// Names are compared in any case.
filter::NameMatcher compileNameMatcher(const envoy::type::matcher::v3::ListStringMatcher& list, const Context& context,
                                       Regexes& regexes);

}  // namespace sluice::config
