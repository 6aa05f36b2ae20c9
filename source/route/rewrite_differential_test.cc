// What routes do to requests against the plain reference, on random routes and requests.
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "source/route/rewrite.h"
#include "source/route/rewrite_reference.h"
#include "source/route/table.h"
#include "source/route/test_request.h"
#include "source/stream/format_context.h"

namespace sluice::route {

void PlainFormat::format(const stream::FormatContext& context, std::string& out) const {
  out += text;
  out += context.request->get(std::string_view(header)).value_or("");
}

namespace {

class RandomRoutes {
 public:
  explicit RandomRoutes(uint32_t seed) : generator_(seed) {}

  TableSpec table(bool redirects) {
    TableSpec spec;
    spec.most_specific_header_mutations_wins = oneOf(2);
    VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
    host.domains = {"*"};
    RouteSpec& route = host.routes.emplace_back();
    match(route);
    if (redirects) {
      route.action = redirect();
      return spec;
    }
    route.action = forward();
    for (HeaderMutations* level : {&spec.mutations.request, &host.mutations.request, &route.mutations.request}) {
      *level = mutations();
    }
    return spec;
  }

  PlainRequest request(const RouteSpec& route) {
    PlainRequest out;
    out.scheme = oneOf(2) ? "http" : "https";
    out.authority = pick({"a.com", "a.com:80", "a.com:443", "a.com:8080", "[::1]", "[::1]:80", "b.com", ""});
    out.path =
        oneOf(3) || route.path_kind == PathKind::kRegex ? pick({"/", "/api", "/api/x", "/Api/x", "/a/b"}) : route.path;
    out.path +=
        pick({"", "", "/", "x", "/x/y", "..", "/../z", "%2e./z", "/..;p=1/z", "//b.com", "/\\b", "..%2Fz", "..\\z"});
    out.path += pick({"", "", "?", "?q=/api", "?a=1&b=2"});
    for (uint32_t more = below(5); more > 0; --more) out.fields.emplace_back(header(), value());
    if (oneOf(4)) out.fields.emplace_back("x-forwarded-host", pick({"first", "first,a.com", "a.com", "b.com:1"}));
    return out;
  }

  bool oneOf(uint32_t n) { return below(n) == 0; }

 private:
  uint32_t below(uint32_t n) { return generator_() % n; }
  std::string pick(const std::vector<std::string>& from) { return from[below(static_cast<uint32_t>(from.size()))]; }
  std::string header() { return pick({"x-a", "x-b", "x-c", "x-host"}); }
  std::string value() {
    return pick(
        {"", "1", "two", "b.com", "b.com:81", "a b", "a/../b", "/v?x#y", "..", "\xc3\xa9", "%41", "a,b", "..%5cx"});
  }

  RegexRewrite regex() {
    static const std::vector<std::pair<std::string, std::string>> kRewrites = {
        {"/([^/]+)/(.*)", "/\\2/\\1"}, {"x", ""}, {"^/api", ""}, {"^/api", "/.."}, {"[a-z]+", "b"}, {"^/(.*)$", "\\1"}};
    const auto& [pattern, substitution] = kRewrites[below(static_cast<uint32_t>(kRewrites.size()))];
    return {*compileRegex(pattern), substitution};
  }

  std::shared_ptr<const ValueFormatter> format(const std::vector<std::string>& texts) {
    return std::make_shared<const PlainFormat>(pick(texts), header());
  }

  void match(RouteSpec& route) {
    route.path_kind = static_cast<PathKind>(below(4));
    route.path = pick({"/", "/api", "/a", "/api/x"});
    if (route.path_kind == PathKind::kSeparatedPrefix && route.path == "/") route.path = "/api";
    route.case_sensitive = !oneOf(4);
    if (route.path_kind != PathKind::kRegex) return;
    route.path = "/a.*|/";
    route.regex = *compileRegex(route.path);
    route.case_sensitive = true;
  }

  HeaderMutations mutations() {
    HeaderMutations out;
    if (oneOf(2)) return out;
    for (uint32_t more = below(3); more > 0; --more) out.remove.push_back(header());
    for (uint32_t more = below(4); more > 0; --more) {
      HeaderAddition& addition = out.add.emplace_back();
      addition.name = header();
      addition.value = pick({"", "one", "c.com"});
      if (oneOf(3)) addition.formatter = format({"", "f"});
      addition.action = static_cast<HeaderAddition::Action>(below(4));
      addition.keep_empty_value = oneOf(2);
    }
    return out;
  }

  ForwardSpec forward() {
    ForwardSpec out;
    out.cluster = 0;
    if (oneOf(4)) {
      WeightedClusterSpec& share = out.weighted.emplace_back();
      share.cluster = 0;
      share.weight = 1;
      share.mutations.request = mutations();
      if (oneOf(2)) share.host_rewrite = "share.com";
    }
    switch (below(5)) {
      case 0:
        out.host_rewrite = pick({"a.com", "b.com"});
        break;
      case 1:
        out.host_source.emplace().header = "x-host";
        break;
      case 2:
        out.host_source.emplace().of_path = regex();
        break;
      case 3:
        out.host_source.emplace().format = format({"", "h."});
        break;
      default:
        break;
    }
    out.append_x_forwarded_host = oneOf(2);
    rewrite(out.prefix_rewrite, out.regex_rewrite, out.path_format);
    return out;
  }

  RedirectSpec redirect() {
    RedirectSpec out;
    if (oneOf(2)) out.scheme = pick({"http", "https"});
    if (oneOf(3)) out.host = "new.com";
    if (oneOf(3)) out.port = 8443;
    out.strip_query = oneOf(3);
    if (oneOf(3)) {
      out.path = pick({"/new", "/new?own", "new", "//b.com"});
    } else {
      rewrite(out.prefix_rewrite, out.regex_rewrite, out.path_format);
    }
    return out;
  }

  void rewrite(std::string& prefix, std::optional<RegexRewrite>& regex_rewrite,
               std::shared_ptr<const ValueFormatter>& path_format) {
    switch (below(4)) {
      case 0:
        prefix = pick({"/", "/v2", "v2", "/api", "/v2/"});
        break;
      case 1:
        regex_rewrite = regex();
        break;
      case 2:
        path_format = format({"", "/f/", "f"});
        break;
      default:
        break;
    }
  }

  std::mt19937 generator_;
};

// By name, so that the order of different fields does not matter.
using Fields = std::map<std::string, std::vector<std::string>>;

Fields fieldsOf(const PlainRequest& request) {
  Fields out;
  for (const auto& [name, value] : request.fields) out[name].push_back(value);
  return out;
}

Fields fieldsOf(const http::HeaderList& headers) {
  Fields out;
  for (const http::Field& field : headers) out[std::string(field.name)].emplace_back(field.value);
  return out;
}

TestRequest realRequest(const PlainRequest& plain) {
  std::vector<std::pair<std::string_view, std::string_view>> fields(plain.fields.begin(), plain.fields.end());
  TestRequest out(plain.path, plain.authority, std::move(fields));
  out->scheme = plain.scheme;
  return out;
}

constexpr int kRoutes = 20'000;
constexpr int kRequests = 10;

}  // namespace

TEST_CASE("routes change heads, hosts and paths of requests as the reference does") {
  RandomRoutes random(4001);
  const stream::StreamInfo info;
  uint64_t compared = 0, refused = 0, hosts = 0, paths = 0;

  for (int i = 0; i < kRoutes; ++i) {
    const TableSpec spec = random.table(false);
    const auto table = Table::build(spec);
    REQUIRE(table.ok());
    for (int r = 0; r < kRequests; ++r) {
      PlainRequest expected = random.request(spec.virtual_hosts[0].routes[0]);
      const PlainRequest before = expected;
      TestRequest request = realRequest(expected);
      const Match match = (*table)->match(*request, 0);
      if (!match) continue;
      const bool keep = random.oneOf(2);

      const Rewritten rewritten =
          finalizeRequest(match, *request, {.request = &*request, .info = info}, {.keep_original = keep});
      const bool goes_on = RewriteReference(spec, keep).forward(expected);

      const bool same = request->authority == expected.authority && request->path == expected.path &&
                        fieldsOf(*request) == fieldsOf(expected);
      if (rewritten.refusal.empty() != goes_on || (goes_on && !same)) {
        FAIL("route " << i << ", request " << r << ", " << before.authority << before.path << ": " << request->authority
                      << request->path << " " << rewritten.refusal << ", expected " << expected.authority
                      << expected.path << (goes_on ? "" : " refused"));
      }
      ++compared;
      refused += goes_on ? 0 : 1;
      if (!goes_on) continue;
      hosts += expected.authority != before.authority;
      paths += expected.path != before.path;
    }
  }

  CHECK(compared >= kRoutes * kRequests / 4);
  CHECK(refused * 50 >= compared);
  CHECK(hosts * 5 >= compared);
  CHECK(paths * 5 >= compared);
}

TEST_CASE("redirects lead where the reference says") {
  RandomRoutes random(4002);
  const stream::StreamInfo info;
  uint64_t compared = 0;

  for (int i = 0; i < kRoutes; ++i) {
    const TableSpec spec = random.table(true);
    const auto table = Table::build(spec);
    REQUIRE(table.ok());
    for (int r = 0; r < kRequests; ++r) {
      const PlainRequest plain = random.request(spec.virtual_hosts[0].routes[0]);
      TestRequest request = realRequest(plain);
      const Match match = (*table)->match(*request, 0);
      if (!match) continue;

      const std::string_view location = redirectLocation(match, *request, {.request = &*request, .info = info});

      ++compared;
      const std::string expected = RewriteReference(spec, true).location(plain);
      if (location == expected) continue;
      FAIL("route " << i << ", request " << r << ", " << plain.scheme << " " << plain.authority << plain.path << ": "
                    << location << ", expected " << expected);
    }
  }

  CHECK(compared >= kRoutes * kRequests / 4);
}

}  // namespace sluice::route
