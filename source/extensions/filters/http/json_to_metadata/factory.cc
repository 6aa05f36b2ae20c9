#include "source/extensions/filters/http/json_to_metadata/factory.h"

#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/json_to_metadata/v3/json_to_metadata.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/metadata_namespace.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/json_to_metadata/filter.h"
#include "source/filter/metadata_struct.h"

namespace sluice::extensions::http_filters::json_to_metadata {
namespace {

namespace v3 = envoy::extensions::filters::http::json_to_metadata::v3;
using config::Context;
using Proto = v3::JsonToMetadata;

constexpr char kNamespace[] = "envoy.filters.http.json_to_metadata";

ValueType compileType(Proto::ValueType type) {
  switch (type) {
    case Proto::STRING:
      return ValueType::kString;
    case Proto::NUMBER:
      return ValueType::kNumber;
    default:
      return ValueType::kAsItIs;
  }
}

Target compileTarget(const Proto::KeyValuePair& proto, const Context& at) {
  Target out;
  config::checkMetadataNamespace(proto.metadata_namespace(), at.child("metadata_namespace"));
  out.metadata_namespace = proto.metadata_namespace().empty() ? kNamespace : proto.metadata_namespace();
  out.key = proto.key();
  if (proto.has_value()) out.value = filter::readValue(proto.value());
  out.type = compileType(proto.type());
  out.preserve_existing = proto.preserve_existing_metadata_value();
  return out;
}

// Of what the body does not say.
Target compileFixed(const Proto::KeyValuePair& proto, const Context& at) {
  if (!proto.has_value()) at.error("has no value; say what is set, as the body does not");
  return compileTarget(proto, at);
}

Rule compileRule(const Proto::Rule& proto, const Context& at) {
  Rule out;
  if (!proto.has_on_present() && !proto.has_on_missing()) {
    at.error("has neither on_present nor on_missing, so it would do nothing; set one of them");
  }
  if (proto.has_on_present()) out.on_present = compileTarget(proto.on_present(), at.child("on_present"));
  if (proto.has_on_missing()) out.on_missing = compileFixed(proto.on_missing(), at.child("on_missing"));
  if (proto.has_on_error()) out.on_error = compileFixed(proto.on_error(), at.child("on_error"));
  return out;
}

JsonPath compilePath(const Proto::Rule& proto, const Context& at) {
  JsonPath out;
  for (int i = 0; i < proto.selectors_size(); ++i) {
    if (proto.selectors(i).key().empty()) at.child("selectors", static_cast<size_t>(i)).error("has no key; name one");
    out.push_back(proto.selectors(i).key());
  }
  return out;
}

// `direction`: "rq" or "resp".
Counters countersOf(const char* direction, observability::Scope& stats) {
  const auto counter = [&](const char* name) {
    return stats.counter(absl::StrCat("json_to_metadata.", direction, ".", name));
  };
  return {counter("success"), counter("mismatched_content_type"), counter("no_body"), counter("invalid_json_body"),
          counter("too_large_body")};
}

Rules compileRules(const Proto::MatchRules& proto, Counters counters, const Context& at) {
  Rules out;
  out.counters = counters;
  for (int i = 0; i < proto.rules_size(); ++i) {
    const Context at_rule = at.child("rules", static_cast<size_t>(i));
    out.rules.push_back(compileRule(proto.rules(i), at_rule));
    out.paths.push_back(compilePath(proto.rules(i), at_rule));
  }
  for (const std::string& type : proto.allow_content_types()) {
    out.content_types.push_back(absl::AsciiStrToLower(type));
  }
  if (out.content_types.empty()) out.content_types = {"application/json"};
  out.allow_empty_content_type = proto.allow_empty_content_type();
  if (proto.has_allow_content_types_regex()) {
    out.content_type_regex =
        config::Regexes().compile(proto.allow_content_types_regex(), at.child("allow_content_types_regex"));
  }
  return out;
}

Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  Settings out;
  if (!proto.has_request_rules() && !proto.has_response_rules()) {
    context.at.error("has no rules; give it request_rules or response_rules");
  }
  if (proto.has_request_rules()) {
    out.request =
        compileRules(proto.request_rules(), countersOf("rq", *context.stats), context.at.child("request_rules"));
  }
  if (proto.has_response_rules()) {
    out.response =
        compileRules(proto.response_rules(), countersOf("resp", *context.stats), context.at.child("response_rules"));
  }
  return out;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::json_to_metadata
