// A configured chain of HTTP filters, and the slot that a connection manager keeps it in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/route/filter_slots.h"

namespace sluice::filter {

constexpr size_t kMaxFilters = 32;

// Compiled: for each hook the filters that have it. Immutable, shared by all workers; it knows nothing of the ends that
// its filters stand between.
class ChainConfig {
 public:
  struct Entry {
    std::string name;  // as configured, e.g. "envoy.filters.http.buffer"
    std::shared_ptr<const HttpFilterFactory> factory;
    route::FilterSlot slot = {};  // where routes keep their settings for this name
    // There for the requests of those routes only that have settings for it. (proto: HttpFilter.disabled)
    bool disabled = false;
    // There for all requests, whatever `disabled` and routes say.
    bool always = false;
  };
  // At most kMaxFilters entries, the terminal filter not among them.
  explicit ChainConfig(std::vector<Entry> entries);

  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  // Bit per filter that wants to know the end of its stream.
  uint32_t endHooks() const { return end_hooks_; }
  // Bit per filter that judges by the route.
  uint32_t routeHooks() const { return route_hooks_; }

  enum HookIndex : uint8_t { kHeaders, kData, kTrailers, kHookKinds };
  // The first position at or after `position` (in the order of `direction`) whose filter has that hook; size() if none.
  size_t next(Direction direction, HookIndex hook, size_t position) const {
    return next_[static_cast<size_t>(direction)][hook][position];
  }
  // Positions of the response direction count from the last filter. Its own inverse.
  size_t indexOf(Direction direction, size_t position) const {
    return direction == Direction::kRequest ? position : entries_.size() - 1 - position;
  }

 private:
  std::vector<Entry> entries_;
  std::array<std::array<std::array<uint8_t, kMaxFilters + 1>, kHookKinds>, 2> next_;
  uint32_t end_hooks_ = 0;
  uint32_t route_hooks_ = 0;
};

// A place for a chain. Most hold one chain for good. One with an id may be given another while traffic flows: each
// worker keeps the present one under that id, main exchanges it by post, and a stream goes on to its end with the one
// that it began with. Immutable, shared by all workers.
class ChainSlot {
 public:
  explicit ChainSlot(std::shared_ptr<const ChainConfig> chain) : first_(std::move(chain)) {}
  // `id`: no other slot of the process has it. `first` stands until a worker is given one for the id.
  ChainSlot(std::shared_ptr<const ChainConfig> first, uint32_t id) : first_(std::move(first)), id_(id) {}

  const ChainConfig& first() const { return *first_; }
  std::optional<uint32_t> id() const { return id_; }

 private:
  const std::shared_ptr<const ChainConfig> first_;
  const std::optional<uint32_t> id_;
};

inline std::shared_ptr<const ChainSlot> fixedChain(std::vector<ChainConfig::Entry> entries) {
  return std::make_shared<const ChainSlot>(std::make_shared<const ChainConfig>(std::move(entries)));
}

}  // namespace sluice::filter
