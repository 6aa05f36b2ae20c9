// Counts gRPC calls, how they end, and their messages, in the stats of the cluster that they are led to.
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

namespace sluice::extensions::http_filters::grpc_stats {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  // By path ("/package.Service/Method"), how a method that has stats of its own is shown: "package.Service.Method.".
  std::map<std::string, std::string, std::less<>> methods;
  bool all_methods = false;   // have stats of their own, whatever clients call
  bool replace_dots = false;  // of services, by '_'
  bool emit_filter_state = false;
};

// "/package.Service/Method" as "package.Service.Method."; empty if it is no such path.
std::string shownMethod(std::string_view path, bool replace_dots);

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;
  void onStreamEnd(filter::Context& context) override;

 private:
  void ended(const http::HeaderList* status, filter::Context& context);
  void count(std::string_view what, filter::Context& context, uint64_t n = 1);
  void emit(filter::Context& context) const;

  const Settings& settings_;
  std::string_view cluster_;  // empty: not a call that is counted, or its end was
  std::string name_;          // "grpc.package.Service.Method." and what was counted last
  size_t name_size_ = 0;      // without that
  bool counts_response_ = false;
  http::grpc::MessageCounter request_counter_, response_counter_;
  uint64_t requests_ = 0, responses_ = 0;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::grpc_stats
