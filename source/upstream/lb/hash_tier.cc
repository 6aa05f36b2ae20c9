#include "source/upstream/lb/hash_tier.h"

#include <algorithm>
#include <string>
#include <variant>

#include "source/stream/metadata_criteria.h"

namespace sluice::upstream::lb {
namespace {

using cluster::Host;
using cluster::HostSet;

std::string_view keyOf(const Host& host, bool use_hostname) {
  static const std::vector<std::string> kHashKey{"hash_key"};
  if (const stream::MetadataFields* fields = host.metadata().fields()) {
    const stream::MetadataValue* value = stream::findMetadata(*fields, stream::kBalancingMetadata, kHashKey);
    const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
    if (text != nullptr && !text->empty()) return *text;
  }
  return use_hostname && !host.hostname().empty() ? host.hostname() : host.addressText();
}

}  // namespace

HashTier::HashTier(const HostSet& hosts, const HostSet::Tier& tier, bool use_hostname) {
  for (const HostSet::Group& group : tier.groups) {
    const double share = static_cast<double>(group.assigned_weight) / static_cast<double>(tier.assigned_weight);
    uint64_t sum = 0;
    for (const HostSet::Member& member : group.members) sum += member.weight;
    for (const HostSet::Member& member : group.members) {
      const double weight = member.weight * share / static_cast<double>(sum);
      members.push_back({member.slot, weight, keyOf(*hosts.host(member.slot), use_hostname)});
      least_weight = std::min(least_weight, weight);
      greatest_weight = std::max(greatest_weight, weight);
    }
  }
}

}  // namespace sluice::upstream::lb
