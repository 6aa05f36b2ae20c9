#include "source/config/route_fingerprint.h"

#include <initializer_list>
#include <string>

#include "google/protobuf/unknown_field_set.h"
#include "source/base/xx_hash.h"
#include "source/config/stable_bytes.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;

// Of the fields of `message` but those with the numbers `left_out`.
uint64_t hashWithout(const google::protobuf::Message& message, std::initializer_list<int> left_out, uint64_t seed) {
  google::protobuf::UnknownFieldSet fields;
  fields.ParseFromString(stableBytes(message));
  for (const int number : left_out) fields.DeleteByNumber(number);
  std::string rest;
  fields.SerializeToString(&rest);
  return base::xxHash64(rest, seed);
}

}  // namespace

uint64_t fingerprintOf(const v3::RouteConfiguration& table) {
  using T = v3::RouteConfiguration;
  return hashWithout(
      table,
      {T::kNameFieldNumber, T::kVirtualHostsFieldNumber, T::kVhdsFieldNumber, T::kValidateClustersFieldNumber,
       T::kRequestMirrorPoliciesFieldNumber, T::kClusterSpecifierPluginsFieldNumber},
      0);
}

uint64_t fingerprintOf(const v3::VirtualHost& host, uint64_t of_table) {
  using H = v3::VirtualHost;
  return hashWithout(host,
                     {H::kNameFieldNumber, H::kDomainsFieldNumber, H::kRoutesFieldNumber, H::kMatcherFieldNumber,
                      H::kRequireTlsFieldNumber, H::kVirtualClustersFieldNumber, H::kRateLimitsFieldNumber,
                      H::kRetryPolicyFieldNumber, H::kHedgePolicyFieldNumber, H::kPerRequestBufferLimitBytesFieldNumber,
                      H::kRequestBodyBufferLimitFieldNumber, H::kRequestMirrorPoliciesFieldNumber},
                     of_table);
}

uint64_t fingerprintOf(const v3::Route& route, uint64_t of_host) {
  using R = v3::Route;
  using A = v3::RouteAction;
  const uint64_t outer =
      hashWithout(route,
                  {R::kMatchFieldNumber, R::kRouteFieldNumber, R::kNameFieldNumber, R::kStatPrefixFieldNumber,
                   R::kPerRequestBufferLimitBytesFieldNumber, R::kRequestBodyBufferLimitFieldNumber},
                  of_host);
  return hashWithout(
      route.route(),
      {A::kClusterFieldNumber, A::kWeightedClustersFieldNumber, A::kClusterSpecifierPluginFieldNumber,
       A::kInlineClusterSpecifierPluginFieldNumber, A::kClusterNotFoundResponseCodeFieldNumber, A::kTimeoutFieldNumber,
       A::kIdleTimeoutFieldNumber, A::kFlushTimeoutFieldNumber, A::kMaxStreamDurationFieldNumber,
       A::kMaxGrpcTimeoutFieldNumber, A::kGrpcTimeoutOffsetFieldNumber, A::kRetryPolicyFieldNumber,
       A::kHedgePolicyFieldNumber, A::kPriorityFieldNumber, A::kHashPolicyFieldNumber, A::kRateLimitsFieldNumber,
       A::kIncludeVhRateLimitsFieldNumber, A::kUpgradeConfigsFieldNumber, A::kRequestMirrorPoliciesFieldNumber},
      outer);
}

uint64_t fingerprintOf(const v3::WeightedCluster::ClusterWeight& share) {
  using S = v3::WeightedCluster::ClusterWeight;
  return hashWithout(share, {S::kNameFieldNumber, S::kWeightFieldNumber}, 0);
}

}  // namespace sluice::config
