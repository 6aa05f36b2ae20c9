#include "source/config/grpc_service.h"
#include "source/config/values.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sluice::config {

std::optional<filter::GrpcTarget> compileGrpcService(const envoy::config::core::v3::GrpcService& service,
                                                     const FactoryContext& context) {
  const Services& services = context.services;
  const ErrorMark mark(context.at);
  const auto& envoy = service.envoy_grpc();
  const Context at = context.at.child("envoy_grpc");
  filter::GrpcTarget target{.cluster = envoy.cluster_name(), .authority = envoy.authority()};
  if (target.cluster.empty()) {
    at.child("cluster_name").error("names no cluster");
  } else if (services.cluster_exists && !services.cluster_exists(target.cluster)) {
    at.child("cluster_name")
        .error(absl::StrCat("no cluster is called '", target.cluster, "'; define it or correct the name"));
  }
  services.cluster_names.idOf(target.cluster);  // it stays while the filter does
  checkHostText(target.authority, at.child("authority"));
  if (service.has_timeout()) target.timeout = compileMilliseconds(service.timeout());
  for (int i = 0; i < service.initial_metadata_size(); ++i) {
    const auto& header = service.initial_metadata(i);
    const Context header_at = context.at.child("initial_metadata", static_cast<size_t>(i));
    const std::string name = absl::AsciiStrToLower(header.key());
    if (name.empty() || name[0] == ':' || absl::StartsWith(name, "grpc-") || filter::isFraming(name)) {
      header_at.child("key").error(absl::StrCat("\"", header.key(), "\" is reserved; choose another name"));
    } else if (!header.raw_value().empty()) {
      header_at.child("raw_value").error("is not supported here; use value");
    } else {
      target.metadata.emplace_back(name, header.value());
    }
  }
  if (mark.hit()) return std::nullopt;
  return target;
}

filter::MutationRules compileMutationRules(const envoy::config::common::mutation_rules::v3::HeaderMutationRules& rules,
                                           const Context& context) {
  Regexes regexes;
  filter::MutationRules out{.allow_all_routing = rules.allow_all_routing().value(),
                            .allow_envoy = rules.allow_envoy().value(),
                            .disallow_system = rules.disallow_system().value(),
                            .disallow_all = rules.disallow_all().value(),
                            .disallow_is_error = rules.disallow_is_error().value()};
  if (rules.has_allow_expression()) {
    out.allow = regexes.compile(rules.allow_expression(), context.child("allow_expression"));
  }
  if (rules.has_disallow_expression()) {
    out.disallow = regexes.compile(rules.disallow_expression(), context.child("disallow_expression"));
  }
  return out;
}

filter::NameMatcher compileNameMatcher(const envoy::type::matcher::v3::ListStringMatcher& list, const Context& context,
                                       Regexes& regexes) {
  filter::NameMatcher out;
  for (int i = 0; i < list.patterns_size(); ++i) {
    match::StringMatcher pattern =
        regexes.stringMatcher(list.patterns(i), context.child("patterns", static_cast<size_t>(i)));
    // Names of headers are in lower case here.
    if (pattern.kind != match::StringMatcher::Kind::kRegex) pattern.ignore_case = true;
    out.patterns.push_back(std::move(pattern));
  }
  return out;
}

}  // namespace sluice::config
