#include "source/filter/rbac/rules.h"

#include <algorithm>

#include "source/stream/attributes.h"

namespace sluice::filter::rbac {
namespace {

using Certificate = net::TlsInfo::Certificate;

bool some(const std::vector<Rule>& rules, const Subject& subject) {
  return std::any_of(rules.begin(), rules.end(), [&subject](const Rule& rule) { return rule.matches(subject); });
}

bool someMatch(const match::StringMatcher& text, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&text](const std::string& name) { return text.matches(name); });
}

bool matchesPrincipal(const match::StringMatcher& text, const Certificate& peer) {
  return someMatch(text, peer.uri_sans) || someMatch(text, peer.dns_sans) || text.matches(peer.subject);
}

bool matchesName(const AlternativeName& name, const Certificate& peer) {
  if (name.oid.empty()) return someMatch(name.text, peer.*name.type);
  for (size_t i = 0; i < peer.other_sans.size(); ++i) {
    if (peer.other_san_oids[i] == name.oid && name.text.matches(peer.other_sans[i])) return true;
  }
  return false;
}

// Null: there is none, or one that nobody has verified, whose names say nothing.
const Certificate* verified(const Subject& subject) {
  const net::TlsInfo* const tls = subject.client();
  return tls != nullptr && tls->peer_validated ? &tls->peer : nullptr;
}

bool holds(const net::Cidr* range, const net::Address* address) {
  return range != nullptr && address != nullptr && range->contains(*address);
}

bool holds(const Ports* ports, const net::Address* address) {
  return ports != nullptr && address != nullptr && address->isIp() && address->port() >= ports->first &&
         address->port() <= ports->last;
}

// Of a request it is read only here: the rule is deprecated and seldom.
bool holdsOfSource(const net::Cidr& range, const match::Data& data) {
  if (data.info == nullptr) return holds(&range, data.remote);
  const stream::DownstreamFacts* const facts = data.info->downstream;
  const std::string_view text = facts != nullptr ? facts->remote_address : data.info->downstream_direct_remote_address;
  if (text.empty()) return false;
  const absl::StatusOr<net::Address> address = net::Address::parse(text);
  return address.ok() && range.contains(*address);
}

// Empty: it is not known.
std::string_view upstreamOf(const Subject& subject) {
  if (!subject.upstream.empty()) return subject.upstream;
  const stream::StreamInfo* const info = subject.data.info;
  if (info == nullptr || !info->filter_state) return {};
  const auto* const kept = info->filter_state->get<stream::FilterState::Object>(kUpstreamAddress);
  return kept == nullptr ? std::string_view() : kept->text();
}

bool holdsOfUpstream(const UpstreamAddress& wanted, std::string_view text) {
  if (text.empty()) return false;
  const absl::StatusOr<net::Address> address = net::Address::parse(text);
  if (!address.ok()) return false;
  return (!wanted.range || holds(&*wanted.range, &*address)) && (!wanted.ports || holds(&*wanted.ports, &*address));
}

bool matchesRoute(const match::MetadataMatcher& matcher, const stream::StreamInfo* info) {
  return matcher.matchesFields(info == nullptr ? nullptr : info->route_metadata);
}

bool matchesStream(const match::MetadataMatcher& matcher, const stream::StreamInfo* info) {
  return matcher.matches(info == nullptr ? nullptr : info->dynamic_metadata.get());
}

Verdict judgeCondition(const match::cel::Program& condition, const match::Data& data) {
  if (data.info == nullptr) return Verdict::kUnknown;
  const stream::FormatContext context{.request = data.request, .info = *data.info};
  const stream::Attributes attributes(context);
  constexpr match::cel::Limits kLimits;
  match::cel::Memory memory(kLimits.bytes, kLimits.steps);
  const match::cel::Value value = condition.evaluate(attributes, memory);
  if (value.kind() != match::cel::Value::Kind::kBool) return Verdict::kUnknown;
  return value.isTrue() ? Verdict::kYes : Verdict::kNo;
}

}  // namespace

const net::TlsInfo* Subject::client() const {
  return data.info != nullptr ? data.info->downstreamTls() : tls;
}

bool Rule::matches(const Subject& subject) const {
  const match::Data& data = subject.data;
  const auto* const text = std::get_if<match::StringMatcher>(&what);
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
      return holds(std::get_if<net::Cidr>(&what), data.remote);
    case Kind::kDirectRemote:
      return holds(std::get_if<net::Cidr>(&what), data.direct_remote);
    case Kind::kSource:
      return holdsOfSource(*std::get_if<net::Cidr>(&what), data);
    case Kind::kLocal:
      return holds(std::get_if<net::Cidr>(&what), data.local);
    case Kind::kLocalPort:
      return holds(std::get_if<Ports>(&what), data.local);
    case Kind::kServerName:
      return text->matches(data.server_name);
    case Kind::kPath:
      return text->matches(subject.path);
    case Kind::kHeader:
      return data.request != nullptr && std::get_if<match::HeaderMatcher>(&what)->matches(*data.request);
    case Kind::kMetadata:
      return matchesStream(*std::get_if<match::MetadataMatcher>(&what), data.info);
    case Kind::kRouteMetadata:
      return matchesRoute(*std::get_if<match::MetadataMatcher>(&what), data.info);
    case Kind::kFilterState:
      return data.info != nullptr &&
             std::get_if<match::FilterStateMatcher>(&what)->matches(data.info->filter_state.get());
    case Kind::kAuthenticated:
      return verified(subject) != nullptr;
    case Kind::kPrincipal: {
      const Certificate* const peer = verified(subject);
      return peer != nullptr && matchesPrincipal(*text, *peer);
    }
    case Kind::kName: {
      const auto* const name = std::get_if<AlternativeName>(&what);
      const Certificate* const peer = verified(subject);
      return peer != nullptr && matchesName(*name, *peer);
    }
    case Kind::kUpstream:
      return holdsOfUpstream(*std::get_if<UpstreamAddress>(&what), upstreamOf(subject));
  }
  return false;
}

Verdict Policy::judge(const Subject& subject) const {
  if (!some(permissions, subject) || !some(principals, subject)) return Verdict::kNo;
  return condition == nullptr ? Verdict::kYes : judgeCondition(*condition, subject.data);
}

size_t Rules::find(const Subject& subject) const {
  const auto found = std::find_if(policies.begin(), policies.end(),
                                  [&subject](const Policy& policy) { return policy.matches(subject); });
  return static_cast<size_t>(found - policies.begin());
}

}  // namespace sluice::filter::rbac
