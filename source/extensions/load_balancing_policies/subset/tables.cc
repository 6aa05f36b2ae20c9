#include "source/extensions/load_balancing_policies/subset/tables.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace sluice::extensions::load_balancing_policies::subset {
namespace {

using stream::Lists;
using stream::MetadataCriterion;
using stream::MetadataFields;
using upstream::cluster::Host;
using upstream::cluster::HostSet;

const MetadataFields* fieldsOf(const Host& host) {
  return stream::fieldsUnder(host.metadata().fields(), stream::kBalancingMetadata);
}

// Every choice of one value for each key.
using Combinations = std::vector<std::vector<MetadataCriterion>>;

Combinations combinationsOf(const Host& host, const Selector& selector, Lists lists) {
  const MetadataFields* const fields = fieldsOf(host);
  Combinations out{{}};
  for (const std::string& key : selector.keys) {
    Combinations longer;
    for (const MetadataCriterion& criterion : stream::criteriaOf(fields, key, lists)) {
      for (const auto& begun : out) longer.emplace_back(begun).push_back(criterion);
    }
    out = std::move(longer);
  }
  return out;
}

bool sameCriteria(const std::vector<MetadataCriterion>& a, std::span<const MetadataCriterion* const> b) {
  return a.size() == b.size() && std::all_of(b.begin(), b.end(), [&](const MetadataCriterion* each) {
           return std::find(a.begin(), a.end(), *each) != a.end();
         });
}

bool asksFor(const Settings& settings, Fallback fallback) {
  return settings.fallback == fallback ||
         std::any_of(settings.selectors.begin(), settings.selectors.end(),
                     [&](const Selector& selector) { return selector.fallback == fallback; });
}

}  // namespace

class Tables::Builder {
 public:
  Builder(const HostSet& hosts, const Settings& settings, Tables& out)
      : hosts_(hosts), settings_(settings), lists_(settings.list_as_any ? Lists::kEach : Lists::kOneValue), out_(out) {}

  void build() {
    for (const Selector& selector : settings_.selectors) select(selector);
    for (Members& each : selected_) out_.by_hash_.at(each.hash).subset = add(each.entries);
    if (asksFor(settings_, Fallback::kAnyHost) || settings_.panic_mode_any) {
      std::vector<uint32_t> entries(hosts_.entries().size());
      std::iota(entries.begin(), entries.end(), 0u);
      out_.all_ = add(entries);
    }
    if (asksFor(settings_, Fallback::kDefaultSubset)) {
      std::vector<uint32_t> entries;
      for (uint32_t i = 0; i < hosts_.entries().size(); ++i) {
        const Host& host = *hosts_.entries()[i].host;
        if (stream::hasAll(fieldsOf(host), settings_.default_subset.criteria(), lists_)) entries.push_back(i);
      }
      out_.by_default_ = add(entries);
    }
  }

 private:
  struct Members {
    uint64_t hash;
    std::vector<uint32_t> entries;  // of hosts_
  };

  void select(const Selector& selector) {
    for (uint32_t i = 0; i < hosts_.entries().size(); ++i) {
      const Host& host = *hosts_.entries()[i].host;
      for (auto& criteria : combinationsOf(host, selector, lists_)) {
        Members& members = membersOf(std::move(criteria));
        if (selector.single_host && !members.entries.empty()) {
          ++out_.duplicates_;
        } else {
          members.entries.push_back(i);
        }
      }
    }
  }

  Members& membersOf(std::vector<MetadataCriterion> criteria) {
    const uint64_t hash = stream::hashOfAll(criteria);
    const auto index = static_cast<SubsetIndex>(selected_.size());
    const auto [at, added] = out_.by_hash_.try_emplace(hash, Named{std::move(criteria), index});
    if (added) selected_.push_back({hash, {}});
    return selected_[at->second.subset];
  }

  SubsetIndex add(const std::vector<uint32_t>& entries) {
    using Localities = HostSet::SubsetLocalities;
    const Localities localities = !settings_.locality_weight_aware  ? Localities::kIgnored
                                  : settings_.scale_locality_weight ? Localities::kScaled
                                                                    : Localities::kWeighted;
    auto part = upstream::lb::LbPolicy::prepare(settings_.inner.get(), hosts_.subset(entries, localities));
    out_.subsets_.push_back(std::move(part));
    return static_cast<SubsetIndex>(out_.subsets_.size() - 1);
  }

  const HostSet& hosts_;
  const Settings& settings_;
  const Lists lists_;
  Tables& out_;
  std::vector<Members> selected_;
};

Tables::Tables(const HostSet& hosts, const Settings& settings) {
  Builder(hosts, settings, *this).build();
}

std::vector<uint64_t> Tables::names() const {
  std::vector<uint64_t> out;
  out.reserve(by_hash_.size());
  for (const auto& [hash, named] : by_hash_) out.push_back(hash);
  std::sort(out.begin(), out.end());
  return out;
}

SubsetIndex Tables::find(std::span<const MetadataCriterion* const> criteria) const {
  uint64_t hash = 0;
  for (const MetadataCriterion* each : criteria) hash += each->hash;
  const auto at = by_hash_.find(hash);
  return at != by_hash_.end() && sameCriteria(at->second.criteria, criteria) ? at->second.subset : kNoSubset;
}

SubsetIndex Tables::find(std::span<const MetadataCriterion> criteria) const {
  const auto at = by_hash_.find(stream::hashOfAll(criteria));
  if (at == by_hash_.end()) return kNoSubset;
  // Both ascend by their keys.
  const std::vector<MetadataCriterion>& known = at->second.criteria;
  return std::equal(known.begin(), known.end(), criteria.begin(), criteria.end()) ? at->second.subset : kNoSubset;
}

}  // namespace sluice::extensions::load_balancing_policies::subset
