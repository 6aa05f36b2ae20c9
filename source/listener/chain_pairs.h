// Which filter chains of a listener go on when another configuration takes its place. Thread: any.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "source/listener/listener.h"

namespace sluice::listener {

// For each chain of `after` the chain of `before` whose connections go over to it untouched: the first of the same
// content that no other takes. Connections of chains of `before` that none takes drain.
std::vector<std::optional<size_t>> pairChains(std::span<const FilterChain> before, std::span<const FilterChain> after);

}  // namespace sluice::listener
