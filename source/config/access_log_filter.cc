#include "source/config/access_log_filter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "source/config/access_log_filter_factory.h"
#include "source/config/rate_limits.h"
#include "source/config/registry.h"
#include "source/config/runtime_compiler.h"
#include "source/config/value_matchers.h"
#include "source/filter/access_log_filters.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::accesslog::v3;
using FilterPtr = std::shared_ptr<const stream::AccessLogFilter>;
using Proto = v3::AccessLogFilter;

// Nesting beyond this is nobody's intent; it would be recursion without end.
constexpr int kMaxDepth = 32;

FilterPtr compile(const Proto& proto, const FactoryContext& context, int depth);

// The number of a runtime key, or `fallback`.
uint64_t numberOf(const std::string& key, uint64_t fallback, const Services& services) {
  if (services.runtime == nullptr || key.empty()) return fallback;
  const double number = services.runtime->number(key, static_cast<double>(fallback));
  return number >= 0 && number <= UINT32_MAX ? static_cast<uint64_t>(number) : fallback;
}

filter::Comparison compileComparison(const v3::ComparisonFilter& proto, const Services& services) {
  using Op = filter::Comparison::Op;
  constexpr Op kOps[] = {Op::kEqual, Op::kAtLeast, Op::kAtMost, Op::kNotEqual};
  return {v3::ComparisonFilter::Op_IsValid(proto.op()) ? kOps[proto.op()] : Op::kEqual,
          numberOf(proto.value().runtime_key(), proto.value().default_value(), services)};
}

// The number of the runtime key takes the place of the numerator.
FilterPtr compileSample(const v3::RuntimeFilter& proto, const Services& services) {
  runtime::Fraction share = compileFraction(proto.percent_sampled());
  const uint64_t numerator = numberOf(proto.runtime_key(), share.numerator, services);
  share.numerator = static_cast<uint32_t>(std::min<uint64_t>(numerator, share.denominator));
  return std::make_shared<filter::SampleFilter>(share, proto.use_independent_randomness());
}

FilterPtr compileGrpcStatus(const v3::GrpcStatusFilter& proto) {
  filter::GrpcStatusFilter::Statuses statuses;
  for (const int status : proto.statuses()) statuses.set(static_cast<size_t>(status));
  return std::make_shared<filter::GrpcStatusFilter>(statuses, proto.exclude());
}

FilterPtr compileMetadata(const v3::MetadataFilter& proto, const Context& context) {
  std::optional<match::MetadataMatcher> matcher;
  Regexes regexes;
  if (proto.has_matcher()) matcher = compileMetadataMatcher(proto.matcher(), context.child("matcher"), regexes);
  const bool if_absent = !proto.has_match_if_key_not_found() || proto.match_if_key_not_found().value();
  return std::make_shared<filter::MetadataFilter>(std::move(matcher), if_absent);
}

FilterPtr compileLogType(const v3::LogTypeFilter& proto) {
  filter::LogTypeFilter::Types types;
  for (const int type : proto.types()) types.set(static_cast<size_t>(type));
  return std::make_shared<filter::LogTypeFilter>(types, proto.exclude());
}

FilterPtr compileTraceable(const Context& context) {
  context.warn("takes no entry, because nothing is traced here");
  return std::make_shared<filter::TraceableFilter>();
}

FilterPtr compileExtension(const v3::ExtensionFilter& proto, const FactoryContext& context) {
  return context.services.registry.access_log_filters.compile(proto.typed_config(), context.child("typed_config"));
}

FilterPtr compileFlags(const v3::ResponseFlagFilter& proto) {
  stream::ResponseFlags flags;
  for (const std::string& text : proto.flags()) {
    if (const auto flag = stream::responseFlagOf(text)) flags.set(*flag);
  }
  return std::make_shared<filter::ResponseFlagFilter>(flags);
}

template <typename Protos>
FilterPtr compileAll(bool all, const Protos& protos, const FactoryContext& context, int depth) {
  filter::CombinedFilter::Filters filters;
  for (int i = 0; i < protos.size(); ++i) {
    FilterPtr filter = compile(protos[i], context.child("filters", static_cast<size_t>(i)), depth + 1);
    if (!filter) return nullptr;
    filters.push_back(std::move(filter));
  }
  return std::make_shared<filter::CombinedFilter>(all, std::move(filters));
}

FilterPtr compile(const Proto& proto, const FactoryContext& context, int depth) {
  if (depth > kMaxDepth) {
    context.at.error("is nested more than 32 levels deep");
    return nullptr;
  }
  switch (proto.filter_specifier_case()) {
    case Proto::kStatusCodeFilter:
      return std::make_shared<filter::StatusCodeFilter>(
          compileComparison(proto.status_code_filter().comparison(), context.services));
    case Proto::kDurationFilter:
      return std::make_shared<filter::DurationFilter>(
          compileComparison(proto.duration_filter().comparison(), context.services));
    case Proto::kNotHealthCheckFilter:
      return std::make_shared<filter::NotHealthCheckFilter>();
    case Proto::kAndFilter:
      return compileAll(true, proto.and_filter().filters(), context.child("and_filter"), depth);
    case Proto::kOrFilter:
      return compileAll(false, proto.or_filter().filters(), context.child("or_filter"), depth);
    case Proto::kHeaderFilter: {
      Regexes regexes;
      return std::make_shared<filter::HeaderFilter>(compileHeaderMatcher(
          proto.header_filter().header(), context.at.child("header_filter").child("header"), regexes));
    }
    case Proto::kResponseFlagFilter:
      return compileFlags(proto.response_flag_filter());
    case Proto::kTraceableFilter:
      return compileTraceable(context.at.child("traceable_filter"));
    case Proto::kRuntimeFilter:
      return compileSample(proto.runtime_filter(), context.services);
    case Proto::kGrpcStatusFilter:
      return compileGrpcStatus(proto.grpc_status_filter());
    case Proto::kMetadataFilter:
      return compileMetadata(proto.metadata_filter(), context.at.child("metadata_filter"));
    case Proto::kLogTypeFilter:
      return compileLogType(proto.log_type_filter());
    case Proto::kExtensionFilter:
      return compileExtension(proto.extension_filter(), context.child("extension_filter"));
    default:
      context.at.error("has no condition; write one, or leave the filter out");
      return nullptr;
  }
}

}  // namespace

FilterPtr compileAccessLogFilter(const Proto& filter, const FactoryContext& context) {
  return compile(filter, context, 0);
}

}  // namespace sluice::config
