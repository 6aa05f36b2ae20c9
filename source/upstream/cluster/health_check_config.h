// One way in which hosts are asked whether they are well. Immutable. (proto: envoy.config.core.v3.HealthCheck)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/stream/metadata.h"

namespace sluice::observability {
class LogFile;
}

namespace sluice::upstream::cluster {

// With any value in an answer: its host asks to count as failed.
inline constexpr std::string_view kFailHeader = "x-envoy-immediate-health-check-fail";

struct HealthCheckConfig {
  using Millis = std::chrono::milliseconds;
  enum class Kind : uint8_t { kHttp, kTcp, kGrpc, kRedis };

  Kind kind = Kind::kHttp;
  Millis timeout{0};  // from the beginning to the whole answer
  // From the end of one check to the beginning of the next.
  Millis interval{0};
  Millis unhealthy_interval{0};       // of an unhealthy host
  Millis healthy_edge_interval{0};    // after a check that passed, while an unhealthy host needs more of them
  Millis unhealthy_edge_interval{0};  // after one that failed, while it takes more to make a host unhealthy
  // The same while the cluster has never had a connection.
  Millis no_traffic_interval{60'000};
  Millis no_traffic_healthy_interval{60'000};
  // Added by chance, up to so much each.
  Millis initial_jitter{0};
  Millis interval_jitter{0};
  uint32_t interval_jitter_percent = 0;

  uint32_t healthy_threshold = 1;
  uint32_t unhealthy_threshold = 1;
  bool reuse_connection = true;
  std::vector<std::string> alpn;  // what connections over TLS offer; empty: as the cluster and the check have it
  // What a transport is chosen by instead of the metadata of the host; not set: that.
  std::optional<stream::FixedMetadata> transport_metadata;

  // Status `from` up to, not including, `to`.
  struct Statuses {
    int64_t from, to;
  };
  // kHttp and kGrpc.
  struct Http {
    bool http2 = false;
    std::string method = "GET";
    std::string path;
    std::string host;                                          // empty: the cluster's name
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;                                          // with its gRPC frame
    std::vector<Statuses> expected{{200, 201}};
    std::vector<Statuses> retriable;
    std::vector<std::string> receive;                    // of the body, in this order
    size_t response_buffer = 1024;                       // bytes of the body that are looked at
    std::function<bool(std::string_view)> service_name;  // empty: any
  };
  Http http;
  struct Tcp {
    std::string send;
    std::vector<std::string> receive;  // in this order; empty: connecting is all
  };
  Tcp tcp;
  std::string redis_key;  // that is not to exist; empty: PING is asked

  std::vector<std::shared_ptr<observability::LogFile>> logs;  // of changes, and of
  bool log_failures = false;                                  // each check that failed
  bool log_successes = false;                                 // each that passed
};

// As in events. (proto: envoy.data.core.v3.HealthCheckerType)
inline std::string_view nameOf(HealthCheckConfig::Kind kind) {
  switch (kind) {
    case HealthCheckConfig::Kind::kHttp:
      return "HTTP";
    case HealthCheckConfig::Kind::kTcp:
      return "TCP";
    case HealthCheckConfig::Kind::kGrpc:
      return "GRPC";
    case HealthCheckConfig::Kind::kRedis:
      return "REDIS";
  }
  return {};
}

}  // namespace sluice::upstream::cluster
