#include "source/extensions/filters/udp/dns_filter/table.h"

#include "source/base/text.h"
#include "source/extensions/filters/udp/dns_filter/name.h"

namespace sluice::extensions::udp_filters::dns_filter {

using base::toAbsl;

Domain& Table::domain(const std::string& name, bool below) {
  suffixes_.insert(std::string(suffixOf(name)));
  return below ? below_[name] : domains_[name];
}

const Domain* Table::find(std::string_view name) const {
  const auto own = domains_.find(toAbsl(name));
  if (own != domains_.end()) return &own->second;
  while (!below_.empty() && !name.empty()) {
    name = parentOf(name);
    const auto found = below_.find(toAbsl(name));
    if (found != below_.end()) return &found->second;
  }
  return nullptr;
}

bool Table::answersFor(std::string_view name) const {
  return !name.empty() && (suffixes_.contains(toAbsl(suffixOf(name))) || find(name) != nullptr);
}

}  // namespace sluice::extensions::udp_filters::dns_filter
