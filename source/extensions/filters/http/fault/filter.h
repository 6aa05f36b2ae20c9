// Makes requests fail, wait, or be answered slowly, to see how others take it.
// (proto: envoy.extensions.filters.http.fault.v3.HTTPFault)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/base/shared_limit.h"
#include "source/filter/calls.h"
#include "source/filter/http_filter.h"
#include "source/filter/pace.h"
#include "source/filter/token.h"
#include "source/match/header.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/runtime/fraction.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::fault {

struct Delay {
  bool by_header = false;  // what the request's header says, instead of this:
  std::chrono::milliseconds fixed{0};
  runtime::Fraction share{0, 100};
};

struct Abort {
  bool by_header = false;  // what the request's header says, instead of these:
  uint16_t http_status = 0;
  std::optional<int> grpc_status;  // stands before the other
  runtime::Fraction share{0, 100};
};

struct Throughput {
  uint64_t kib_per_second = 0;  // 0: what the request's header says
  runtime::Fraction share{0, 100};
};

// Whom the faults concern, and what they are.
struct Faults {
  std::optional<Delay> delay;
  std::optional<Abort> abort;
  std::optional<Throughput> throughput;
  std::string upstream_cluster;               // empty: any
  std::vector<match::HeaderMatcher> headers;  // all match
  std::vector<std::string> downstream_nodes;  // one of these; empty: any
  uint32_t max_active = UINT32_MAX;           // of the filter
  stream::MetadataFields metadata;
};

struct Stats {
  observability::Counter aborts_injected, delays_injected, faults_overflow, response_rl_injected;
  observability::Gauge active_faults;
};

// Compiled configuration; immutable, shared by all streams and workers, but for the count.
struct Settings {
  Faults faults;
  std::shared_ptr<base::SharedLimit> active;  // requests that have a fault now; never null
  Stats stats;
};

using RouteSettings = route::RouteSettings<Faults>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}
  ~Filter() override;

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  void onStreamEnd(filter::Context& context) override;

 private:
  bool concerns(const http::RequestHeaders& headers, filter::Context& context) const;
  void slowDown(const http::RequestHeaders& headers, filter::Context& context);
  // How long the request waits; 0: it does not.
  std::chrono::milliseconds delayOf(const http::RequestHeaders& headers, filter::Context& context) const;
  std::optional<filter::Reply> abortOf(const http::RequestHeaders& headers, filter::Context& context);
  // Behind the delay.
  void waited(filter::Context& context);
  // One fault of this request begins, the first or another. False: the filter has as many as it may.
  bool begin(filter::Context& context);
  void leaveMetadata(filter::Context& context) const;

  const Settings& settings_;
  const Faults* faults_ = nullptr;  // the route's or the filter's
  bool active_ = false;
  bool refused_ = false;              // there were too many already
  std::optional<filter::Pace> pace_;  // of the response
  filter::ResumeToken token_;         // of the request that waits, or later of the response's chunk
  std::unique_ptr<filter::Call> timer_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::fault
