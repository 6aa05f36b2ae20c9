#include "source/extensions/load_balancing_policies/ring_hash/factory.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/extensions/load_balancing_policies/ring_hash/policy.h"

namespace sluice::extensions::load_balancing_policies::ring_hash {
namespace {

using Proto = ::envoy::extensions::load_balancing_policies::ring_hash::v3::RingHash;
using envoy::config::cluster::v3::Cluster;

// `proto`: a message with both sizes; `context` stands at it.
template <typename Message>
void readSizes(const Message& proto, const config::Context& context, Settings& out) {
  if (proto.has_minimum_ring_size()) out.minimum_size = proto.minimum_ring_size().value();
  if (proto.has_maximum_ring_size()) out.maximum_size = proto.maximum_ring_size().value();
  if (out.minimum_size == 0) context.child("minimum_ring_size").error("has to be 1 or more");
  if (out.minimum_size > out.maximum_size) {
    context.child("maximum_ring_size")
        .error(absl::StrCat("is ", out.maximum_size, ", below minimum_ring_size (", out.minimum_size,
                            "; 1024 where it is not set)"));
  }
}

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::optional<Cluster::LbPolicy> legacyName() const override { return Cluster::RING_HASH; }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    settings.murmur = proto.hash_function() == Proto::MURMUR_HASH_2;
    settings.locality_weighted = proto.has_locality_weighted_lb_config();
    if (proto.has_consistent_hashing_lb_config()) {
      settings.hashing = config::consistentHashingOf(proto.consistent_hashing_lb_config());
    } else {
      settings.hashing = {proto.use_hostname_for_hashing(), proto.hash_balance_factor().value()};
    }
    return make(proto, context.at, settings);
  }
  LbPolicyPtr compileLegacy(const Cluster& cluster, config::FactoryContext context) const override {
    Settings settings;
    const Cluster::CommonLbConfig& common = cluster.common_lb_config();
    settings.murmur = cluster.ring_hash_lb_config().hash_function() == Cluster::RingHashLbConfig::MURMUR_HASH_2;
    settings.hashing = config::consistentHashingOf(common.consistent_hashing_lb_config());
    settings.locality_weighted = common.has_locality_weighted_lb_config();
    return make(cluster.ring_hash_lb_config(), context.at.child("ring_hash_lb_config"), settings);
  }

 private:
  template <typename Message>
  static LbPolicyPtr make(const Message& proto, const config::Context& context, Settings settings) {
    const config::ErrorMark mark(context);
    readSizes(proto, context, settings);
    return mark.hit() ? nullptr : std::make_shared<Policy>(settings);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::ring_hash
