#include "source/extensions/filters/http/header_to_metadata/factory.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata.pb.h"
#include "google/protobuf/struct.pb.h"
#include "source/config/cookies.h"
#include "source/config/http_filter_factory.h"
#include "source/config/metadata_namespace.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/header_to_metadata/filter.h"
#include "source/filter/metadata_struct.h"
#include "source/match/header.h"

namespace sluice::extensions::http_filters::header_to_metadata {
namespace {

namespace v3 = envoy::extensions::filters::http::header_to_metadata::v3;
using config::Context;

constexpr char kNamespace[] = "envoy.filters.http.header_to_metadata";

std::optional<stream::MetadataValue> readProtobufValue(const std::string& bytes) {
  google::protobuf::Value value;
  if (!value.ParseFromString(bytes)) return std::nullopt;
  return filter::readValue(value);
}

ValueType compileType(v3::Config::ValueType type) {
  switch (type) {
    case v3::Config::NUMBER:
      return ValueType::kNumber;
    case v3::Config::PROTOBUF_VALUE:
      return ValueType::kProtobufValue;
    default:
      return ValueType::kString;
  }
}

Target compileTarget(const v3::Config::KeyValuePair& proto, config::Regexes& regexes, const Context& at) {
  Target out;
  config::checkMetadataNamespace(proto.metadata_namespace(), at.child("metadata_namespace"));
  out.metadata_namespace = proto.metadata_namespace().empty() ? kNamespace : proto.metadata_namespace();
  out.key = proto.key();
  out.value = proto.value();
  out.type = compileType(proto.type());
  out.base64 = proto.encode() == v3::Config::BASE64;
  if (!proto.has_regex_value_rewrite()) return out;
  if (!proto.value().empty()) at.error("has both value and regex_value_rewrite; keep one of them");
  auto rewrite = regexes.textRewrite(proto.regex_value_rewrite(), at.child("regex_value_rewrite"));
  if (!rewrite) return out;
  out.pattern = std::move(rewrite->pattern);
  out.substitution = std::move(rewrite->substitution);
  return out;
}

Target compileMissing(const v3::Config::KeyValuePair& proto, config::Regexes& regexes, const Context& at) {
  if (proto.value().empty()) at.child("value").error("is empty; say what is set where there is no such header");
  if (proto.has_regex_value_rewrite()) {
    at.child("regex_value_rewrite").error("has nothing to rewrite where there is no such header; remove it");
    return {};
  }
  return compileTarget(proto, regexes, at);
}

// Which messages rules are for.
enum class Side : uint8_t { kRequest, kResponse };

void checkName(const std::string& name, Side side, const Context& at) {
  if (side == Side::kRequest || !name.starts_with(':')) return config::checkMatchedHeader(name, at);
  if (name != ":status") at.error("is no header of answers, whose only pseudo-header is :status");
}

void checkRemoval(const Rule& rule, const Context& at) {
  if (rule.cookie) at.error("does not apply to cookies; remove it");
  if (rule.name.starts_with(':') || rule.name == "content-length" || rule.name == "transfer-encoding") {
    at.error(absl::StrCat("does not apply to ", rule.name, ", which belongs to the proxy; remove it"));
  }
}

void compileSource(const v3::Config::Rule& proto, Side side, const Context& at, Rule& out) {
  if (proto.header().empty() == proto.cookie().empty()) {
    at.error(proto.header().empty() ? "has neither header nor cookie; say what it looks at"
                                    : "has both header and cookie; make a rule of each");
    return;
  }
  out.cookie = proto.header().empty();
  out.remove = proto.remove();
  if (out.cookie) {
    out.name = proto.cookie();
    config::checkCookieName(out.name, at.child("cookie"));
    if (side == Side::kResponse) at.child("cookie").warn("is always missing: answers have no cookie header");
  } else {
    out.name = match::storedName(absl::AsciiStrToLower(proto.header()));
    checkName(out.name, side, at.child("header"));
  }
  if (out.remove) checkRemoval(out, at.child("remove"));
}

Rule compileRule(const v3::Config::Rule& proto, Side side, config::Regexes& regexes, const Context& at) {
  Rule out;
  compileSource(proto, side, at, out);
  if (!proto.has_on_header_present() && !proto.has_on_header_missing()) {
    at.error("has neither on_header_present nor on_header_missing, so it would do nothing; set one of them");
  }
  if (proto.has_on_header_present()) {
    out.present = compileTarget(proto.on_header_present(), regexes, at.child("on_header_present"));
  }
  if (proto.has_on_header_missing()) {
    out.missing = compileMissing(proto.on_header_missing(), regexes, at.child("on_header_missing"));
  }
  return out;
}

template <typename Rules>
std::vector<Rule> compileRules(const Rules& rules, std::string_view field, Side side, config::Regexes& regexes,
                               const Context& at) {
  std::vector<Rule> out;
  for (int i = 0; i < rules.size(); ++i) {
    out.push_back(compileRule(rules[i], side, regexes, at.child(field, static_cast<size_t>(i))));
  }
  return out;
}

std::optional<Counters> countersOf(const std::string& stat_prefix, observability::Scope& stats) {
  if (stat_prefix.empty()) return std::nullopt;
  const auto counter = [&](const char* name) {
    return stats.counter(absl::StrCat("http_filter_name.", stat_prefix, ".", name));
  };
  return Counters{
      {counter("request_rules_processed"), counter("request_metadata_added"), counter("request_header_not_found")},
      {counter("response_rules_processed"), counter("response_metadata_added"), counter("response_header_not_found")},
      counter("base64_decode_failed"),
      counter("header_value_too_long"),
      counter("regex_substitution_failed")};
}

Settings compileSettings(const v3::Config& proto, const config::FactoryContext& context) {
  config::Regexes regexes;
  return {compileRules(proto.request_rules(), "request_rules", Side::kRequest, regexes, context.at),
          compileRules(proto.response_rules(), "response_rules", Side::kResponse, regexes, context.at),
          countersOf(proto.stat_prefix(), *context.stats), readProtobufValue};
}

class Factory : public config::RoutedHttpFilterOf<v3::Config> {
 public:
  config::HttpFilterPtr makeFilter(const v3::Config& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::Config& proto,
                                         const config::FactoryContext& context) const override {
    Settings settings = compileSettings(proto, context);
    if (settings.request.empty() && settings.response.empty()) {
      context.at.error("has no rules; give it request_rules or response_rules, or disable the filter for the route");
    }
    return std::make_shared<RouteSettings>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::header_to_metadata
