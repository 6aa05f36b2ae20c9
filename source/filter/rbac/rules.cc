#include "source/filter/rbac/rules.h"

#include <algorithm>

namespace sluice::filter::rbac {
namespace {

bool matchesPeer(const match::StringMatcher& text, const net::TlsInfo* tls) {
  if (tls == nullptr || !tls->peer_validated) return false;  // names that nobody has verified say nothing
  const auto matches = [&text](const std::string& name) { return text.matches(name); };
  const net::TlsInfo::Certificate& peer = tls->peer;
  return std::any_of(peer.uri_sans.begin(), peer.uri_sans.end(), matches) ||
         std::any_of(peer.dns_sans.begin(), peer.dns_sans.end(), matches) || matches(peer.subject);
}

bool some(const std::vector<Rule>& rules, const Subject& subject) {
  return std::any_of(rules.begin(), rules.end(), [&subject](const Rule& rule) { return rule.matches(subject); });
}

}  // namespace

bool Rule::matches(const Subject& subject) const {
  switch (kind) {
    case Kind::kAny:
      return true;
    case Kind::kAll:
      return std::all_of(rules.begin(), rules.end(), [&subject](const Rule& rule) { return rule.matches(subject); });
    case Kind::kSome:
      return some(rules, subject);
    case Kind::kNot:
      return !rules[0].matches(subject);
    case Kind::kRemote:
      return range[0].contains(subject.remote);
    case Kind::kDirectRemote:
      return range[0].contains(subject.direct_remote);
    case Kind::kLocal:
      return range[0].contains(subject.local);
    case Kind::kLocalPort:
      return subject.local.isIp() && subject.local.port() >= first_port && subject.local.port() <= last_port;
    case Kind::kServerName:
      return text.matches(subject.server_name);
    case Kind::kAuthenticated:
      return subject.tls != nullptr && subject.tls->peer_validated;
    case Kind::kPrincipal:
      return matchesPeer(text, subject.tls);
  }
  return false;
}

bool Policy::matches(const Subject& subject) const {
  return some(permissions, subject) && some(principals, subject);
}

Rules::Decision Rules::decide(const Subject& subject) const {
  for (const Policy& policy : policies) {
    if (policy.matches(subject)) return {allow, &policy};
  }
  return {!allow, nullptr};
}

}  // namespace sluice::filter::rbac
