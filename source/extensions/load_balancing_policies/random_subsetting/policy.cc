#include "source/extensions/load_balancing_policies/random_subsetting/policy.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "source/base/entropy.h"
#include "source/base/xx_hash.h"

namespace sluice::extensions::load_balancing_policies::random_subsetting {
namespace {

using upstream::cluster::HostSet;
using upstream::lb::LbPolicy;

struct Tables final : upstream::lb::LbTables {
  explicit Tables(upstream::lb::PreparedHosts hosts) : hosts(std::move(hosts)) {}
  const upstream::lb::PreparedHosts hosts;  // those of the subset
};

class Picker final : public upstream::lb::LbPicker {
 public:
  explicit Picker(std::unique_ptr<upstream::lb::LbPicker> inner) : inner_(std::move(inner)) {}

  void update(const upstream::lb::PreparedHosts& hosts) override {
    inner_->update(static_cast<const Tables*>(hosts.tables.get())->hosts);
  }
  upstream::cluster::HostSlot pick(const upstream::lb::LbContext& context) override { return inner_->pick(context); }

 private:
  const std::unique_ptr<upstream::lb::LbPicker> inner_;
};

// Ascending indexes of entries.
std::vector<uint32_t> chosenOf(const HostSet& hosts, uint32_t size, uint64_t seed) {
  std::map<uint32_t, std::vector<std::pair<uint64_t, uint32_t>>> by_priority;  // hash and index
  for (uint32_t i = 0; i < hosts.entries().size(); ++i) {
    const HostSet::Entry& entry = hosts.entries()[i];
    by_priority[entry.priority].emplace_back(base::xxHash64(entry.host->addressText(), seed), i);
  }
  std::vector<uint32_t> out;
  for (auto& [priority, all] : by_priority) {
    const size_t count = std::min<size_t>(all.size(), size);
    std::nth_element(all.begin(), all.begin() + static_cast<ptrdiff_t>(count - 1), all.end());
    for (size_t i = 0; i < count; ++i) out.push_back(all[i].second);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Seed::Seed() : value(base::drawSeed()) {}

std::shared_ptr<const upstream::lb::LbTables> Policy::build(const HostSet& hosts) const {
  using Localities = HostSet::SubsetLocalities;
  const Localities localities = localityWeighted() ? Localities::kWeighted : Localities::kIgnored;
  const std::vector<uint32_t> chosen = chosenOf(hosts, size_, seed_->value);
  return std::make_shared<const Tables>(LbPolicy::prepare(&inner(), hosts.subset(chosen, localities)));
}

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker& worker) const {
  return std::make_unique<Picker>(inner().makePicker(worker));
}

}  // namespace sluice::extensions::load_balancing_policies::random_subsetting
