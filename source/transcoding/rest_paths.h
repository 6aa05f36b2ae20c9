// Which of many path templates a request is for: text before `*` before `**`, segment by segment.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/transcoding/rest_path.h"

namespace sluice::transcoding {

// What of percent-encoding is taken off values of variables that may have slashes; others lose all of it.
// (proto: GrpcJsonTranscoder.UrlUnescapeSpec, by the same numbers)
enum class Unescape : uint8_t { kExceptReserved, kExceptSlash, kAll };

class RestPaths {
 public:
  struct Value {
    const std::vector<std::string>* fields;  // of the variable; lives as long as the paths
    std::string value;
  };
  struct Found {
    size_t index;  // as given to add()
    std::vector<Value> values;
  };

  // `match_unknown_verbs`: what stands behind the last ':' is a verb, even if no template has it.
  explicit RestPaths(Unescape unescape = Unescape::kExceptReserved, bool match_unknown_verbs = false)
      : unescape_(unescape), match_unknown_verbs_(match_unknown_verbs) {}

  // `method`: "*" for any. Another one that takes the same requests: its index; this one is not added then.
  std::optional<size_t> add(std::string_view method, RestPath path, size_t index);

  // `path`: without the query.
  std::optional<Found> find(std::string_view method, std::string_view path) const;

 private:
  struct Leaf {
    std::string method, verb;
    size_t index;
    std::vector<PathVariable> variables;
  };
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> texts;
    std::unique_ptr<Node> any;
    std::unique_ptr<Node> rest;
    std::vector<std::unique_ptr<Leaf>> leaves;
  };
  struct Request {
    std::string_view method, verb;
    std::vector<std::string_view> segments;
  };

  Node& child(Node& node, const std::string& segment);
  static const Leaf* leafOf(const Node& node, const Request& request);
  static const Leaf* find(const Node& node, const Request& request, size_t at);
  std::string valueOf(const PathVariable& variable, const Request& request) const;

  const Unescape unescape_;
  const bool match_unknown_verbs_;
  Node root_;
  std::set<std::string, std::less<>> verbs_;
};

}  // namespace sluice::transcoding
