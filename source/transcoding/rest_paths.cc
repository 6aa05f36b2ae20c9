#include "source/transcoding/rest_paths.h"

#include <algorithm>

#include "source/base/percent.h"

namespace sluice::transcoding {
namespace {

constexpr std::string_view kReserved = "!#$&'()*+,/:;=?@[]";

// As base::percentDecoded(), but what is one of `kept` stays encoded.
std::string decodedExcept(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char c = base::percentDecodedAt(text, at);
    const bool was_encoded = at - begin > 1;
    if (was_encoded && kept.find(c) != std::string_view::npos) {
      out.append(text.substr(begin, at - begin));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

RestPaths::Node& RestPaths::child(Node& node, const std::string& segment) {
  std::unique_ptr<Node>& slot = segment == "*" ? node.any : segment == "**" ? node.rest : node.texts[segment];
  if (!slot) slot = std::make_unique<Node>();
  return *slot;
}

std::optional<size_t> RestPaths::add(std::string_view method, RestPath path, size_t index) {
  Node* node = &root_;
  for (const std::string& segment : path.segments) node = &child(*node, segment);
  for (const auto& leaf : node->leaves) {
    if (leaf->method == method && leaf->verb == path.verb) return leaf->index;
  }
  if (!path.verb.empty()) verbs_.insert(path.verb);
  node->leaves.push_back(
      std::make_unique<Leaf>(Leaf{std::string(method), path.verb, index, std::move(path.variables)}));
  return std::nullopt;
}

const RestPaths::Leaf* RestPaths::leafOf(const Node& node, const Request& request) {
  const Leaf* any = nullptr;
  for (const auto& leaf : node.leaves) {
    if (leaf->verb != request.verb) continue;
    if (leaf->method == request.method) return leaf.get();
    if (leaf->method == "*") any = leaf.get();
  }
  return any;
}

// Each node is come to at most once: how many there are bounds the work, whatever the request.
const RestPaths::Leaf* RestPaths::find(const Node& node, const Request& request, size_t at) {
  if (at == request.segments.size()) {
    if (const Leaf* leaf = leafOf(node, request)) return leaf;
    return node.rest ? leafOf(*node.rest, request) : nullptr;
  }
  const std::string_view segment = request.segments[at];
  if (const auto text = node.texts.find(segment); text != node.texts.end()) {
    if (const Leaf* leaf = find(*text->second, request, at + 1)) return leaf;
  }
  if (node.any && !segment.empty()) {
    if (const Leaf* leaf = find(*node.any, request, at + 1)) return leaf;
  }
  return node.rest ? leafOf(*node.rest, request) : nullptr;
}

std::string RestPaths::valueOf(const PathVariable& variable, const Request& request) const {
  const size_t end = variable.rest ? request.segments.size() : variable.end;
  if (variable.begin >= end) return {};
  // The segments are views of one text.
  const char* begin = request.segments[variable.begin].data();
  const std::string_view last = request.segments[end - 1];
  const std::string_view raw(begin, static_cast<size_t>(last.data() + last.size() - begin));
  if (!variable.many || unescape_ == Unescape::kAll) return base::percentDecoded(raw);
  return decodedExcept(raw, unescape_ == Unescape::kExceptSlash ? std::string_view("/") : kReserved);
}

std::optional<RestPaths::Found> RestPaths::find(std::string_view method, std::string_view path) const {
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  Request request{method, {}, {}};
  const size_t colon = path.rfind(':');
  if (colon != std::string_view::npos && path.find('/', colon) == std::string_view::npos) {
    const std::string_view verb = path.substr(colon + 1);
    if (match_unknown_verbs_ || verbs_.contains(verb)) {
      request.verb = verb;
      path = path.substr(0, colon);
    }
  }
  while (!path.empty()) {
    const size_t slash = path.find('/');
    request.segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
    if (path.empty()) request.segments.push_back(path);
  }
  const Leaf* leaf = find(root_, request, 0);
  if (leaf == nullptr) return std::nullopt;
  Found found{leaf->index, {}};
  for (const PathVariable& variable : leaf->variables) {
    found.values.push_back({&variable.fields, valueOf(variable, request)});
  }
  return found;
}

}  // namespace sluice::transcoding
