// What a changed configuration does to connections that there are, by the comparisons that the proxy itself goes by:
// server/listener_change.h for listeners, content hashes for clusters, sets of hosts for endpoints. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json.hpp"
#include "source/config/registry.h"
#include "source/ctl/inventory.h"

namespace sluice::ctl {

// In the order of their weight.
enum class Effect : uint8_t {
  kNone,     // connections go on
  kHosts,    // connections to hosts are closed once their requests are answered
  kClients,  // connections of clients are asked to end, and cut after the drain time
  kRestart,  // is read at the start only
  kRefused,  // what serves goes on
};

// "in_place", "closes_upstream", "drains_downstream", "restart", "refused".
std::string_view wordOf(Effect effect);

struct Consequence {
  std::string resource;             // "listener 'main'"
  std::string part;                 // "filter chain 'a'", "socket 127.0.0.1:80"; empty: the whole
  std::vector<std::string> fields;  // that differ; empty: it came or went
  Effect effect = Effect::kNone;
  std::string text;  // "connections go on"
};

struct Impact {
  std::vector<Consequence> consequences;

  // The heaviest; kNone: nothing closes.
  Effect worst() const;
};

// `by_xds`: static listeners and clusters of bootstraps are taken as if a control plane served them. Otherwise they
// take effect with a restart, and what is told of each is what it would do by xDS.
Impact compare(const Inventory& before, const Inventory& after, bool by_xds = false);

nlohmann::ordered_json toJson(const Impact& impact);
std::string toText(const Impact& impact);

// The document source/ctl/connection_effects.md: fields by what a change of them does, by compare().
std::string effectsDocument(const config::Registry& registry);

}  // namespace sluice::ctl
