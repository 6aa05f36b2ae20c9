#include "source/config/hash_policies.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/http/rules.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::route::v3::RouteAction::HashPolicy;
using Kind = route::HashTerm::Kind;

// A part of a set-cookie header.
void checkCookieText(std::string_view text, const Context& context) {
  if (text.find(';') == std::string_view::npos && http::validValue(text)) return;
  context.error("may not hold ';' or control bytes: it becomes a part of a set-cookie header");
}

void compileHeader(const Proto::Header& proto, const Context& context, Regexes& regexes, route::HashTerm& out) {
  const std::string name = absl::AsciiStrToLower(proto.header_name());
  checkMatchedHeader(name, context.child("header_name"));
  out.kind = Kind::kHeader;
  out.name = match::storedName(name);
  out.id = http::nameOf(out.name);
  if (!proto.has_regex_rewrite()) return;
  auto rewrite = regexes.rewrite(proto.regex_rewrite(), context.child("regex_rewrite"));
  if (!rewrite) return;
  out.pattern = std::move(rewrite->pattern);
  out.substitution = std::move(rewrite->substitution);
}

void compileCookie(const Proto::Cookie& proto, const Context& context, route::HashTerm& out) {
  out.kind = Kind::kCookie;
  out.name = proto.name();
  if (!isToken(out.name)) context.child("name").error("is no cookie's name: it has to be a token");
  out.makes_cookie = proto.has_ttl();
  if (!out.makes_cookie) return;
  if (proto.ttl().seconds() < 0 || proto.ttl().nanos() < 0) context.child("ttl").error("may not be negative");
  if (proto.ttl().seconds() > 0) absl::StrAppend(&out.cookie_attributes, "; Max-Age=", proto.ttl().seconds());
  checkCookieText(proto.path(), context.child("path"));
  if (!proto.path().empty()) absl::StrAppend(&out.cookie_attributes, "; Path=", proto.path());
  for (int i = 0; i < proto.attributes_size(); ++i) {
    const auto& attribute = proto.attributes(i);
    const Context at = context.child("attributes", static_cast<size_t>(i));
    checkCookieText(attribute.name(), at.child("name"));
    checkCookieText(attribute.value(), at.child("value"));
    absl::StrAppend(&out.cookie_attributes, "; ", attribute.name());
    if (!attribute.value().empty()) absl::StrAppend(&out.cookie_attributes, "=", attribute.value());
  }
  out.cookie_attributes += "; HttpOnly";
}

// nullopt: it says nothing.
std::optional<route::HashTerm> compileTerm(const Proto& proto, const Context& context, Regexes& regexes) {
  route::HashTerm out;
  out.terminal = proto.terminal();
  switch (proto.policy_specifier_case()) {
    case Proto::kHeader:
      compileHeader(proto.header(), context.child("header"), regexes, out);
      return out;
    case Proto::kCookie:
      compileCookie(proto.cookie(), context.child("cookie"), out);
      return out;
    case Proto::kConnectionProperties:
      out.kind = Kind::kSourceIp;
      if (proto.connection_properties().source_ip()) return out;
      context.child("connection_properties").warn("does nothing without source_ip: true; set that, or remove it");
      return std::nullopt;
    case Proto::kQueryParameter:
      out.kind = Kind::kQueryParameter;
      out.name = proto.query_parameter().name();
      return out;
    case Proto::kFilterState:
      out.kind = Kind::kFilterState;
      out.name = proto.filter_state().key();
      return out;
    case Proto::POLICY_SPECIFIER_NOT_SET:
      context.error("says nothing; set one of header, cookie, connection_properties, query_parameter or filter_state");
  }
  return std::nullopt;
}

}  // namespace

route::HashPolicy compileHashPolicy(const google::protobuf::RepeatedPtrField<Proto>& protos, const Context& context,
                                    Regexes& regexes) {
  route::HashPolicy out;
  for (int i = 0; i < protos.size(); ++i) {
    auto term = compileTerm(protos.Get(i), context.child("hash_policy", static_cast<size_t>(i)), regexes);
    if (term) out.push_back(std::move(*term));
  }
  return out;
}

}  // namespace sluice::config
