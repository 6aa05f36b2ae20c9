// Which route table a request uses where a connection manager has many: that of its scope.
// (proto: ScopedRoutes, ScopedRouteConfiguration)
//
// A request is of the scope whose key equals what the builder makes of its head. Immutable, used by all workers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/arena.h"
#include "source/http/headers.h"
#include "source/route/table_slot.h"

namespace sluice::route {

// A fragment of a key: a part of the first line of a header. (proto: HeaderValueExtractor)
struct ScopeFragment {
  struct Element {
    std::string separator, key;
  };

  std::string header;             // as requests keep it: in lower case, ":authority" for "host"
  std::string element_separator;  // empty: the value is one element
  uint32_t index = 0;
  std::optional<Element> element;  // instead of the index

  // Nullopt: the request has none.
  std::optional<std::string_view> of(const http::RequestHeaders& request) const;
};

class ScopeKeyBuilder {
 public:
  ScopeKeyBuilder() = default;
  explicit ScopeKeyBuilder(std::vector<ScopeFragment> fragments) : fragments_(std::move(fragments)) {}

  // Text of `arena`; nullopt: the request is of no scope.
  std::optional<std::string_view> keyOf(const http::RequestHeaders& request, base::Arena& arena) const;
  size_t size() const { return fragments_.size(); }

 private:
  std::vector<ScopeFragment> fragments_;
};

// The key of these fragments, as builders make them. It is no text for people.
std::string scopeKey(std::span<const std::string> fragments);

struct Scope {
  std::shared_ptr<const TableSlot> table;  // null: it is not asked for before a request wants it
};

// The scopes of a connection manager by their keys.
class ScopeIndex {
 public:
  using Scopes = absl::flat_hash_map<std::string, Scope>;
  explicit ScopeIndex(Scopes scopes) : scopes_(std::move(scopes)) {}

  // Null: there is no such scope.
  const Scope* find(std::string_view key) const {
    const auto found = scopes_.find(absl::string_view(key.data(), key.size()));
    return found == scopes_.end() ? nullptr : &found->second;
  }

 private:
  const Scopes scopes_;
};

// A place for the index, the same on every worker: main exchanges it while traffic flows. Held through a shared_ptr
// whose deleter gives the place back.
struct ScopesSlot {
  uint32_t id = 0;
  ScopeKeyBuilder builder;
  // Asks for the table of the scope with that key, which is on demand, for the worker of that number; it is told when
  // the table is in place, or will not be. To be called on main.
  std::function<void(const std::string& key, uint32_t worker)> ask = {};
};

}  // namespace sluice::route
