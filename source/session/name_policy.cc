#include "source/session/name_policy.h"

#include <algorithm>
#include <string>

#include "source/http/rules.h"

namespace sluice::session {
namespace {

using http::Field;
using http::Name;
using http::StrictRule;

// Said by proxies about the request that they forward. x-forwarded-for and -proto are set anew, and so is
// x-forwarded-client-cert, each by a setting of its own.
bool saidByProxies(const Field& field) {
  if (field.id != Name::kOther) return field.id == Name::kForwarded || field.id == Name::kXForwardedHost;
  return field.name[0] == 'x' && (field.name.starts_with("x-forwarded") || field.name == "x-real-ip");
}

bool underscored(const Field& field) {
  return field.id == Name::kOther && field.name.find('_') != std::string_view::npos;
}

// Servers that make variables of names see "x_user" and "x-user" as one (RFC 3875 section 4.1.18).
bool standsForAnother(std::string_view name) {
  std::string other(name);
  std::replace(other.begin(), other.end(), '_', '-');
  return http::nameOf(other) != Name::kOther || http::saysWhoAsks(other) ||
         !http::allowedInTrailers(Field{other, {}, Name::kOther});
}

}  // namespace

std::optional<filter::Reply> applyNamePolicy(const HttpSettings& settings, http::RequestHeaders& headers) {
  if (settings.strip_forwarded && settings.use_remote_address && settings.xff_num_trusted_hops == 0) {
    headers.removeIf(saidByProxies);
  }
  if (settings.underscores == Underscores::kAllow) return std::nullopt;
  const bool report = settings.codec_limits.report_only.has(StrictRule::kUnderscoreNames);
  const size_t dropped = headers.removeIf([&](const Field& field) {
    if (!underscored(field)) return false;
    if (!report || standsForAnother(field.name)) return true;
    http::noteLetThrough(headers, StrictRule::kUnderscoreNames, field.name);
    return false;
  });
  if (dropped == 0 || settings.underscores != Underscores::kReject) return std::nullopt;
  return filter::Reply{400, "", "unexpected_underscore"};
}

void applyNamePolicy(const HttpSettings& settings, http::Trailers& trailers) {
  if (settings.underscores != Underscores::kAllow) trailers.removeIf(underscored);
}

}  // namespace sluice::session
