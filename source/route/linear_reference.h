// The definition of route matching, as plain as it can be: every virtual host and every route is asked in turn. Shares
// no code with the table but for StringMatcher and what reads metadata, which have tests of their own. For differential
// tests and the fuzz target.
#pragma once

#include <cctype>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/match/template_reference.h"
#include "source/route/spec.h"
#include "source/stream/stream_info.h"

namespace sluice::route {

class LinearReference {
 public:
  struct Result {
    int virtual_host = -1;
    int route = -1;
    // What else matched in that virtual host, in order.
    std::vector<int> all;
  };

  explicit LinearReference(const TableSpec& spec) : spec_(spec) {
    // Routes that were made of a template bear it as their name (random_tables.h).
    for (const VirtualHostSpec& host : spec.virtual_hosts) {
      for (const RouteSpec& route : host.routes) {
        if (route.name.starts_with('/')) templates_.try_emplace(route.name, route.name);
      }
    }
  }

  // `info`: null where nothing is known but the head.
  Result match(const http::RequestHeaders& request, uint64_t random = 0,
               const stream::StreamInfo* info = nullptr) const {
    Result out;
    out.virtual_host = hostOf(lower(nameOf(request)));
    if (out.virtual_host < 0 || request.path.empty()) return out;  // CONNECT has no path and no route
    const std::vector<RouteSpec>& routes = spec_.virtual_hosts[static_cast<size_t>(out.virtual_host)].routes;
    for (size_t i = 0; i < routes.size(); ++i) {
      if (matches(routes[i], request) && streamMatches(routes[i], random, info)) out.all.push_back(static_cast<int>(i));
    }
    if (!out.all.empty()) out.route = out.all.front();
    return out;
  }

 private:
  static std::string lower(std::string_view text) {
    std::string out;
    for (const char c : text) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
  }

  // 3 exact, 2 suffix, 1 prefix, 0 any, -1 no match; among wildcards the longer text wins.
  static int rank(const std::string& domain, const std::string& host) {
    if (domain == "*") return 0;
    const std::string star_less = domain.substr(domain[0] == '*' ? 1 : 0);
    if (domain[0] == '*') {
      return host.size() > star_less.size() && std::string_view(host).ends_with(star_less) ? 2 : -1;
    }
    if (domain.back() == '*') {
      const std::string begin = domain.substr(0, domain.size() - 1);
      return host.size() > begin.size() && std::string_view(host).starts_with(begin) ? 1 : -1;
    }
    return domain == host ? 3 : -1;
  }

  int hostOf(const std::string& host) const {
    int best = -1, best_rank = -1;
    size_t best_size = 0;
    for (size_t i = 0; i < spec_.virtual_hosts.size(); ++i) {
      for (const std::string& mixed_case : spec_.virtual_hosts[i].domains) {
        const std::string domain = lower(mixed_case);
        const int now = rank(domain, host);
        if (now < 0 || now < best_rank || (now == best_rank && domain.size() <= best_size)) continue;
        best = static_cast<int>(i);
        best_rank = now;
        best_size = domain.size();
      }
    }
    return best;
  }

  // By which the virtual host is found.
  std::string nameOf(const http::RequestHeaders& request) const {
    if (spec_.vhost_header.empty()) return std::string(request.authority);
    for (const http::Field& field : request) {
      if (field.name == spec_.vhost_header) return std::string(field.value);
    }
    return "";
  }

  // Each segment up to its first semicolon.
  static std::string stripped(const std::string& path) {
    std::string out;
    bool in_parameters = false;
    for (const char c : path) {
      in_parameters = c != '/' && (in_parameters || c == ';');
      if (!in_parameters) out += c;
    }
    return out;
  }

  bool matches(const RouteSpec& route, const http::RequestHeaders& request) const {
    const std::string target(request.path);
    const size_t mark = target.find('?');
    const std::string as_sent = target.substr(0, mark);
    const std::string path = spec_.ignore_path_parameters ? stripped(as_sent) : as_sent;
    const std::string query = mark == std::string::npos ? "" : target.substr(mark + 1);
    if (!pathMatches(route, path)) return false;
    if (route.conditions.grpc && !isGrpc(request)) return false;
    for (const CookieMatcher& cookie : route.conditions.cookies) {
      const std::optional<std::string> value = cookieOf(request, cookie.name);
      if ((value && cookie.string.matches(*value)) == cookie.invert) return false;
    }
    for (const HeaderMatcher& header : route.conditions.headers) {
      if (!headerMatches(header, request)) return false;
    }
    for (const QueryMatcher& parameter : route.conditions.query) {
      if (!parameterMatches(parameter, query)) return false;
    }
    return true;
  }

  static bool isGrpc(const http::RequestHeaders& request) {
    std::string type;
    for (const http::Field& field : request) {
      if (field.name == "content-type" && type.empty()) type = lower(field.value);
    }
    return type == "application/grpc" || type.rfind("application/grpc+", 0) == 0;
  }

  // The first cookie of that name.
  static std::optional<std::string> cookieOf(const http::RequestHeaders& request, const std::string& name) {
    std::string all;
    for (const http::Field& field : request) {
      if (field.name == "cookie") all += std::string(field.value) + ";";
    }
    for (; !all.empty(); all = all.substr(all.find(';') + 1)) {
      std::string cookie = all.substr(0, all.find(';'));
      while (!cookie.empty() && (cookie.front() == ' ' || cookie.front() == '\t')) cookie = cookie.substr(1);
      while (!cookie.empty() && (cookie.back() == ' ' || cookie.back() == '\t')) cookie.pop_back();
      if (cookie.rfind(name + "=", 0) != 0) continue;
      std::string value = cookie.substr(name.size() + 1);
      if (value.size() > 1 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      return value;
    }
    return std::nullopt;
  }

  static bool streamMatches(const RouteSpec& route, uint64_t random, const stream::StreamInfo* info) {
    if (route.conditions.stream == nullptr) return true;
    const StreamConditions& wanted = *route.conditions.stream;
    // Of the upper half of the number; see matchers.cc.
    if (wanted.fraction && (random >> 32) % wanted.fraction->denominator >= wanted.fraction->numerator) return false;
    const net::TlsInfo* const tls = info == nullptr ? nullptr : info->downstreamTls();
    const bool presented = tls != nullptr && tls->peer_presented;
    const bool validated = tls != nullptr && tls->peer_validated;
    if (wanted.certificate_presented.value_or(presented) != presented) return false;
    if (wanted.certificate_validated.value_or(validated) != validated) return false;
    for (const MetadataMatcher& each : wanted.metadata) {
      if (!each.matches(info == nullptr ? nullptr : info->dynamic_metadata.get())) return false;
    }
    for (const FilterStateMatcher& each : wanted.filter_state) {
      if (!each.matches(info == nullptr ? nullptr : info->filter_state.get())) return false;
    }
    return true;
  }

  bool pathMatches(const RouteSpec& route, const std::string& as_sent) const {
    if (const auto known = templates_.find(route.name); known != templates_.end())
      return known->second.matches(as_sent);
    const std::string path = route.case_sensitive ? as_sent : lower(as_sent);
    const std::string text = route.case_sensitive ? route.path : lower(route.path);
    switch (route.path_kind) {
      case PathKind::kPrefix:
        return path.rfind(text, 0) == 0;
      case PathKind::kExact:
        return path == text;
      case PathKind::kSeparatedPrefix:
        return path == text || path.rfind(text + "/", 0) == 0;
      case PathKind::kRegex:
        return re2::RE2::FullMatch(as_sent, *route.regex);
      case PathKind::kConnect:
        return false;
    }
    return false;
  }

  static bool headerMatches(const HeaderMatcher& matcher, const http::RequestHeaders& request) {
    std::vector<std::string> values;
    if (matcher.name == ":method") values.emplace_back(request.method);
    for (const http::Field& field : request) {
      if (field.name != matcher.name) continue;
      if (matcher.name == "cookie" && !values.empty()) {
        values[0] += "; " + std::string(field.value);
      } else {
        values.emplace_back(field.value);
      }
    }
    if (values.empty() && matcher.treat_missing_header_as_empty) values.emplace_back();
    if (matcher.kind == HeaderMatcher::Kind::kPresent) return (!values.empty() == matcher.present) != matcher.invert;
    if (values.empty()) return false;
    bool any = false;
    for (const std::string& value : values) any = any || valueMatches(matcher, value);
    return any != matcher.invert;
  }

  static bool valueMatches(const HeaderMatcher& matcher, const std::string& value) {
    if (matcher.kind == HeaderMatcher::Kind::kString) return matcher.string.matches(value);
    char* end = nullptr;
    const long long number = std::strtoll(value.c_str(), &end, 10);
    const bool is_number = !value.empty() && *end == '\0';
    return is_number && number >= matcher.range_start && number < matcher.range_end;
  }

  static bool parameterMatches(const QueryMatcher& matcher, std::string query) {
    bool found = false;
    std::string value;
    for (query += '&'; !found && !query.empty(); query = query.substr(query.find('&') + 1)) {
      const std::string pair = query.substr(0, query.find('&'));
      found = !pair.empty() && pair.substr(0, pair.find('=')) == matcher.name;
      value = pair.find('=') == std::string::npos ? "" : pair.substr(pair.find('=') + 1);
    }
    if (matcher.kind == QueryMatcher::Kind::kPresent) return found == matcher.present;
    return found && matcher.string.matches(value);
  }

  const TableSpec& spec_;
  std::map<std::string, match::TemplateReference> templates_;
};

}  // namespace sluice::route
