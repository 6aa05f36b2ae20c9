// The conditions of access logs. Immutable, shared by all workers. (proto: config.accesslog.v3.AccessLogFilter)
#pragma once

#include <algorithm>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "source/match/metadata.h"
#include "source/route/matchers.h"
#include "source/runtime/fraction.h"
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

// One of some statuses of gRPC, or with `exclude` any other. The status is that of the trailers, of the head, what a
// filter left, or what the HTTP status stands for, also where the request is none of gRPC; without any it is UNKNOWN.
class GrpcStatusFilter : public stream::AccessLogFilter {
 public:
  static constexpr size_t kStatuses = 17;
  using Statuses = std::bitset<kStatuses>;

  GrpcStatusFilter(Statuses statuses, bool exclude) : statuses_(statuses), exclude_(exclude) {}
  bool admits(const stream::FormatContext& context) const override;

 private:
  const Statuses statuses_;
  const bool exclude_;
};

// What filters left has such a value; where there is none, `if_absent`.
class MetadataFilter : public stream::AccessLogFilter {
 public:
  // `matcher`: nullopt: no value is asked for.
  MetadataFilter(std::optional<match::MetadataMatcher> matcher, bool if_absent)
      : matcher_(std::move(matcher)), if_absent_(if_absent) {}
  bool admits(const stream::FormatContext& context) const override {
    const stream::DynamicMetadata* metadata = context.info.dynamic_metadata.get();
    if (!matcher_ || metadata == nullptr) return if_absent_;
    const stream::MetadataValue* value = metadata->find(matcher_->filter, matcher_->path);
    return value == nullptr ? if_absent_ : matcher_->value.matches(value) != matcher_->invert;
  }

 private:
  const std::optional<match::MetadataMatcher> matcher_;
  const bool if_absent_;
};

// Written for one of some reasons, or with `exclude` for any other.
class LogTypeFilter : public stream::AccessLogFilter {
 public:
  using Types = std::bitset<32>;

  LogTypeFilter(Types types, bool exclude) : types_(types), exclude_(exclude) {}
  bool admits(const stream::FormatContext& context) const override {
    return types_.test(static_cast<size_t>(context.type)) != exclude_;
  }

 private:
  const Types types_;
  const bool exclude_;
};

// A share of all. The number in the id of the request decides, so that all who have that id choose alike; chance does
// where there is none, or where the share is to be of its own.
class SampleFilter : public stream::AccessLogFilter {
 public:
  SampleFilter(runtime::Fraction share, bool independent) : share_(share), independent_(independent) {}
  bool admits(const stream::FormatContext& context) const override;

 private:
  const runtime::Fraction share_;
  const bool independent_;
};

// Requests whose trace was asked for: nothing is traced here.
class TraceableFilter : public stream::AccessLogFilter {
 public:
  bool admits(const stream::FormatContext&) const override { return false; }
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
