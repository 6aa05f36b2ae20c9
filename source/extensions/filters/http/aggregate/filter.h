// Answers a request with what several calls, made at once, say in JSON.
// (proto: sluice.extensions.filters.http.aggregate.v1.Aggregate)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/filter/calls.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/stream/formatter.h"

namespace sluice::extensions::http_filters::aggregate {

// Of a path: a text, then a value that is percent-encoded.
struct PathPiece {
  std::string text;
  std::shared_ptr<const stream::Formatter> value;  // null: none
};

// start <= status < end
struct StatusRange {
  int64_t start = 200, end = 300;
};

struct CallSettings {
  std::string name, cluster;
  std::vector<PathPiece> path;
  std::string host;  // empty: that of the request
  std::chrono::milliseconds timeout{5000};
  std::vector<std::string> forwarded_headers;  // in lower case
  std::vector<StatusRange> statuses;           // whose answers count
  std::optional<std::string> default_value;    // JSON; nullopt: without an answer the request fails
  size_t max_response_bytes = 1 << 20;
};

// Of the answer: a text, then a part of what a call has brought.
struct AnswerPiece {
  std::string text;
  size_t call = 0;  // in Settings::calls
  std::vector<std::string> path;
  bool has_call = false;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::vector<CallSettings> calls;
  std::vector<AnswerPiece> answer;
  uint16_t failure_status = 502;
  std::vector<std::string> methods{"GET", "HEAD"};  // of requests that are answered so
  observability::Counter answered, failed, call_failed, default_used;
};

using RouteSettings = route::RouteSettings<Settings>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  void onAnswer(const Settings& settings, size_t call, filter::HttpCallResponse answer, filter::Context& context);
  void finish(const Settings& settings, filter::Context& context);

  const Settings& settings_;
  filter::ResumeToken token_;
  std::vector<std::string> results_;  // JSON, by call
  size_t pending_ = 0;
  std::vector<std::unique_ptr<filter::Call>> calls_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::aggregate
