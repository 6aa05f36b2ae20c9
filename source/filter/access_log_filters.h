// The conditions of access logs. Immutable, shared by all workers. (proto: config.accesslog.v3.AccessLogFilter)
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "source/route/matchers.h"
#include "source/stream/access_log.h"

namespace sluice::filter {

// A number against a limit.
struct Comparison {
  enum class Op : uint8_t { kEqual, kAtLeast, kAtMost, kNotEqual };
  Op op = Op::kEqual;
  uint64_t limit = 0;

  bool holds(uint64_t value) const {
    switch (op) {
      case Op::kEqual:
        return value == limit;
      case Op::kAtLeast:
        return value >= limit;
      case Op::kAtMost:
        return value <= limit;
      default:
        return value != limit;
    }
  }
};

class StatusCodeFilter : public stream::AccessLogFilter {
 public:
  explicit StatusCodeFilter(Comparison comparison) : comparison_(comparison) {}
  bool admits(const stream::FormatContext& context) const override {
    return comparison_.holds(context.info.response_code);
  }

 private:
  const Comparison comparison_;
};

// In milliseconds; what is not over has no duration and is not admitted.
class DurationFilter : public stream::AccessLogFilter {
 public:
  explicit DurationFilter(Comparison comparison) : comparison_(comparison) {}
  bool admits(const stream::FormatContext& context) const override {
    const stream::StreamInfo::Offset end = context.info.response_end;
    if (end == stream::StreamInfo::kNotYet) return false;
    return comparison_.holds(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(end).count()));
  }

 private:
  const Comparison comparison_;
};

// Of the request; an entry without one is not admitted.
class HeaderFilter : public stream::AccessLogFilter {
 public:
  explicit HeaderFilter(route::HeaderMatcher matcher) : matcher_(std::move(matcher)) {}
  bool admits(const stream::FormatContext& context) const override {
    return context.request != nullptr && matcher_.matches(*context.request);
  }

 private:
  const route::HeaderMatcher matcher_;
};

class NotHealthCheckFilter : public stream::AccessLogFilter {
 public:
  bool admits(const stream::FormatContext& context) const override { return !context.info.health_check; }
};

// One of `flags`; without any, any flag.
class ResponseFlagFilter : public stream::AccessLogFilter {
 public:
  explicit ResponseFlagFilter(stream::ResponseFlags flags) : flags_(flags) {}
  bool admits(const stream::FormatContext& context) const override {
    const stream::ResponseFlags set = context.info.response_flags;
    return flags_.any() ? set.intersects(flags_) : set.any();
  }

 private:
  const stream::ResponseFlags flags_;
};

// All of several, or one of them.
class CombinedFilter : public stream::AccessLogFilter {
 public:
  using Filters = std::vector<std::shared_ptr<const stream::AccessLogFilter>>;

  CombinedFilter(bool all, Filters filters) : all_(all), filters_(std::move(filters)) {}
  bool admits(const stream::FormatContext& context) const override {
    const auto admits = [&context](const auto& filter) { return filter->admits(context); };
    return all_ ? std::all_of(filters_.begin(), filters_.end(), admits)
                : std::any_of(filters_.begin(), filters_.end(), admits);
  }

 private:
  const bool all_;
  const Filters filters_;
};

}  // namespace sluice::filter
