#include "source/control_plane/node_selector.h"

#include <algorithm>

namespace sluice::control_plane {
namespace {

bool isPrefix(std::string_view pattern) {
  return pattern.ends_with('*');
}

std::string_view literal(std::string_view pattern) {
  if (isPrefix(pattern)) pattern.remove_suffix(1);
  return pattern;
}

bool matchesPattern(std::string_view pattern, std::string_view text) {
  return isPrefix(pattern) ? text.starts_with(literal(pattern)) : text == pattern;
}

// Some text matches both.
bool overlap(std::string_view one, std::string_view other) {
  if (!isPrefix(one)) return matchesPattern(other, one);
  if (!isPrefix(other)) return matchesPattern(one, other);
  return literal(one).starts_with(literal(other)) || literal(other).starts_with(literal(one));
}

bool overlap(const std::optional<std::string>& one, const std::optional<std::string>& other) {
  return !one || !other || overlap(std::string_view(*one), std::string_view(*other));
}

}  // namespace

bool NodeSelector::matches(const Node& node) const {
  if (id && !matchesPattern(*id, node.id)) return false;
  if (cluster && !matchesPattern(*cluster, node.cluster)) return false;
  return std::all_of(metadata.begin(), metadata.end(), [&node](const auto& entry) {
    const auto value = node.metadata.find(entry.first);
    return value != node.metadata.end() && matchesPattern(entry.second, value->second);
  });
}

Node NodeSelector::example() const {
  Node node;
  if (id) node.id = std::string(literal(*id));
  if (cluster) node.cluster = std::string(literal(*cluster));
  for (const auto& [key, pattern] : metadata) node.metadata[key] = std::string(literal(pattern));
  return node;
}

bool NodeSelector::compatibleWith(const NodeSelector& other) const {
  if (!overlap(id, other.id) || !overlap(cluster, other.cluster)) return false;
  return std::all_of(metadata.begin(), metadata.end(), [&other](const auto& entry) {
    const auto same = other.metadata.find(entry.first);
    return same == other.metadata.end() || overlap(std::string_view(entry.second), std::string_view(same->second));
  });
}

bool selects(const NodeSelectors& selectors, const Node& node) {
  return selectors.empty() || std::any_of(selectors.begin(), selectors.end(),
                                          [&node](const NodeSelector& selector) { return selector.matches(node); });
}

bool compatible(const NodeSelectors& one, const NodeSelectors& other) {
  if (one.empty() || other.empty()) return true;
  return std::any_of(one.begin(), one.end(), [&other](const NodeSelector& mine) {
    return std::any_of(other.begin(), other.end(),
                       [&mine](const NodeSelector& theirs) { return mine.compatibleWith(theirs); });
  });
}

}  // namespace sluice::control_plane
