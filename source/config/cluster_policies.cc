#include "source/config/cluster_policies.h"

#include <utility>

#include "source/config/hash_policies.h"
#include "source/config/mirror_policies.h"
#include "source/config/registry.h"
#include "source/config/retry_policy.h"
#include "source/config/retry_predicate_factory.h"

namespace sluice::config {
namespace {

std::shared_ptr<const route::RetryPolicy> compileRetries(const envoy::config::route::v3::RetryPolicy& proto,
                                                         const FactoryContext& context, Regexes& regexes) {
  const Registry& registry = context.services.registry;
  RetryExtensions extensions;
  extensions.host_predicate = [&](const google::protobuf::Any& config, const Context& at) {
    return registry.retry_host_predicates.compile(config, context.moved(at));
  };
  extensions.priority = [&](const google::protobuf::Any& config, const Context& at) {
    return registry.retry_priorities.compile(config, context.moved(at));
  };
  return compileRetryPolicy(proto, context.at.child("retry_policy"), regexes, extensions);
}

}  // namespace

std::shared_ptr<const route::RequestPolicies> compileRequestPolicies(
    const envoy::extensions::upstreams::http::v3::HttpProtocolOptions& proto, const FactoryContext& context) {
  if (!proto.has_retry_policy() && proto.hash_policy().empty() && proto.request_mirror_policies().empty()) {
    return nullptr;
  }
  Regexes regexes;
  route::RequestPolicies out;
  if (proto.has_retry_policy()) out.retry = compileRetries(proto.retry_policy(), context, regexes);
  if (!proto.hash_policy().empty()) {
    out.hash = std::make_shared<const route::HashPolicy>(compileHashPolicy(proto.hash_policy(), context.at, regexes));
  }
  if (!proto.request_mirror_policies().empty()) {
    // By its name, each time: clusters come in any order, and two that name each other would keep each other for ever.
    const auto named = [](const std::string&, const Context&) { return route::kNoCluster; };
    out.mirrors =
        compileMirrorPolicies(proto.request_mirror_policies(), context.at, named, context.services.runtime.get());
  }
  return std::make_shared<const route::RequestPolicies>(std::move(out));
}

}  // namespace sluice::config
