#include "source/extensions/filters/http/cache/key.h"

#include <algorithm>
#include <utility>

#include "source/base/text.h"
#include "source/route/rewrite.h"
#include "source/stream/metadata_criteria.h"

namespace sluice::extensions::http_filters::cache {
namespace {

// Fields that applications build addresses of and choose answers by without saying so in `vary`: whoever sends one gets
// answers of his own, and cannot leave them to others.
constexpr std::string_view kFields[] = {
    "forwarded",
    "front-end-https",
    "origin",
    "x-forwarded-host",
    "x-forwarded-path",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-host",
    "x-http-host-override",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-proxy-host",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
};

bool isKeyed(std::string_view lower) {
  return std::find(std::begin(kFields), std::end(kFields), lower) != std::end(kFields);
}

bool takesAny(const std::vector<match::QueryMatcher>& matchers, std::string_view parameter) {
  return std::any_of(matchers.begin(), matchers.end(),
                     [parameter](const match::QueryMatcher& each) { return each.matches(parameter); });
}

constexpr size_t kOtherBytes = 64;  // fingerprints, scheme and separators: what most keys have besides

// A part of the key, which no byte of a request can end.
void append(std::string& key, std::string_view part) {
  key += part;
  key += '\n';
}

}  // namespace

// A name that upstreams may read as another one (encoded, or with what some replace), and what some take for two
// parameters, is always in the key.
bool KeyRules::keeps(std::string_view parameter) const {
  const std::string_view name = parameter.substr(0, parameter.find('='));
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (!is_plain || parameter.find(';') != std::string_view::npos) return true;
  return (included.empty() || takesAny(included, parameter)) && !takesAny(excluded, parameter);
}

void KeyRules::appendQuery(std::string_view query, std::string& out) const {
  char separator = '?';
  for (;;) {
    const size_t end = query.find('&');
    const std::string_view parameter = query.substr(0, end);
    if (keeps(parameter)) {
      out += std::exchange(separator, '&');
      out += parameter;
    }
    if (end == std::string_view::npos) return;
    query.remove_prefix(end + 1);
  }
}

bool KeyRules::has(std::string_view lower) const {
  if (lower == "host") return !exclude_host;
  if (lower == "x-forwarded-proto") return !exclude_scheme;
  return isKeyed(lower);
}

cache::Addressing KeyRules::addressing() const {
  cache::Addressing out{.host = !exclude_host};
  if (included.empty() && excluded.empty()) return out;
  out.query = [rules = *this](std::string_view query) {
    std::string counted;
    rules.appendQuery(query, counted);
    return counted;
  };
  return out;
}

std::string KeyRules::keyOf(const http::RequestHeaders& request, const Way& way) const {
  const route::Route& route = *way.route.route;
  const route::WeightedCluster* share = way.route.choice;
  std::string key;
  key.reserve(way.cluster.size() + route.name.size() + request.authority.size() + request.path.size() + kOtherBytes);
  append(key, way.cluster);
  append(key, route.name);
  base::strAppend(key, route.fingerprint, ".", share == nullptr ? 0 : share->fingerprint, "\n");
  const std::string_view path = request.pathOnly(), rewritten = route::rewrittenPath(way.route, request);
  append(key, rewritten == path ? "" : rewritten);
  if (way.balancing != nullptr) {
    const stream::MetadataCriteria wanted(*way.balancing);
    for (const stream::MetadataCriterion& each : wanted.criteria()) {
      append(key, base::strCat(each.key, "=", each.value));
    }
  }
  append(key, exclude_scheme ? "" : request.scheme);
  append(key, exclude_host ? "" : request.authority);
  const size_t mark = included.empty() && excluded.empty() ? std::string_view::npos : request.path.find('?');
  key += request.path.substr(0, mark);
  if (mark != std::string_view::npos) appendQuery(request.path.substr(mark + 1), key);
  key += '\n';
  for (const http::Field& field : request) {
    const bool is_scheme = field.name == "x-forwarded-proto";
    if (is_scheme ? exclude_scheme : !isKeyed(field.name)) continue;
    append(key, field.name);
    append(key, field.value);
  }
  return key;
}

bool dependsOnMore(const route::Match& route) {
  const route::Forward* forward = route.route->forward;
  return forward == nullptr || forward->path_format != nullptr || forward->host_source != nullptr;
}

}  // namespace sluice::extensions::http_filters::cache
