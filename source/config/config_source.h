// ConfigSource: where dynamic resources come from, checked and free of protobuf.
//
// Thread: main. Run after validate(). What cannot work is an error: an aggregated stream by REST, other versions than
// v3, more than two gRPC services, a service without a cluster.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "envoy/config/core/v3/config_source.pb.h"
#include "source/config/errors.h"

namespace sluice::config {

// A stream to a management server.
struct GrpcSource {
  std::string cluster;    // static, not EDS; checkBootstrap() looks it up
  std::string authority;  // never empty: envoy_grpc.authority, or the cluster's name
  std::vector<std::pair<std::string, std::string>> initial_metadata;  // names in lower case
  bool delta = false;
  bool node_on_first_message_only = false;
  // For as long as this server has never answered: the second service, if there is one.
  std::vector<GrpcSource> fallback = {};
};

// A server that is polled.
struct RestSource {
  std::string cluster;  // as a GrpcSource's
  std::chrono::milliseconds refresh_delay{0};
  std::chrono::milliseconds request_timeout{1000};
};

struct ResourceSource {
  // kSelf: the server that the resource which names this source came from.
  enum class Kind : uint8_t { kFile, kAds, kGrpc, kRest, kSelf };

  Kind kind = Kind::kAds;
  std::string path;                                        // kFile
  std::string watched_directory;                           // kFile; empty: the path's own
  GrpcSource grpc;                                         // kGrpc
  RestSource rest;                                         // kRest
  std::chrono::milliseconds initial_fetch_timeout{15000};  // 0: wait for ever
};

std::optional<ResourceSource> compileConfigSource(const envoy::config::core::v3::ConfigSource& source,
                                                  const Context& context);

// The ads_config of a bootstrap, or the api_config_source of a resource, which is a stream.
std::optional<GrpcSource> compileApiConfigSource(const envoy::config::core::v3::ApiConfigSource& source,
                                                 const Context& context);

}  // namespace sluice::config
