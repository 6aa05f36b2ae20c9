#include "source/filter/chain_config.h"

#include <cassert>

namespace sluice::filter {

ChainConfig::ChainConfig(std::vector<Entry> entries) : entries_(std::move(entries)) {
  assert(entries_.size() <= kMaxFilters);
  static constexpr Hooks kHooks[2][kHookKinds] = {{kRequestHeaders, kRequestData, kRequestTrailers},
                                                  {kResponseHeaders, kResponseData, kResponseTrailers}};
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].factory->hooks() & kStreamEnd) end_hooks_ |= uint32_t{1} << i;
    if (entries_[i].factory->hooks() & kRouteChanged) route_hooks_ |= uint32_t{1} << i;
  }
  for (const Direction direction : {Direction::kRequest, Direction::kResponse}) {
    for (int hook = 0; hook < kHookKinds; ++hook) {
      auto& next = next_[static_cast<size_t>(direction)][hook];
      uint8_t found = static_cast<uint8_t>(entries_.size());
      next[entries_.size()] = found;
      for (size_t position = entries_.size(); position-- > 0;) {
        const uint8_t hooks = entries_[indexOf(direction, position)].factory->hooks();
        if (hooks & kHooks[static_cast<size_t>(direction)][hook]) found = static_cast<uint8_t>(position);
        next[position] = found;
      }
    }
  }
}

}  // namespace sluice::filter
