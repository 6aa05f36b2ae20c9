// Which chain of a listener takes a connection: its index, or its tree, and the chain for what they do not know.
//
// `Listener` has the fields of that name of ListenerConfig, or is what one is made of.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "source/filter/network.h"
#include "source/listener/chain_index.h"
#include "source/listener/tree_guard.h"

namespace sluice::listener {

template <typename Listener>
ChainTree treeOf(const Listener& config) {
  return {config.matcher, config.default_chain, config.chains.size()};
}

// The chain that serves a connection; nothing: none does.
template <typename Listener>
std::optional<size_t> chainOf(const Listener& config, const filter::Accepted& accepted) {
  if (config.matcher) return treeOf(config).find(accepted, accepted.server_name);
  if (!config.index) return 0;
  const std::optional<size_t> found = config.index->find(accepted);
  return found ? found : config.default_chain;
}

// Null: the server name had no part in the choice.
template <typename Listener>
std::shared_ptr<const filter::ChainGuard> guardOf(const Listener& config, const filter::Accepted& accepted) {
  if (!config.matcher) return config.guard;
  const bool by_name = (config.matcher->needs & match::kPeer) != 0 && !accepted.server_name.empty();
  return by_name ? std::make_shared<const TreeGuard>(treeOf(config), accepted) : nullptr;
}

}  // namespace sluice::listener
