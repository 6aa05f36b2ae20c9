// Answers requests that are health checks: of its own accord, or as the upstream did not long ago. Tells who checks
// which service it is that answers, and every client of a proxy that is to fail checks that it does. Thread: a filter
// its worker's; the settings and the cache are of all workers. (proto:
// envoy.extensions.filters.http.health_check.v3.HealthCheck)
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/match/header.h"

namespace sluice::extensions::http_filters::health_check {

// The last answer of the upstream to a check, for all workers.
class Cache {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Answer {
    uint16_t status;
    bool degraded;
  };
  void put(Answer answer, Time until);
  std::optional<Answer> get(Time now) const;

 private:
  std::atomic<uint64_t> packed_{0};  // milliseconds of the clock << 17, degraded << 16, status
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  bool pass_through = false;
  std::chrono::milliseconds cache_time{0};  // 0: none
  // The share of hosts that have to be healthy or degraded, in percent, by cluster.
  std::vector<std::pair<std::string, double>> least_healthy;
  std::vector<match::HeaderMatcher> headers;                 // all of them; none: every request is a check
  std::string service;                                       // what the proxy is, for who checks
  std::shared_ptr<const std::atomic<bool>> failed;           // somebody said that it is to fail checks; never null
  std::shared_ptr<Cache> cache = std::make_shared<Cache>();  // pass_through
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

 private:
  bool isCheck(const http::RequestHeaders& headers) const;
  // To a check; nullopt: it is for the upstream to answer.
  std::optional<filter::Reply> answer(filter::Context& context) const;
  filter::Reply reply(uint16_t status, std::string_view details) const;

  const Settings& settings_;
  bool check_ = false;
  bool asks_upstream_ = false;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::health_check
