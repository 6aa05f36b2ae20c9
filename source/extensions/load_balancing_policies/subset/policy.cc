#include "source/extensions/load_balancing_policies/subset/policy.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "source/extensions/load_balancing_policies/subset/tables.h"

namespace sluice::extensions::load_balancing_policies::subset {
namespace {

using stream::MetadataCriteria;
using stream::MetadataCriterion;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::LbContext;

// A subset has an inner picker from the first request for it on.
class Picker final : public upstream::lb::LbPicker {
 public:
  Picker(upstream::lb::LbWorker& worker, const Settings& settings) : worker_(worker), settings_(settings) {}

  void update(const upstream::lb::PreparedHosts& hosts) override {
    tables_ = static_cast<const Tables*>(hosts.tables.get());
    pickers_.clear();
    pickers_.resize(tables_->subsets().size());
  }

  HostSlot pick(const LbContext& context) override {
    const MetadataCriteria* criteria = context.metadataCriteria();
    if (criteria == nullptr || criteria->empty()) return fallBack(settings_.fallback, context);
    if (!settings_.fallback_list || criteria->fallbacks().empty()) return pickBy(*criteria, context);
    for (const MetadataCriteria& each : criteria->fallbacks()) {
      if (const HostSlot slot = pickBy(each, context); slot != kNoHost) return slot;
    }
    return kNoHost;
  }

 private:
  // As many keys as a selector has in practice; beyond, the keys of a fallback are not looked at.
  static constexpr size_t kMostKeys = 32;

  HostSlot pickBy(const MetadataCriteria& criteria, const LbContext& context) {
    if (const SubsetIndex subset = tables_->find(criteria.criteria()); subset != kNoSubset) {
      return pickSelected(subset, context);
    }
    std::array<const MetadataCriterion*, kMostKeys> wanted;
    size_t count = std::min(criteria.criteria().size(), kMostKeys);
    for (size_t i = 0; i < count; ++i) wanted[i] = &criteria.criteria()[i];
    // Each step has fewer keys.
    while (const Selector* selector = selectorOf({wanted.data(), count})) {
      if (selector->fallback == Fallback::kNotDefined) break;
      if (selector->fallback != Fallback::kFewerKeys) return fallBackOfSelector(selector->fallback, context);
      count = keep(selector->fallback_keys, {wanted.data(), count});
      const SubsetIndex subset = tables_->find(std::span<const MetadataCriterion* const>(wanted.data(), count));
      if (subset != kNoSubset) return pickSelected(subset, context);
    }
    return fallBack(settings_.fallback, context);
  }

  // That with exactly these keys; both ascend.
  const Selector* selectorOf(std::span<const MetadataCriterion* const> criteria) const {
    for (const Selector& selector : settings_.selectors) {
      const bool same = std::equal(selector.keys.begin(), selector.keys.end(), criteria.begin(), criteria.end(),
                                   [](const std::string& key, const auto* criterion) { return key == criterion->key; });
      if (same) return &selector;
    }
    return nullptr;
  }

  // Moves those with one of the keys to the front, and counts them.
  static size_t keep(const std::vector<std::string>& keys, std::span<const MetadataCriterion*> criteria) {
    const auto end = std::remove_if(criteria.begin(), criteria.end(), [&](const MetadataCriterion* each) {
      return std::find(keys.begin(), keys.end(), each->key) == keys.end();
    });
    return static_cast<size_t>(end - criteria.begin());
  }

  HostSlot pickSelected(SubsetIndex subset, const LbContext& context) {
    worker_.cells.add(settings_.stats.selected);
    return pickIn(subset, context);
  }

  HostSlot fallBackOfSelector(Fallback fallback, const LbContext& context) {
    return fallback == Fallback::kNoHost ? kNoHost : pickIn(subsetOf(fallback), context);
  }

  HostSlot fallBack(Fallback fallback, const LbContext& context) {
    if (fallback == Fallback::kNoHost) return kNoHost;
    worker_.cells.add(settings_.stats.fallback);
    const HostSlot slot = pickIn(subsetOf(fallback), context);
    if (slot != kNoHost || !settings_.panic_mode_any) return slot;
    worker_.cells.add(settings_.stats.fallback_panic);
    return pickIn(tables_->all(), context);
  }

  SubsetIndex subsetOf(Fallback fallback) const {
    return fallback == Fallback::kAnyHost ? tables_->all() : tables_->byDefault();
  }

  HostSlot pickIn(SubsetIndex subset, const LbContext& context) {
    std::unique_ptr<upstream::lb::LbPicker>& picker = pickers_[subset];
    if (!picker) {
      picker = settings_.inner->makePicker(worker_);
      picker->update(tables_->subsets()[subset]);
    }
    return picker->pick(context);
  }

  upstream::lb::LbWorker& worker_;
  const Settings& settings_;
  const Tables* tables_ = nullptr;
  std::vector<std::unique_ptr<upstream::lb::LbPicker>> pickers_;  // by subset; null: not asked for yet
};

}  // namespace

struct Policy::Known {
  std::vector<uint64_t> subsets;  // ascending
};

Policy::Policy(Settings settings)
    : WrappingPolicy(settings.inner), settings_(std::move(settings)), known_(std::make_unique<Known>()) {}
Policy::~Policy() = default;

std::shared_ptr<const upstream::lb::LbTables> Policy::build(const upstream::cluster::HostSet& hosts) const {
  auto tables = std::make_shared<const Tables>(hosts, settings_);
  if (settings_.main_cells == nullptr) return tables;
  observability::StatsCells& cells = *settings_.main_cells;
  std::vector<uint64_t> now = tables->names(), common;
  std::set_intersection(now.begin(), now.end(), known_->subsets.begin(), known_->subsets.end(),
                        std::back_inserter(common));
  cells.add(settings_.stats.created, now.size() - common.size());
  cells.add(settings_.stats.removed, known_->subsets.size() - common.size());
  cells.set(settings_.stats.active, static_cast<int64_t>(now.size()));
  cells.set(settings_.stats.single_host_duplicate, static_cast<int64_t>(tables->duplicates()));
  known_->subsets = std::move(now);
  return tables;
}

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker& worker) const {
  return std::make_unique<Picker>(worker, settings_);
}

}  // namespace sluice::extensions::load_balancing_policies::subset
