#include "source/config/access_log_filter.h"

#include "source/config/rate_limits.h"
#include "source/filter/access_log_filters.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::accesslog::v3;
using FilterPtr = std::shared_ptr<const stream::AccessLogFilter>;
using Proto = v3::AccessLogFilter;

// Nesting beyond this is nobody's intent; it would be recursion without end.
constexpr int kMaxDepth = 32;

FilterPtr compile(const Proto& proto, const Context& context, int depth);

filter::Comparison compileComparison(const v3::ComparisonFilter& proto, const Context& context) {
  using Op = filter::Comparison::Op;
  constexpr Op kOps[] = {Op::kEqual, Op::kAtLeast, Op::kAtMost, Op::kNotEqual};
  if (!proto.value().runtime_key().empty()) {
    context.child("value").child("runtime_key").warn("is not looked up for access logs; default_value counts");
  }
  return {v3::ComparisonFilter::Op_IsValid(proto.op()) ? kOps[proto.op()] : Op::kEqual, proto.value().default_value()};
}

FilterPtr compileFlags(const v3::ResponseFlagFilter& proto) {
  stream::ResponseFlags flags;
  for (const std::string& text : proto.flags()) {
    if (const auto flag = stream::responseFlagOf(text)) flags.set(*flag);
  }
  return std::make_shared<filter::ResponseFlagFilter>(flags);
}

template <typename Protos>
FilterPtr compileAll(bool all, const Protos& protos, const Context& context, int depth) {
  filter::CombinedFilter::Filters filters;
  for (int i = 0; i < protos.size(); ++i) {
    FilterPtr filter = compile(protos[i], context.child("filters", static_cast<size_t>(i)), depth + 1);
    if (!filter) return nullptr;
    filters.push_back(std::move(filter));
  }
  return std::make_shared<filter::CombinedFilter>(all, std::move(filters));
}

FilterPtr compile(const Proto& proto, const Context& context, int depth) {
  if (depth > kMaxDepth) {
    context.error("is nested more than 32 levels deep");
    return nullptr;
  }
  switch (proto.filter_specifier_case()) {
    case Proto::kStatusCodeFilter:
      return std::make_shared<filter::StatusCodeFilter>(compileComparison(
          proto.status_code_filter().comparison(), context.child("status_code_filter").child("comparison")));
    case Proto::kDurationFilter:
      return std::make_shared<filter::DurationFilter>(compileComparison(
          proto.duration_filter().comparison(), context.child("duration_filter").child("comparison")));
    case Proto::kNotHealthCheckFilter:
      return std::make_shared<filter::NotHealthCheckFilter>();
    case Proto::kAndFilter:
      return compileAll(true, proto.and_filter().filters(), context.child("and_filter"), depth);
    case Proto::kOrFilter:
      return compileAll(false, proto.or_filter().filters(), context.child("or_filter"), depth);
    case Proto::kHeaderFilter: {
      Regexes regexes;
      return std::make_shared<filter::HeaderFilter>(compileHeaderMatcher(
          proto.header_filter().header(), context.child("header_filter").child("header"), regexes));
    }
    case Proto::kResponseFlagFilter:
      return compileFlags(proto.response_flag_filter());
    default:
      context.error("has no condition; write one, or leave the filter out");
      return nullptr;
  }
}

}  // namespace

FilterPtr compileAccessLogFilter(const Proto& filter, const Context& context) {
  return compile(filter, context, 0);
}

}  // namespace sluice::config
