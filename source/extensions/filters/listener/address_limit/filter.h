// Limits how many connections clients of one address have at once.
// (proto: sluice.extensions.filters.listener.address_limit.v1.AddressLimit)
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "source/extensions/filters/listener/address_limit/counts.h"
#include "source/filter/listener_filter.h"
#include "source/net/cidr.h"

namespace sluice::extensions::listener_filters::address_limit {

struct Settings {
  uint32_t max_connections = 1;
  unsigned ipv4_prefix = 32, ipv6_prefix = 64;  // bits that clients share who count as one
  std::vector<net::Cidr> exempt;
  std::shared_ptr<AddressCounts> counts;  // of the whole process; the next generation has the same
  observability::Counter refused;
};

// Compiled configuration; immutable but for the counts, shared by all workers.
class Filter : public filter::ListenerFilter {
 public:
  explicit Filter(Settings settings) : settings_(std::move(settings)) {}

  size_t window() const override { return 0; }
  Result inspect(std::string_view bytes, filter::Accepted& accepted, observability::StatsCells& cells) const override;

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::listener_filters::address_limit
