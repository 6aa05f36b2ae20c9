#include "source/config/hash_policies.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "source/config/cookies.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::route::v3::RouteAction::HashPolicy;
using Kind = route::HashTerm::Kind;

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

void compileCookieTerm(const Proto::Cookie& proto, const Context& context, route::HashTerm& out) {
  out.kind = Kind::kCookie;
  out.name = proto.name();
  out.makes_cookie = proto.has_ttl();
  if (out.makes_cookie) {
    out.cookie_attributes = http::cookieAttributes(compileCookie(proto, context));
  } else {
    checkCookieName(proto.name(), context.child("name"));
  }
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
      compileCookieTerm(proto.cookie(), context.child("cookie"), out);
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
