// Counts gRPC calls, how they end, and their messages.
// (proto: envoy.extensions.filters.http.grpc_stats.v3.FilterConfig)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "source/filter/http_filter.h"
#include "source/http/grpc.h"
#include "source/observability/stats.h"

namespace sluice::extensions::filters::http::grpc_stats {

struct MethodStats {
  observability::Counter success, failure, total, request_messages, response_messages;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  // By path ("/package.Service/Method"): what has stats of its own. Clients cannot add to it.
  std::map<std::string, MethodStats, std::less<>> methods;
  MethodStats others;
  bool emit_filter_state = false;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(sluice::http::RequestHeaders& headers, filter::Stream& stream) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Stream& stream) override;
  filter::HookResult onResponseHeaders(sluice::http::ResponseHeaders& headers, filter::Stream& stream) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Stream& stream) override;
  filter::HookResult onResponseTrailers(sluice::http::Trailers& trailers, filter::Stream& stream) override;

 private:
  void ended(const sluice::http::HeaderList& status, filter::Stream& stream);
  void emit(filter::Stream& stream) const;

  const Settings& settings_;
  const MethodStats* stats_ = nullptr;  // null: not a gRPC request
  bool counts_response_ = false;
  sluice::http::grpc::MessageCounter request_counter_, response_counter_;
  uint64_t requests_ = 0, responses_ = 0;
};

class FilterFactory : public filter::HttpFilterFactory {
 public:
  explicit FilterFactory(Settings settings) : settings_(std::move(settings)) {}

  uint8_t hooks() const override {
    return filter::kRequestHeaders | filter::kRequestData | filter::kResponseHeaders | filter::kResponseData |
           filter::kResponseTrailers;
  }
  filter::HttpFilter* create(base::Arena& arena) const override { return filter::makeIn<Filter>(arena, settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::filters::http::grpc_stats
