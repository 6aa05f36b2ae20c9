// Per-route settings of filters, found at run time by index.
//
// A filter's name (as in `http_filters[].name`) has a slot number for the life of the process. The table resolves the
// levels of `typed_per_filter_config` (cluster weight, route, virtual host, table; the most specific wins) into one
// flat array for each distinct combination; a chain keeps the slots of its filters and asks Match.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace sluice::route {

using FilterSlot = uint32_t;

// What a filter's factory compiles a `typed_per_filter_config` entry to. Immutable and shared by all workers.
class PerFilterConfig {
 public:
  explicit PerFilterConfig(bool disabled = false) : disabled_(disabled) {}
  virtual ~PerFilterConfig() = default;

  // The filter is not there for requests of this route. One that is not disabled is there, even if the chain has it
  // disabled.
  bool disabled() const { return disabled_; }
  // False: it says no more than disabled(), and the settings are those of a less specific level.
  bool hasSettings() const { return has_settings_; }

 private:
  friend class FilterSwitch;
  PerFilterConfig(bool disabled, bool has_settings) : disabled_(disabled), has_settings_(has_settings) {}

  const bool disabled_;
  const bool has_settings_ = true;
};

// One that is a value of the filter's, as most are.
template <typename Value>
struct RouteSettings final : PerFilterConfig {
  explicit RouteSettings(Value value) : value(std::move(value)) {}
  const Value value;
};

// `config` as the filter's own type. Null: there is none, it says no more than whether the filter is there, or the
// configuration gives this filter's name a setting of another's. Costs a comparison: asked for each request.
template <typename Config>
const Config* settingsAs(const PerFilterConfig* config) {
  static_assert(std::is_final_v<Config>);
  return config != nullptr && typeid(*config) == typeid(Config) ? static_cast<const Config*>(config) : nullptr;
}

// Says whether a filter is there, and nothing else. (proto: config.route.v3.FilterConfig)
class FilterSwitch final : public PerFilterConfig {
 public:
  explicit FilterSwitch(bool disabled) : PerFilterConfig(disabled, false) {}
};

// The settings of one filter at each level that has some, from the least specific level (table, virtual host, route,
// weighted cluster) to the most.
class PerFilterLevels {
 public:
  void add(const PerFilterConfig* config) { configs_[size_++] = config; }
  const PerFilterConfig* const* begin() const { return configs_.data(); }
  const PerFilterConfig* const* end() const { return configs_.data() + size_; }
  size_t size() const { return size_; }

 private:
  std::array<const PerFilterConfig*, 4> configs_{};
  size_t size_ = 0;
};

// Where settings stand in a table.
struct SettingsLevel {
  enum class Kind : uint8_t { kTable, kVirtualHost, kRoute, kCluster };
  Kind kind = Kind::kTable;
  std::string name = {};  // of the table, virtual host, route or cluster; may be empty
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
