// Random route tables and requests that collide a lot: few names, nested prefixes, regular expressions over the same
// paths, templates, routes that differ in conditions or case only. A route that was made of a template bears it as its
// name. `Choices` has `uint32_t below(uint32_t n)`: a seeded generator in
// the differential test, input bytes in the fuzz target.
#pragma once

#include <array>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/match/path_template.h"
#include "source/route/spec.h"
#include "source/route/template_match.h"
#include "source/route/test_request.h"

namespace sluice::route {

template <class Choices>
class RandomTables {
 public:
  explicit RandomTables(Choices& choices) : choices_(choices) {}

  TableSpec table(uint32_t most_routes) {
    TableSpec spec;
    spec.ignore_path_parameters = choices_.below(4) == 0;
    if (choices_.below(8) == 0) spec.vhost_header = "x-host";
    const uint32_t hosts = 1 + choices_.below(3);
    std::map<std::string, bool> taken;
    for (uint32_t i = 0; i < hosts; ++i) {
      VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
      host.name = "host" + std::to_string(i);
      for (uint32_t domains = 1 + choices_.below(3); domains > 0; --domains) {
        const std::string domain = i == 0 && domains == 1 ? "*" : pick(kDomains);
        if (taken.emplace(domain, true).second) host.domains.push_back(domain);
      }
      for (uint32_t routes = 1 + choices_.below(most_routes); routes > 0; --routes) host.routes.push_back(route());
    }
    return spec;
  }

  // A request that is likely to match: made from the path of a route.
  TestRequest request(const TableSpec& table) {
    const VirtualHostSpec& host =
        table.virtual_hosts[choices_.below(static_cast<uint32_t>(table.virtual_hosts.size()))];
    std::string path = pick(kPaths);
    if (choices_.below(8) != 0) {
      const RouteSpec& route = host.routes[choices_.below(static_cast<uint32_t>(host.routes.size()))];
      if (route.path_kind != PathKind::kRegex) path = route.path;
      if (route.name.starts_with('/')) path = pathLike(route.name);
    }
    for (uint32_t more = choices_.below(3); more > 0; --more) path += pick(kSegments);
    if (choices_.below(4) == 0) addParameters(path);
    if (choices_.below(4) == 0) flipCase(path);
    if (choices_.below(3) == 0) path += pick(kQueries);
    if (choices_.below(64) == 0) path.append(300, 'x');

    std::vector<std::pair<std::string_view, std::string_view>> fields;
    for (uint32_t more = choices_.below(4); more > 0; --more) fields.emplace_back(pick(kHeaders), pick(kValues));
    if (choices_.below(4) == 0) fields.emplace_back(":method", "POST");
    if (choices_.below(4) == 0) fields.emplace_back("content-type", pick(kContentTypes));
    for (uint32_t more = choices_.below(3); more > 0; --more) fields.emplace_back("cookie", pick(kCookies));
    if (!table.vhost_header.empty() && choices_.below(4) != 0) fields.emplace_back("x-host", pick(kAuthorities));
    TestRequest out(path, pick(kAuthorities), fields);
    if (choices_.below(2) == 0) tell(out);
    return out;
  }

  // What the choice of a route takes as chance: shares of routes look at the upper half.
  uint64_t random() { return (uint64_t{choices_.below(100)} << 32) | choices_.below(100); }

 private:
  static constexpr const char* kPaths[] = {"/",           "/a",      "/a/",           "/a/b",     "/a/b/c",
                                           "/ab",         "/A",      "/api",          "/api/",    "/api/v1",
                                           "/api/v1/",    "/API/V1", "/api/v1/users", "/api/v2",  "/static",
                                           "/static/css", "/x/y/z",  "/users/1",      "/users/22"};
  static constexpr const char* kShortPaths[] = {"/", "/a", "/ap", "/api"};
  static constexpr const char* kSegments[] = {"", "/", "a", "/a", "/b", "/b/c", "/v1", "/users", "/1", "/22/x", ".css"};
  static constexpr const char* kRegexes[] = {
      "/.*",         "/a.*",          "/api/v[0-9]+.*", "/(a|api)/.*", ".*",   ".*/users", "/users/[0-9]+",
      "/a/b",        "(?i)/api.*",    "/api/v1/users",  "/[a-z/]*",    "/a/?", ".*[.]css", "/(api/)?v1.*",
      "/a{1,3}b?.*", "(/a|/b)+(/c)?", "/api/[^/]+/?",   "/.",          "",     "/x+.*",    "^/aa*?\\b.*",
      "/a|/users/1"};
  static constexpr const char* kTemplates[] = {"/",
                                               "/a/b",
                                               "/a/*",
                                               "/*/b",
                                               "/**",
                                               "/a/**",
                                               "/{x}",
                                               "/api/{v}",
                                               "/api/v{n}",
                                               "/api/{v}/*",
                                               "/api/{rest=**}",
                                               "/{x=a/*}",
                                               "/{x=a/b}/{y}",
                                               "/users/{id}",
                                               "/users/{id}/**",
                                               "/**.css",
                                               "/*.css",
                                               "/a/{x=**}.css",
                                               "/{a}-{b}",
                                               "/{a}.{b}/{c}",
                                               "/a/*/",
                                               "/**/b",
                                               "/static/{f}.css",
                                               "/{x=**/b}"};
  static constexpr const char* kParameters[] = {";", ";v=1", ";a;b"};
  static constexpr const char* kContentTypes[] = {"application/grpc", "application/grpc+proto", "Application/GRPC",
                                                  "application/grpc-web", "text/plain"};
  static constexpr const char* kCookies[] = {"a=1", "b=2; a=3", "a=\"1\"; b", "  a=abc ;b=ABC", "aa=1;;a =2", "=;a"};
  static constexpr const char* kHeaders[] = {"x-a", "x-b", "x-c", "user-agent"};
  static constexpr const char* kValues[] = {"1", "1", "1", "2", "2", "3", "10", "abc", "ABC", "", "a\xff"};
  static constexpr const char* kQueries[] = {"?", "?a=1", "?a=2&b=1", "?b", "?a=1&a=2", "?c=3&a=", "?=&&a=abc"};
  static constexpr const char* kDomains[] = {"example.com", "*.example.com", "*example.com",
                                             "a.*",         "a.b.*",         "A.B.com",
                                             "*.b.com",     "*.com",         "a.example.com:80"};
  static constexpr const char* kAuthorities[] = {"example.com",   "EXAMPLE.com",
                                                 "a.example.com", "a.example.com:80",
                                                 "a.b.com",       "x.b.com",
                                                 ".com",          "a.",
                                                 "other",         ""};

  template <size_t kSize>
  const char* pick(const char* const (&from)[kSize]) {
    return from[choices_.below(kSize)];
  }

  void flipCase(std::string& path) {
    for (char& c : path) {
      if (c >= 'a' && c <= 'z' && choices_.below(2) == 0) c = static_cast<char>(c - 'a' + 'A');
    }
  }

  // Puts parameters behind some segments.
  void addParameters(std::string& path) {
    for (size_t at = path.size(); at > 0; --at) {
      if ((at == path.size() || path[at] == '/') && choices_.below(2) == 0) path.insert(at, pick(kParameters));
    }
  }

  // A path that a template is likely to match.
  std::string pathLike(std::string_view text) {
    std::string out;
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '{') {
        const std::string_view variable = text.substr(at + 1, text.find('}', at) - at - 1);
        const size_t equals = variable.find('=');
        out += equals == std::string_view::npos ? "users" : pathLike(variable.substr(equals + 1));
        at = text.find('}', at);
      } else if (text.substr(at, 2) == "**") {
        out += choices_.below(2) == 0 ? "" : "v1/users";
        ++at;
      } else if (text[at] == '*') {
        out += choices_.below(4) == 0 ? "" : "1";
      } else {
        out += text[at];
      }
    }
    return out;
  }

  // What a connection and filters tell besides the head.
  void tell(TestRequest& request) {
    if (choices_.below(2) == 0) {
      request.tls().peer_presented = choices_.below(2) == 0;
      request.tls().peer_validated = request.tls().peer_presented && choices_.below(2) == 0;
    }
    if (choices_.below(2) == 0) request.info().metadata().set("f", "k", {std::string(pick(kValues))});
    if (choices_.below(2) == 0) request.info().metadata().set("f", "n", {double(choices_.below(3))});
    if (choices_.below(2) == 0) request.info().filterState().set("o", pick(kValues));
  }

  StreamConditions streamConditions() {
    StreamConditions out;
    if (choices_.below(2) == 0) out.fraction = runtime::Fraction{choices_.below(101), 100};
    if (choices_.below(3) == 0) out.certificate_presented = choices_.below(2) == 0;
    if (choices_.below(3) == 0) out.certificate_validated = choices_.below(2) == 0;
    if (choices_.below(3) == 0) {
      MetadataMatcher matcher{.filter = "f", .path = {choices_.below(2) == 0 ? "k" : "n"}};
      matcher.value.kind = match::MetadataValueMatcher::Kind::kString;
      matcher.value.string = string();
      if (choices_.below(2) == 0) matcher.value = {match::MetadataValueMatcher::Kind::kRange, true, 0, 2, {}, {}};
      matcher.invert = choices_.below(4) == 0;
      out.metadata.push_back(std::move(matcher));
    }
    if (choices_.below(3) == 0) {
      FilterStateMatcher matcher;
      matcher.key = "o";
      matcher.string = string();
      out.filter_state.push_back(std::move(matcher));
    }
    return out;
  }

  CookieMatcher cookie() {
    CookieMatcher out;
    out.name = choices_.below(2) == 0 ? "a" : "b";
    out.string = string();
    out.invert = choices_.below(4) == 0;
    return out;
  }

  void byTemplate(RouteSpec& out) {
    out.name = pick(kTemplates);
    const auto path = match::PathTemplate::parse(out.name);
    if (!path.ok() || !matchTemplate(*path, choices_.below(2) == 0, out).ok()) std::abort();
    if (out.regex != nullptr) out.regex = regex(out.path);
  }

  Regex regex(const std::string& pattern) {
    Regex& known = regexes_[pattern];
    if (known == nullptr) known = *compileRegex(pattern);
    return known;
  }

  static constexpr uint32_t kNoKind = UINT32_MAX;

  RouteSpec route() {
    RouteSpec out;
    const bool by_template = choices_.below(6) == 0;
    if (by_template) byTemplate(out);
    switch (by_template ? kNoKind : choices_.below(8)) {
      case kNoKind:
        break;
      case 0:
        out.path_kind = PathKind::kRegex;
        out.path = pick(kRegexes);
        out.regex = regex(out.path);
        break;
      case 1:
        out.path_kind = PathKind::kExact;
        break;
      case 2:
        out.path_kind = PathKind::kSeparatedPrefix;
        break;
      default:
        out.path_kind = PathKind::kPrefix;
    }
    if (!by_template && out.path_kind != PathKind::kRegex) {
      out.path = choices_.below(3) == 0 ? pick(kShortPaths) : pick(kPaths);
      if (choices_.below(3) == 0) out.path += pick(kSegments);
      out.case_sensitive = choices_.below(4) != 0;
    }
    if (choices_.below(4) != 0) {
      for (uint32_t more = choices_.below(3); more > 0; --more) out.conditions.headers.push_back(header());
      if (choices_.below(6) == 0) out.conditions.query.push_back(parameter());
      if (choices_.below(6) == 0) out.conditions.cookies.push_back(cookie());
      if (choices_.below(8) == 0) {
        if (StreamConditions stream = streamConditions(); !stream.empty()) {
          out.conditions.stream = std::make_shared<const StreamConditions>(std::move(stream));
        }
      }
      out.conditions.grpc = choices_.below(16) == 0;
    }
    DirectResponseSpec answer;
    answer.status = 200;
    out.action = answer;
    return out;
  }

  StringMatcher string() {
    StringMatcher out;
    out.kind = static_cast<StringMatcher::Kind>(choices_.below(4));
    if (choices_.below(3) != 0) out.kind = StringMatcher::Kind::kExact;
    out.text = pick(kValues);
    out.ignore_case = choices_.below(6) == 0;
    if (choices_.below(12) == 0) {
      out.kind = StringMatcher::Kind::kRegex;
      out.ignore_case = false;
      out.text = "[0-9a].*";
      out.regex = regex(out.text);
    }
    return out;
  }

  HeaderMatcher header() {
    HeaderMatcher out;
    out.name = choices_.below(6) == 0 ? ":method" : pick(kHeaders);
    out.invert = choices_.below(5) == 0;
    out.treat_missing_header_as_empty = choices_.below(5) == 0;
    switch (choices_.below(6)) {
      case 0:
        out.kind = HeaderMatcher::Kind::kPresent;
        out.present = choices_.below(2) == 0;
        break;
      case 1:
        out.kind = HeaderMatcher::Kind::kRange;
        out.range_start = 1;
        out.range_end = 4;
        break;
      default:
        out.kind = HeaderMatcher::Kind::kString;
        out.string = string();
        if (out.name == ":method") out.string.text = choices_.below(2) == 0 ? "GET" : "POST";
        if (out.name == ":method") out.string.kind = StringMatcher::Kind::kExact;
    }
    return out;
  }

  QueryMatcher parameter() {
    QueryMatcher out;
    out.name = choices_.below(2) == 0 ? "a" : "b";
    out.present = choices_.below(4) != 0;
    if (choices_.below(2) == 0) {
      out.kind = QueryMatcher::Kind::kString;
      out.string = string();
    }
    return out;
  }

  Choices& choices_;
  std::map<std::string, Regex> regexes_;
};

}  // namespace sluice::route
