// Where keys go: by their longest prefix. (proto: RedisProxy.PrefixRoutes)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/runtime/fraction.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::extensions::network_filters::redis_proxy {

struct Mirror {
  upstream::ClusterId cluster = 0;
  runtime::Fraction fraction{100, 100};
  bool writes_only = false;
};

struct Route {
  std::string prefix;
  bool remove_prefix = false;
  upstream::ClusterId cluster = 0;
  std::optional<upstream::ClusterId> read_cluster;  // of commands that only read; none: the same
  std::vector<Mirror> mirrors;

  upstream::ClusterId clusterFor(bool writes) const { return !writes && read_cluster ? *read_cluster : cluster; }
  // As the host is to see it.
  std::string_view keyOf(std::string_view key) const { return remove_prefix ? key.substr(prefix.size()) : key; }
};

class Routes {
 public:
  explicit Routes(bool ignore_case = false) : ignore_case_(ignore_case) {}

  // False: there is one with that prefix.
  bool add(Route route);
  void setCatchAll(Route route) { catch_all_ = std::move(route); }

  // Null: the key goes nowhere.
  const Route* find(std::string_view key) const;
  // Of commands without a key. Null: they go nowhere.
  const Route* withoutKey() const { return find({}); }

 private:
  bool ignore_case_;
  std::vector<size_t> lengths_;  // of the prefixes, longest first, each once
  absl::flat_hash_map<std::string, Route> by_prefix_;
  std::optional<Route> catch_all_;
};

}  // namespace sluice::extensions::network_filters::redis_proxy
