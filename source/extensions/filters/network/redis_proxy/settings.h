// A compiled redis_proxy. Immutable, shared by all workers.
// (proto: envoy.extensions.filters.network.redis_proxy.v3.RedisProxy)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/extensions/filters/network/redis_proxy/routes.h"
#include "source/observability/stats.h"
#include "source/redis/commands.h"
#include "source/redis/key_slot.h"
#include "source/runtime/fraction.h"
#include "source/worker/local.h"

namespace sluice::extensions::network_filters::redis_proxy {

using std::chrono::milliseconds;

class Pool;

// redis.STAT_PREFIX.*
struct Stats {
  observability::Counter cx_total, cx_protocol_error, cx_drain_close, rx_bytes_total, tx_bytes_total, rq_total,
      invalid_request, unsupported_command;
  observability::Gauge cx_active, rq_active, rx_bytes_buffered, tx_bytes_buffered;
};

// redis.STAT_PREFIX.command.NAME.*
struct CommandStats {
  observability::Counter total, success, error, error_fault, delay_fault;
  observability::Histogram latency;
};

// (proto: RedisProxy.RedisFault)
struct Fault {
  runtime::Fraction enabled;
  milliseconds delay{0};
  bool error = false;
};

// What is served, with what is counted of it.
struct ServedCommand {
  redis::Command command;
  CommandStats stats;
  std::vector<Fault> faults;
};

// How commands go to hosts.
struct PoolSettings {
  milliseconds op_timeout{0};
  bool hashtags = false;
  bool redirections = false;
  size_t flush_size = 0;        // bytes that are gathered; 0: none
  milliseconds flush_after{3};  // but no longer than this
  redis::Read read = redis::Read::kPrimary;
  bool command_stats = false;
  uint32_t connections_per_second = 0;  // to each host; 0: no limit
};

struct Settings {
  PoolSettings pool;
  bool latency_in_micros = false;
  Routes routes;
  std::string username;                // of clients; empty: default
  std::vector<std::string> passwords;  // any will do; empty: nobody has to say one
  absl::flat_hash_map<std::string, ServedCommand> commands;
  Stats stats;
  std::shared_ptr<const worker::WorkerLocal<Pool>> pools;

  bool needsAuth() const { return !passwords.empty() || !username.empty(); }
};

}  // namespace sluice::extensions::network_filters::redis_proxy
