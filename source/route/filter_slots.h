// Per-route settings of filters, found at run time by index.
//
// A filter's name (as in `http_filters[].name`) has a slot number for the life of the process. The table resolves the
// levels of `typed_per_filter_config` (cluster weight, route, virtual host, table; the most specific wins) into one
// flat array for each distinct combination; a filter keeps its slot and asks Match::perFilter(slot).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace sluice::route {

using FilterSlot = uint32_t;

// What a filter's factory compiles a `typed_per_filter_config` entry to. Immutable and shared by all workers.
class PerFilterConfig {
 public:
  explicit PerFilterConfig(bool disabled = false) : disabled_(disabled) {}
  virtual ~PerFilterConfig() = default;

  // The filter is not run for requests of this route (proto: FilterConfig.disabled).
  bool disabled() const { return disabled_; }

 private:
  const bool disabled_;
};

// Thread: main only.
class FilterSlots {
 public:
  // The slot of `filter_name`, given now if it is new. Slots count up from 0.
  FilterSlot slotOf(std::string_view filter_name) {
    const auto [entry, added] = slots_.try_emplace(std::string(filter_name), static_cast<FilterSlot>(slots_.size()));
    return entry->second;
  }

 private:
  absl::flat_hash_map<std::string, FilterSlot> slots_;
};

}  // namespace sluice::route
