// Asks a gRPC service whether a connection may be served, before its first byte is read.
// (proto: envoy.extensions.filters.network.ext_authz.v3.ExtAuthz)
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "source/filter/check_attributes.h"
#include "source/filter/grpc_client.h"
#include "source/filter/network_filter.h"
#include "source/match/metadata.h"
#include "source/observability/stats.h"

namespace sluice::extensions::network_filters::ext_authz {

// ext_authz.STAT_PREFIX.*
struct Stats {
  observability::Counter total, ok, denied, error, disabled, failure_mode_allowed, cx_closed;
  observability::Gauge active;  // questions that wait for their answer
};

// Compiled configuration; immutable, shared by all workers.
struct Settings {
  filter::GrpcTarget service;
  filter::ConnectionTold told;
  std::optional<match::MetadataMatcher> enabled;  // nullopt: whatever filters left
  bool failure_mode_allow = false;
  Stats stats;
};

class Filter : public filter::NetworkFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::NetworkResult onNewConnection(filter::NetworkStream& stream) override;
  void onEnd(filter::NetworkStream& stream) override { settled(stream); }

 private:
  void answered(int status, std::string_view message, filter::NetworkStream& stream);
  void failed(bool malformed, filter::NetworkStream& stream);
  void refuse(std::string_view details, filter::NetworkStream& stream);
  void settled(filter::NetworkStream& stream);

  const Settings& settings_;
  filter::NetworkToken token_;
  bool waits_ = false;
  filter::UnaryCall call_;  // cancelled with the connection
};

class FilterFactory : public filter::NetworkFilterFactory {
 public:
  explicit FilterFactory(Settings settings) : settings_(std::move(settings)) {}

  std::unique_ptr<filter::NetworkFilter> create() const override { return std::make_unique<Filter>(settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::network_filters::ext_authz
