#include "source/config/rate_limits.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/config/runtime_compiler.h"
#include "source/config/value_format.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;
using Action = v3::RateLimit::Action;

void range(const envoy::type::v3::Int64Range& range, const Context& context, match::HeaderMatcher& out) {
  out.kind = match::HeaderMatcher::Kind::kRange;
  out.range_start = range.start();
  out.range_end = range.end();
  if (range.start() >= range.end()) {
    context.warn(absl::StrCat("holds no number: start ", range.start(), " is not below end ", range.end(),
                              ", which is not part of the range"));
  }
}

// Null after an error.
std::shared_ptr<const route::ValueFormatter> compileFormat(const std::string& text, bool one_operator,
                                                           const Context& context) {
  auto formatter = compileValueFormat(text, context);
  if (!formatter) return nullptr;
  if (one_operator && !formatter->isSingleOperator()) {
    context.error("has to be one %OPERATOR% and nothing else, because a number is made of it");
    return nullptr;
  }
  return std::make_shared<const FormattedValue>(*std::move(formatter));
}

// The value of the generic key and of matches. `at` stands at their message.
template <typename Match>
void descriptorValue(const Match& match, const Context& at, route::RateLimitAction& out) {
  out.value = match.descriptor_value();
  out.default_value = match.default_value();
  if (out.value.find('%') == std::string::npos) return;
  out.formatter = compileFormat(out.value, false, at.child("descriptor_value"));
}

void addressMatch(const Action::RemoteAddressMatch& match, const Context& context, route::RateLimitAction& out) {
  out.kind = route::RateLimitAction::Kind::kAddressMatch;
  out.key = match.descriptor_key().empty() ? "remote_address_match" : match.descriptor_key();
  descriptorValue(match, context, out);
  out.expect_match = !match.address_matcher().invert_match();
  out.ranges = compileCidrs(match.address_matcher().ranges(), "ranges", context.child("address_matcher"));
}

route::MetadataPath metadataPath(const envoy::type::metadata::v3::MetadataKey& key) {
  route::MetadataPath out{key.key(), {}};
  for (const auto& segment : key.path()) out.path.push_back(segment.key());
  return out;
}

void metadata(const Action::MetaData& metadata, const Context& context, route::RateLimitAction& out) {
  using Kind = route::RateLimitAction::Kind;
  out.kind = metadata.source() == Action::MetaData::ROUTE_ENTRY ? Kind::kRouteMetadata : Kind::kDynamicMetadata;
  out.key = metadata.descriptor_key();
  out.metadata = metadataPath(metadata.metadata_key());
  out.default_value = metadata.default_value();
  out.skip_if_absent = metadata.skip_if_absent();
  if (metadata.source() == Action::MetaData::CLUSTER_ENTRY ||
      metadata.source() == Action::MetaData::CLUSTER_LOCALITY_ENTRY) {
    context.child("source").error(
        "is not known before a host is chosen, behind this filter; use DYNAMIC or ROUTE_ENTRY");
  }
}

void limitOverride(const v3::RateLimit::Override& proto, route::RateLimit& out) {
  if (proto.has_dynamic_metadata()) out.limit_metadata = metadataPath(proto.dynamic_metadata().metadata_key());
  if (proto.has_rate_limit()) out.limit = {proto.rate_limit().requests_per_unit(), proto.rate_limit().unit()};
}

void hitsAddend(const v3::RateLimit::HitsAddend& proto, const Context& context, route::RateLimit& out) {
  if (proto.has_number()) out.hits_addend = proto.number().value();
  if (proto.has_number() && !proto.format().empty()) context.error("has both number and format; keep one of them");
  if (!proto.format().empty()) out.hits_format = compileFormat(proto.format(), true, context.child("format"));
  out.negative_hits = proto.is_negative_hits();
}

route::QuotaHeaders quotaHeaders(v3::RateLimit::XRateLimitOption option) {
  switch (option) {
    case v3::RateLimit::OFF:
      return route::QuotaHeaders::kOff;
    case v3::RateLimit::DRAFT_VERSION_03:
      return route::QuotaHeaders::kOn;
    default:
      return route::QuotaHeaders::kAsFilter;
  }
}

route::RateLimitAction compileAction(const Action& proto, const Context& context, Regexes& regexes,
                                     const CompileMatchInput& compile_input) {
  using Kind = route::RateLimitAction::Kind;
  route::RateLimitAction out;
  switch (proto.action_specifier_case()) {
    case Action::kSourceCluster:
      out.kind = Kind::kSourceCluster;
      out.key = "source_cluster";
      break;
    case Action::kDestinationCluster:
      out.kind = Kind::kDestinationCluster;
      out.key = "destination_cluster";
      break;
    case Action::kRemoteAddress:
      out.kind = Kind::kRemoteAddress;
      out.key = "remote_address";
      break;
    case Action::kRequestHeaders: {
      const auto& header = proto.request_headers();
      out.kind = Kind::kHeader;
      out.key = header.descriptor_key();
      const std::string name = absl::AsciiStrToLower(header.header_name());
      checkMatchedHeader(name, context.child("request_headers").child("header_name"));
      out.header = match::storedName(name);
      out.skip_if_absent = header.skip_if_absent();
      break;
    }
    case Action::kGenericKey:
      out.key = proto.generic_key().descriptor_key().empty() ? "generic_key" : proto.generic_key().descriptor_key();
      descriptorValue(proto.generic_key(), context.child("generic_key"), out);
      break;
    case Action::kHeaderValueMatch: {
      const auto& match = proto.header_value_match();
      out.kind = Kind::kHeaderMatch;
      out.key = match.descriptor_key().empty() ? "header_match" : match.descriptor_key();
      out.expect_match = !match.has_expect_match() || match.expect_match().value();
      const Context at = context.child("header_value_match");
      descriptorValue(match, at, out);
      for (int i = 0; i < match.headers_size(); ++i) {
        out.headers.push_back(
            compileHeaderMatcher(match.headers(i), at.child("headers", static_cast<size_t>(i)), regexes));
      }
      break;
    }
    case Action::kMaskedRemoteAddress: {
      const auto& masked = proto.masked_remote_address();
      out.kind = Kind::kMaskedAddress;
      out.key = "masked_remote_address";
      if (masked.has_v4_prefix_mask_len()) out.v4_bits = static_cast<uint8_t>(masked.v4_prefix_mask_len().value());
      if (masked.has_v6_prefix_mask_len()) out.v6_bits = static_cast<uint8_t>(masked.v6_prefix_mask_len().value());
      break;
    }
    case Action::kRemoteAddressMatch:
      addressMatch(proto.remote_address_match(), context.child("remote_address_match"), out);
      break;
    case Action::kQueryParameters: {
      const auto& query = proto.query_parameters();
      out.kind = Kind::kQuery;
      out.key = query.descriptor_key();
      out.parameter = query.query_parameter_name();
      out.skip_if_absent = query.skip_if_absent();
      break;
    }
    case Action::kQueryParameterValueMatch: {
      const auto& match = proto.query_parameter_value_match();
      out.kind = Kind::kQueryMatch;
      out.key = match.descriptor_key().empty() ? "query_match" : match.descriptor_key();
      out.expect_match = !match.has_expect_match() || match.expect_match().value();
      const Context at = context.child("query_parameter_value_match");
      descriptorValue(match, at, out);
      for (int i = 0; i < match.query_parameters_size(); ++i) {
        out.query.push_back(compileQueryMatcher(match.query_parameters(i),
                                                at.child("query_parameters", static_cast<size_t>(i)), regexes));
      }
      break;
    }
    case Action::kExtension:
      compileDescriptorExtension(proto.extension(), context.child("extension"), compile_input, out);
      break;
    case Action::kMetadata:
      metadata(proto.metadata(), context.child("metadata"), out);
      break;
    case Action::kDynamicMetadata:
      out.kind = Kind::kDynamicMetadata;
      out.key = proto.dynamic_metadata().descriptor_key();
      out.metadata = metadataPath(proto.dynamic_metadata().metadata_key());
      out.default_value = proto.dynamic_metadata().default_value();
      break;
    case Action::ACTION_SPECIFIER_NOT_SET:
      context.error("says nothing; set one of the actions");
  }
  return out;
}

}  // namespace

match::HeaderMatcher compileHeaderMatcher(const v3::HeaderMatcher& config, const Context& context, Regexes& regexes) {
  using match::StringMatcher;
  match::HeaderMatcher out;
  const std::string name = absl::AsciiStrToLower(config.name());
  checkMatchedHeader(name, context.child("name"));
  out.setName(name);
  out.invert = config.invert_match();
  out.treat_missing_header_as_empty = config.treat_missing_header_as_empty();
  const auto string = [&out](StringMatcher::Kind kind, const std::string& text) {
    out.kind = match::HeaderMatcher::Kind::kString;
    out.string.kind = kind;
    out.string.text = text;
  };
  switch (config.header_match_specifier_case()) {
    case v3::HeaderMatcher::kExactMatch:
      string(StringMatcher::Kind::kExact, config.exact_match());
      break;
    case v3::HeaderMatcher::kPrefixMatch:
      string(StringMatcher::Kind::kPrefix, config.prefix_match());
      break;
    case v3::HeaderMatcher::kSuffixMatch:
      string(StringMatcher::Kind::kSuffix, config.suffix_match());
      break;
    case v3::HeaderMatcher::kContainsMatch:
      string(StringMatcher::Kind::kContains, config.contains_match());
      break;
    case v3::HeaderMatcher::kSafeRegexMatch:
      string(StringMatcher::Kind::kRegex, config.safe_regex_match().regex());
      out.string.regex = regexes.compile(config.safe_regex_match(), context.child("safe_regex_match"));
      break;
    case v3::HeaderMatcher::kStringMatch:
      out.kind = match::HeaderMatcher::Kind::kString;
      out.string = regexes.stringMatcher(config.string_match(), context.child("string_match"));
      break;
    case v3::HeaderMatcher::kRangeMatch:
      range(config.range_match(), context.child("range_match"), out);
      break;
    case v3::HeaderMatcher::kPresentMatch:
      out.present = config.present_match();
      break;
    case v3::HeaderMatcher::HEADER_MATCH_SPECIFIER_NOT_SET:
      break;  // present
  }
  return out;
}

match::QueryMatcher compileQueryMatcher(const v3::QueryParameterMatcher& config, const Context& context,
                                        Regexes& regexes) {
  match::QueryMatcher out;
  out.name = config.name();
  switch (config.query_parameter_match_specifier_case()) {
    case v3::QueryParameterMatcher::kStringMatch:
      out.kind = match::QueryMatcher::Kind::kString;
      out.string = regexes.stringMatcher(config.string_match(), context.child("string_match"));
      break;
    case v3::QueryParameterMatcher::kPresentMatch:
      out.present = config.present_match();
      break;
    case v3::QueryParameterMatcher::QUERY_PARAMETER_MATCH_SPECIFIER_NOT_SET:
      break;  // present
  }
  return out;
}

route::RateLimitList compileRateLimits(const google::protobuf::RepeatedPtrField<v3::RateLimit>& protos,
                                       std::string_view field, const Context& context, Regexes& regexes,
                                       const runtime::Snapshot* snapshot, const CompileMatchInput& compile_input) {
  route::RateLimitList out;
  for (int i = 0; i < protos.size(); ++i) {
    const Context at = context.child(field, static_cast<size_t>(i));
    route::RateLimit limit;
    limit.stage = protos[i].stage().value();
    limit.at_end = protos[i].apply_on_stream_done();
    limit.quota_headers = quotaHeaders(protos[i].x_ratelimit_option());
    limit.has_disable_key = !protos[i].disable_key().empty();
    if (limit.has_disable_key) {
      limit.enabled = shareOf(absl::StrCat("ratelimit.", protos[i].disable_key(), ".http_filter_enabled"), snapshot);
    }
    limitOverride(protos[i].limit(), limit);
    hitsAddend(protos[i].hits_addend(), at.child("hits_addend"), limit);
    for (int j = 0; j < protos[i].actions_size(); ++j) {
      limit.actions.push_back(
          compileAction(protos[i].actions(j), at.child("actions", static_cast<size_t>(j)), regexes, compile_input));
    }
    out.push_back(std::move(limit));
  }
  return out;
}

}  // namespace sluice::config
