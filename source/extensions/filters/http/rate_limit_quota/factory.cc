#include "source/extensions/filters/http/rate_limit_quota/factory.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/rate_limit_quota/v3/rate_limit_quota.pb.h"
#include "source/base/entropy.h"
#include "source/config/any_type.h"
#include "source/config/grpc_service.h"
#include "source/config/http_filter_factory.h"
#include "source/config/match_input_factory.h"
#include "source/config/matcher_compiler.h"
#include "source/config/route_mutations.h"
#include "source/config/runtime_compiler.h"
#include "source/config/stable_bytes.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/rate_limit_quota/filter.h"
#include "source/extensions/filters/http/rate_limit_quota/messages.h"
#include "source/http/grpc.h"

namespace sluice::extensions::http_filters::rate_limit_quota {
namespace {

namespace v3 = envoy::extensions::filters::http::rate_limit_quota::v3;
using BucketProto = v3::RateLimitQuotaBucketSettings;
using config::Context;
using config::FactoryContext;

Strategy compileStrategy(const envoy::type::v3::RateLimitStrategy& proto, const Context& at) {
  const auto strategy = strategyOf(proto);
  if (!strategy)
    at.child("requests_per_time_unit").child("time_unit").error("is missing; write SECOND, MINUTE or another");
  return strategy.value_or(Strategy{});
}

// `context` stands at the ValueBuilder.
BucketSettings::IdPart compilePart(const std::string& key, const BucketProto::BucketIdBuilder::ValueBuilder& proto,
                                   const FactoryContext& context, uint8_t& needs) {
  BucketSettings::IdPart out{key, proto.string_value(), nullptr};
  if (key.empty()) context.at.error("has an empty key, which no id of a bucket may have; name it");
  if (!proto.has_custom_value()) {
    if (out.text.empty()) context.at.child("string_value").error("is empty, which no value of an id may be");
    return out;
  }
  const FactoryContext place = context.child("custom_value").child("typed_config");
  out.input = config::compileMatchInput(proto.custom_value().typed_config(), place);
  if (out.input == nullptr) return out;
  needs |= out.input->needs();
  if (out.input->isEverything()) {
    place.at.error("stands for no single value; take an input that does, such as HttpRequestHeaderMatchInput");
  } else if ((out.input->needs() & ~match::kRequestParts) != 0) {
    place.at.error("looks at what a request does not have");
  }
  return out;
}

BucketSettings::Denial compileDenial(const BucketProto::DenyResponseSettings& proto, const Context& at) {
  BucketSettings::Denial out;
  out.status = config::errorStatus(proto.http_status().code(), out.status);
  out.body = proto.http_body().value();
  if (proto.has_grpc_status()) {
    out.grpc_status = proto.grpc_status().code();
    out.grpc_message = proto.grpc_status().message();
    if (out.grpc_status < 1 || out.grpc_status > http::grpc::kMaxStatus) {
      at.child("grpc_status").child("code").error("is no error of gRPC; those are 1 to 16");
    }
  }
  out.headers.add = config::compileHeaderAdditions(proto.response_headers_to_add(), "response_headers_to_add", at);
  return out;
}

BucketSettingsPtr compileBucket(const BucketProto& proto, const FactoryContext& context, uint8_t& needs) {
  const Context& at = context.at;
  auto out = std::make_shared<BucketSettings>();
  const FactoryContext builder = context.child("bucket_id_builder");
  for (const auto& [key, value] : proto.bucket_id_builder().bucket_id_builder()) {
    out->id.push_back(compilePart(key, value, builder.moved(builder.at.entry("bucket_id_builder", key)), needs));
  }
  std::sort(out->id.begin(), out->id.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  out->reporting_interval = config::compileMilliseconds(proto.reporting_interval());
  out->denial = compileDenial(proto.deny_response_settings(), at.child("deny_response_settings"));
  if (proto.has_no_assignment_behavior()) {
    out->no_assignment = compileStrategy(proto.no_assignment_behavior().fallback_rate_limit(),
                                         at.child("no_assignment_behavior").child("fallback_rate_limit"));
  }
  if (proto.has_expired_assignment_behavior()) {
    const auto& expiry = proto.expired_assignment_behavior();
    out->expiry.emplace();
    if (expiry.has_expired_assignment_behavior_timeout()) {
      out->expiry->timeout = config::compileDuration(expiry.expired_assignment_behavior_timeout());
    }
    if (!expiry.has_reuse_last_assignment()) {
      out->expiry->strategy = compileStrategy(expiry.fallback_rate_limit(),
                                              at.child("expired_assignment_behavior").child("fallback_rate_limit"));
    }
  }
  out->without_bucket = std::make_shared<Limit>(out->no_assignment);
  return out;
}

// `context` stands at the matcher.
Buckets compileBuckets(const xds::type::matcher::v3::Matcher& proto, const FactoryContext& context) {
  Buckets out;
  const auto action = [&](const google::protobuf::Any& any, const Context& at) -> std::optional<match::Action> {
    const auto settings = config::unpackOnly<BucketProto>(any, at);
    if (settings == nullptr) return std::nullopt;
    out.buckets.push_back(compileBucket(*settings, context.moved(at), out.needs));
    return static_cast<match::Action>(out.buckets.size() - 1);
  };
  out.matcher = config::compileMatcher(proto, {"bucket_matchers", match::kRequestParts, true, action}, context);
  if (out.matcher) out.needs |= out.matcher->needs;
  return out;
}

// All generations with the same server and the same buckets share what is assigned to them.
std::shared_ptr<const Quotas> makeQuotas(const v3::RateLimitQuotaFilterConfig& proto, const std::string& prefix,
                                         filter::GrpcTarget target, const FactoryContext& context) {
  if (context.services.main == nullptr) return nullptr;
  v3::RateLimitQuotaFilterConfig same;
  *same.mutable_rlqs_server() = proto.rlqs_server();
  *same.mutable_bucket_matchers() = proto.bucket_matchers();
  return context.shared<Quotas>(absl::StrCat("quotas ", prefix, config::stableBytes(same)),
                                Quotas::Setup{*context.services.main, context.services.local_slots, context.stats,
                                              prefix, std::move(target), base::drawSeed()});
}

class Factory : public config::RoutedHttpFilterOf<v3::RateLimitQuotaFilterConfig, v3::RateLimitQuotaOverride> {
 public:
  config::HttpFilterPtr makeFilter(const v3::RateLimitQuotaFilterConfig& proto,
                                   const FactoryContext& context) const override {
    const config::ErrorMark mark(context.at);
    const std::string prefix = absl::StrCat(context.owner, "rate_limit_quota.");
    const auto counter = [&](const char* name) { return context.stats->counter(prefix + name); };
    const runtime::Snapshot* const snapshot = context.services.runtime.get();
    Settings out;
    auto target = config::compileGrpcService(proto.rlqs_server(), context.child("rlqs_server"));
    out.domain = proto.domain();
    out.buckets = compileBuckets(proto.bucket_matchers(), context.child("bucket_matchers"));
    if (proto.has_filter_enabled()) out.enabled = config::compileFraction(proto.filter_enabled(), snapshot);
    if (proto.has_filter_enforced()) out.enforced = config::compileFraction(proto.filter_enforced(), snapshot);
    out.not_enforced.add = config::compileHeaderAdditions(proto.request_headers_to_add_when_not_enforced(),
                                                          "request_headers_to_add_when_not_enforced", context.at);
    out.stats = {counter("over_limit"), counter("no_assigment"), counter("expired_assigment"), counter("no_bucket")};
    if (mark.hit()) return nullptr;
    out.quotas = makeQuotas(proto, prefix, *std::move(target), context);
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::RateLimitQuotaOverride& proto,
                                         const FactoryContext& context) const override {
    auto out = std::make_shared<RouteSettings>();
    out->domain = proto.domain();
    if (proto.has_bucket_matchers()) {
      out->buckets = compileBuckets(proto.bucket_matchers(), context.child("bucket_matchers"));
    }
    return out;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::rate_limit_quota
