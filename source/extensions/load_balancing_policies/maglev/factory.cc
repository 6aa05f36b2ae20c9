#include "source/extensions/load_balancing_policies/maglev/factory.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/extensions/load_balancing_policies/maglev/policy.h"

namespace sluice::extensions::load_balancing_policies::maglev {
namespace {

using Proto = ::envoy::extensions::load_balancing_policies::maglev::v3::Maglev;
using envoy::config::cluster::v3::Cluster;

// `proto`: a message with a table_size; `context` stands at it.
template <typename Message>
void readTableSize(const Message& proto, const config::Context& context, Settings& out) {
  if (!proto.has_table_size()) return;
  out.table_size = proto.table_size().value();
  // Of 2 the hosts could not have different orders.
  if (out.table_size < 3 || !upstream::lb::SeededOrder::isPrime(out.table_size)) {
    context.child("table_size").error(absl::StrCat("has to be a prime of 3 or more, not ", out.table_size));
    out.table_size = Settings{}.table_size;
  }
}

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::optional<Cluster::LbPolicy> legacyName() const override { return Cluster::MAGLEV; }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    settings.hashing = config::consistentHashingOf(proto.consistent_hashing_lb_config());
    settings.locality_weighted = proto.has_locality_weighted_lb_config();
    readTableSize(proto, context.at, settings);
    return std::make_shared<Policy>(settings);
  }
  LbPolicyPtr compileLegacy(const Cluster& cluster, config::FactoryContext context) const override {
    Settings settings;
    const Cluster::CommonLbConfig& common = cluster.common_lb_config();
    settings.hashing = config::consistentHashingOf(common.consistent_hashing_lb_config());
    settings.locality_weighted = common.has_locality_weighted_lb_config();
    readTableSize(cluster.maglev_lb_config(), context.at.child("maglev_lb_config"), settings);
    return std::make_shared<Policy>(settings);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::maglev
