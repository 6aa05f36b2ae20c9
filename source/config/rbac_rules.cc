#include "source/config/rbac_rules.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/rbac/matchers/upstream_ip_port/v3/upstream_ip_port_matcher.pb.h"
#include "envoy/extensions/rbac/principals/mtls_authenticated/v3/mtls_authenticated.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/path_template_compiler.h"
#include "source/config/rate_limits.h"
#include "source/config/tls_compiler.h"
#include "source/config/value_matchers.h"
#include "source/config/values.h"
#include "source/match/path_template.h"

namespace sluice::config {
namespace {

using envoy::config::rbac::v3::Permission;
using envoy::config::rbac::v3::Principal;
using envoy::config::rbac::v3::SourcedMetadata;
using envoy::extensions::transport_sockets::tls::v3::SubjectAltNameMatcher;
using filter::rbac::Rule;
using Upstream = envoy::extensions::rbac::matchers::upstream_ip_port::v3::UpstreamIpPortMatcher;
using Mtls = envoy::extensions::rbac::principals::mtls_authenticated::v3::Config;
namespace matcher_v3 = envoy::type::matcher::v3;

template <typename What>
Rule ruleOf(Rule::Kind kind, What what) {
  Rule rule;
  rule.kind = kind;
  rule.what = std::move(what);
  return rule;
}

template <typename Range>
bool isPortRange(const Range& range) {
  return range.start() >= 0 && range.end() <= 65536 && range.start() < range.end();
}

Rule notPorts(const Context& context) {
  context.error("is no range of ports; `start` is the first port and `end` the first behind the last one");
  return {};
}

std::string_view nameOf(uint8_t parts) {
  if ((parts & match::kStream) != 0) return "what is known of a request";
  if ((parts & match::kRequest) != 0) return "the head of a request";
  return "the addresses of a connection";
}

}  // namespace

Rule RbacRules::compile(const Permission& proto, const Context& context) {
  switch (proto.rule_case()) {
    case Permission::kAndRules:
      return set(Rule::Kind::kAll, proto.and_rules().rules(), context.child("and_rules"));
    case Permission::kOrRules:
      return set(Rule::Kind::kSome, proto.or_rules().rules(), context.child("or_rules"));
    case Permission::kNotRule:
      return negated(proto.not_rule(), context.child("not_rule"));
    case Permission::kAny:
      (void)proto.any();
      return {};
    case Permission::kHeader:
      return header(proto.header(), context.child("header"));
    case Permission::kDestinationIp:
      return range(Rule::Kind::kLocal, match::kAddresses, proto.destination_ip(), context.child("destination_ip"));
    case Permission::kDestinationPort:
      return ports(proto.destination_port(), proto.destination_port(), context.child("destination_port"));
    case Permission::kDestinationPortRange:
      return portRange(proto.destination_port_range(), context.child("destination_port_range"));
    case Permission::kMetadata:
      return metadata(Rule::Kind::kMetadata, proto.metadata(), context.child("metadata"));
    case Permission::kSourcedMetadata:
      return sourced(proto.sourced_metadata(), context.child("sourced_metadata"));
    case Permission::kRequestedServerName:
      need(match::kPeer, context.child("requested_server_name"));
      return text(Rule::Kind::kServerName, proto.requested_server_name(), context.child("requested_server_name"));
    case Permission::kUrlPath:
      return path(proto.url_path(), context.child("url_path"));
    case Permission::kMatcher:
      return upstream(proto.matcher(), context.child("matcher").child("typed_config"));
    case Permission::kUriTemplate:
      return pathTemplate(proto.uri_template(), context.child("uri_template").child("typed_config"));
    case Permission::RULE_NOT_SET:
      break;
  }
  context.error("has no rule; say what is permitted, such as `any: true`");
  return {};
}

Rule RbacRules::compile(const Principal& proto, const Context& context) {
  switch (proto.identifier_case()) {
    case Principal::kAndIds:
      return set(Rule::Kind::kAll, proto.and_ids().ids(), context.child("and_ids"));
    case Principal::kOrIds:
      return set(Rule::Kind::kSome, proto.or_ids().ids(), context.child("or_ids"));
    case Principal::kNotId:
      return negated(proto.not_id(), context.child("not_id"));
    case Principal::kAny:
      (void)proto.any();
      return {};
    case Principal::kAuthenticated:
      return authenticated(proto.authenticated(), context.child("authenticated"));
    case Principal::kSourceIp:
      return range(Rule::Kind::kSource, match::kAddresses, proto.source_ip(), context.child("source_ip"));
    case Principal::kRemoteIp:
      return range(Rule::Kind::kRemote, match::kAddresses, proto.remote_ip(), context.child("remote_ip"));
    case Principal::kDirectRemoteIp:
      return range(Rule::Kind::kDirectRemote, match::kPeer, proto.direct_remote_ip(),
                   context.child("direct_remote_ip"));
    case Principal::kHeader:
      return header(proto.header(), context.child("header"));
    case Principal::kUrlPath:
      return path(proto.url_path(), context.child("url_path"));
    case Principal::kMetadata:
      return metadata(Rule::Kind::kMetadata, proto.metadata(), context.child("metadata"));
    case Principal::kSourcedMetadata:
      return sourced(proto.sourced_metadata(), context.child("sourced_metadata"));
    case Principal::kFilterState:
      return filterState(proto.filter_state(), context.child("filter_state"));
    case Principal::kCustom:
      return custom(proto.custom(), context.child("custom").child("typed_config"));
    case Principal::IDENTIFIER_NOT_SET:
      break;
  }
  context.error("has no identifier; say who is meant, such as `any: true`");
  return {};
}

void RbacRules::need(uint8_t parts, const Context& context) {
  needs_ |= parts;
  const auto missing = static_cast<uint8_t>(parts & ~place_.parts);
  if (missing == 0) return;
  context.error(base::strCat("looks at ", nameOf(missing), ", which ", place_.name, " does not have"));
}

// --- of rules --------------------------------------------------------------------------------------------------------

template <typename List>
Rule RbacRules::set(Rule::Kind kind, const List& list, const Context& context) {
  const std::string_view field = context.path().ends_with("_ids") ? "ids" : "rules";
  Rule rule;
  rule.kind = kind;
  for (int i = 0; i < list.size(); ++i) {
    rule.rules.push_back(compile(list.Get(i), context.child(field, static_cast<size_t>(i))));
  }
  return rule;
}

template <typename Proto>
Rule RbacRules::negated(const Proto& proto, const Context& context) {
  Rule rule;
  rule.kind = Rule::Kind::kNot;
  rule.rules.push_back(compile(proto, context));
  return rule;
}

// --- of the connection -----------------------------------------------------------------------------------------------

Rule RbacRules::range(Rule::Kind kind, uint8_t parts, const envoy::config::core::v3::CidrRange& proto,
                      const Context& context) {
  need(parts, context);
  const std::optional<net::Cidr> cidr = compileCidr(proto, context);
  return cidr ? ruleOf(kind, *cidr) : Rule();
}

Rule RbacRules::ports(uint32_t first, uint32_t last, const Context& context) {
  need(match::kAddresses, context);
  return ruleOf(Rule::Kind::kLocalPort, filter::rbac::Ports{first, last});
}

Rule RbacRules::portRange(const envoy::type::v3::Int32Range& proto, const Context& context) {
  if (!isPortRange(proto)) return notPorts(context);
  return ports(static_cast<uint32_t>(proto.start()), static_cast<uint32_t>(proto.end() - 1), context);
}

Rule RbacRules::upstream(const envoy::config::core::v3::TypedExtensionConfig& proto, const Context& context) {
  need(match::kStream, context);
  const auto config = unpackOnly<Upstream>(proto.typed_config(), context);
  if (config == nullptr) return {};
  filter::rbac::UpstreamAddress out;
  if (config->has_upstream_ip()) out.range = compileCidr(config->upstream_ip(), context.child("upstream_ip"));
  if (config->has_upstream_port_range()) {
    const envoy::type::v3::Int64Range& range = config->upstream_port_range();
    if (!isPortRange(range)) return notPorts(context.child("upstream_port_range"));
    out.ports = filter::rbac::Ports{static_cast<uint32_t>(range.start()), static_cast<uint32_t>(range.end() - 1)};
  }
  if (!config->has_upstream_ip() && !config->has_upstream_port_range()) {
    context.error("needs upstream_ip or upstream_port_range");
  }
  return ruleOf(Rule::Kind::kUpstream, out);
}

Rule RbacRules::text(Rule::Kind kind, const matcher_v3::StringMatcher& proto, const Context& context) {
  return ruleOf(kind, regexes_.stringMatcher(proto, context));
}

Rule RbacRules::authenticated(const Principal::Authenticated& proto, const Context& context) {
  if (proto.has_principal_name()) {
    return text(Rule::Kind::kPrincipal, proto.principal_name(), context.child("principal_name"));
  }
  return ruleOf(Rule::Kind::kAuthenticated, std::monostate());
}

Rule RbacRules::custom(const envoy::config::core::v3::TypedExtensionConfig& proto, const Context& context) {
  using Certificate = net::TlsInfo::Certificate;
  const auto config = unpackOnly<Mtls>(proto.typed_config(), context);
  if (config == nullptr) return {};
  if (config->has_san_matcher() == config->any_validated_client_certificate()) {
    context.error("needs one of san_matcher and any_validated_client_certificate");
  }
  if (!config->has_san_matcher()) return ruleOf(Rule::Kind::kAuthenticated, std::monostate());
  const SubjectAltNameMatcher& matcher = config->san_matcher();
  const Context at = context.child("san_matcher");
  filter::rbac::AlternativeName name;
  name.text = regexes_.stringMatcher(matcher.matcher(), at.child("matcher"));
  switch (matcher.san_type()) {
    case SubjectAltNameMatcher::EMAIL:
      name.type = &Certificate::email_sans;
      break;
    case SubjectAltNameMatcher::DNS:
      name.type = &Certificate::dns_sans;
      break;
    case SubjectAltNameMatcher::URI:
      name.type = &Certificate::uri_sans;
      break;
    case SubjectAltNameMatcher::IP_ADDRESS:
      name.type = &Certificate::ip_sans;
      break;
    case SubjectAltNameMatcher::OTHER_NAME:
      name.type = &Certificate::other_sans;
      break;
    default:
      break;  // refused by the rules of the message
  }
  name.oid = compileSanOid(matcher, at);
  return ruleOf(Rule::Kind::kName, std::move(name));
}

// --- of the request --------------------------------------------------------------------------------------------------

Rule RbacRules::header(const envoy::config::route::v3::HeaderMatcher& proto, const Context& context) {
  need(match::kRequest, context);
  return ruleOf(Rule::Kind::kHeader, compileHeaderMatcher(proto, context, regexes_));
}

Rule RbacRules::path(const matcher_v3::PathMatcher& proto, const Context& context) {
  need(match::kRequest, context);
  return text(Rule::Kind::kPath, proto.path(), context.child("path"));
}

Rule RbacRules::pathTemplate(const envoy::config::core::v3::TypedExtensionConfig& proto, const Context& context) {
  need(match::kRequest, context);
  const auto path = compilePathTemplate(proto.typed_config(), context);
  if (!path) return {};
  absl::StatusOr<match::Regex> regex = match::compileRegex(path->pattern());
  if (!regex.ok()) {
    context.child("path_template").error(base::toStd(regex.status().message()));
    return {};
  }
  match::StringMatcher matcher;
  matcher.kind = match::StringMatcher::Kind::kRegex;
  matcher.text = path->pattern();
  matcher.regex = *std::move(regex);
  return ruleOf(Rule::Kind::kPath, std::move(matcher));
}

Rule RbacRules::metadata(Rule::Kind kind, const matcher_v3::MetadataMatcher& proto, const Context& context) {
  need(match::kStream, context);
  return ruleOf(kind, compileMetadataMatcher(proto, context, regexes_));
}

Rule RbacRules::sourced(const SourcedMetadata& proto, const Context& context) {
  const bool route = proto.metadata_source() == envoy::config::rbac::v3::ROUTE;
  return metadata(route ? Rule::Kind::kRouteMetadata : Rule::Kind::kMetadata, proto.metadata_matcher(),
                  context.child("metadata_matcher"));
}

Rule RbacRules::filterState(const matcher_v3::FilterStateMatcher& proto, const Context& context) {
  need(match::kStream, context);
  return ruleOf(Rule::Kind::kFilterState, compileFilterStateMatcher(proto, context, regexes_));
}

}  // namespace sluice::config
