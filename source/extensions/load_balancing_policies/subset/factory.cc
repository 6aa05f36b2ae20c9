#include "source/extensions/load_balancing_policies/subset/factory.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "envoy/extensions/load_balancing_policies/subset/v3/subset.pb.h"
#include "source/config/format/substitution_format.h"
#include "source/config/lb_policy_factory.h"
#include "source/extensions/load_balancing_policies/subset/policy.h"

namespace sluice::extensions::load_balancing_policies::subset {
namespace {

using Proto = ::envoy::extensions::load_balancing_policies::subset::v3::Subset;
using envoy::config::cluster::v3::Cluster;
using google::protobuf::RepeatedPtrField;

std::vector<std::string> sortedOnce(const RepeatedPtrField<std::string>& keys) {
  std::vector<std::string> out(keys.begin(), keys.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Both messages have the same fields, and enums of equal numbers. `context` stands at the message.
template <typename Message>
class Reader {
 public:
  Reader(const Message& proto, const config::FactoryContext& context) : proto_(proto), context_(context) {}

  Settings read() {
    Settings out;
    out.fallback = fallbackOf(proto_.fallback_policy());
    out.default_subset = stream::MetadataCriteria(config::fieldsOf(proto_.default_subset()));
    out.locality_weight_aware = proto_.locality_weight_aware();
    out.scale_locality_weight = proto_.scale_locality_weight();
    out.panic_mode_any = proto_.panic_mode_any();
    out.list_as_any = proto_.list_as_any();
    out.fallback_list = proto_.metadata_fallback_policy() == Message::FALLBACK_LIST;
    for (int i = 0; i < proto_.subset_selectors_size(); ++i) {
      const config::Context at = context_.at.child("subset_selectors", static_cast<size_t>(i));
      Selector selector = selectorOf(proto_.subset_selectors(i), at);
      const bool known = std::any_of(out.selectors.begin(), out.selectors.end(),
                                     [&](const Selector& other) { return other.keys == selector.keys; });
      known ? at.warn("not used: an earlier selector has the same keys") : out.selectors.push_back(std::move(selector));
    }
    if (out.scale_locality_weight && !out.locality_weight_aware) {
      context_.at.child("scale_locality_weight").warn("does nothing without locality_weight_aware; set that too");
    }
    readStats(out);
    return out;
  }

 private:
  using ProtoSelector = typename Message::LbSubsetSelector;

  static Fallback fallbackOf(typename Message::LbSubsetFallbackPolicy policy) {
    return policy == Message::ANY_ENDPOINT     ? Fallback::kAnyHost
           : policy == Message::DEFAULT_SUBSET ? Fallback::kDefaultSubset
                                               : Fallback::kNoHost;
  }

  static Fallback fallbackOf(const ProtoSelector& selector) {
    switch (selector.fallback_policy()) {
      case ProtoSelector::NO_FALLBACK:
        return Fallback::kNoHost;
      case ProtoSelector::ANY_ENDPOINT:
        return Fallback::kAnyHost;
      case ProtoSelector::DEFAULT_SUBSET:
        return Fallback::kDefaultSubset;
      case ProtoSelector::KEYS_SUBSET:
        return Fallback::kFewerKeys;
      default:
        return Fallback::kNotDefined;
    }
  }

  static Selector selectorOf(const ProtoSelector& proto, const config::Context& context) {
    Selector out{sortedOnce(proto.keys()), fallbackOf(proto), sortedOnce(proto.fallback_keys_subset()),
                 proto.single_host_per_subset()};
    if (out.keys.empty()) context.child("keys").error("is empty; name the keys whose values tell hosts apart");
    if (out.single_host && out.keys.size() != 1) {
      context.child("single_host_per_subset").error("needs a selector with exactly one key");
    }
    const Context at = context.child("fallback_keys_subset");
    if (out.fallback != Fallback::kFewerKeys) {
      if (!out.fallback_keys.empty()) at.error("goes with fallback_policy: KEYS_SUBSET only");
    } else if (out.fallback_keys.empty() || out.fallback_keys.size() >= out.keys.size() ||
               !std::includes(out.keys.begin(), out.keys.end(), out.fallback_keys.begin(), out.fallback_keys.end())) {
      at.error("has to name some of the keys of its selector, and not all of them");
    }
    return out;
  }

  void readStats(Settings& out) const {
    out.main_cells = context_.services.main == nullptr ? nullptr : &context_.services.main->cells;
    auto scope = std::make_shared<observability::Scope>(context_.stats->scope("cluster", context_.owner));
    Stats& stats = out.stats;
    stats.created = scope->counter("lb_subsets_created");
    stats.removed = scope->counter("lb_subsets_removed");
    stats.selected = scope->counter("lb_subsets_selected");
    stats.fallback = scope->counter("lb_subsets_fallback");
    stats.fallback_panic = scope->counter("lb_subsets_fallback_panic");
    stats.active = scope->gauge("lb_subsets_active");
    stats.single_host_duplicate = scope->gauge("lb_subsets_single_host_per_subset_duplicate");
    out.scope = std::move(scope);
  }

  using Context = config::Context;
  const Message& proto_;
  const config::FactoryContext& context_;
};

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings = Reader(proto, context).read();
    settings.inner = config::compileLbPolicies(proto.subset_lb_policy(), context.child("subset_lb_policy"));
    return settings.inner == nullptr ? nullptr : std::make_shared<Policy>(std::move(settings));
  }

  LbPolicyPtr wrapLegacy(const Cluster& cluster, LbPolicyPtr inner, config::FactoryContext context) const override {
    Settings settings = Reader(cluster.lb_subset_config(), context.child("lb_subset_config")).read();
    settings.inner = std::move(inner);
    return std::make_shared<Policy>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::subset
