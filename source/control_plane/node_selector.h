// Which nodes a file of intent is for: fields are ANDed, a list of selectors is ORed, an empty list means every node.
//
// Patterns are exact, or end in `*` for "begins with". Values: any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/control_plane/discovery_messages.h"

namespace sluice::control_plane {

struct NodeSelector {
  std::optional<std::string> id;
  std::optional<std::string> cluster;
  std::map<std::string, std::string> metadata;  // flattened: "a.b" -> pattern

  bool matches(const Node& node) const;
  // A node that this selector matches and that has nothing else.
  Node example() const;
  // Some node could match both.
  bool compatibleWith(const NodeSelector& other) const;
};
using NodeSelectors = std::vector<NodeSelector>;

bool selects(const NodeSelectors& selectors, const Node& node);
bool compatible(const NodeSelectors& one, const NodeSelectors& other);

}  // namespace sluice::control_plane
