#include "source/route/rewrite.h"

#include <catch2/catch.hpp>

#include "source/route/test_request.h"
#include "source/stream/format_context.h"

namespace sluice::route {
namespace {

using Action = HeaderAddition::Action;

const stream::StreamInfo kInfo{};
const stream::FormatContext kContext{.info = kInfo};

struct HostileFormatter : ValueFormatter {
  void format(const stream::FormatContext&, std::string& out) const override { out += "one\r\ntwo: x"; }
};

// `before`, the first value of x-host, ".svc".
struct TenantFormatter : ValueFormatter {
  explicit TenantFormatter(std::string before = "") : before(std::move(before)) {}
  void format(const stream::FormatContext& context, std::string& out) const override {
    out += before + std::string(context.request->get("x-host").value_or("")) + ".svc";
  }
  const std::string before;
};

HeaderAddition add(std::string name, std::string value, Action action = Action::kAppendIfExistsOrAdd) {
  HeaderAddition out;
  out.name = std::move(name);
  out.value = std::move(value);
  out.action = action;
  return out;
}

std::string dump(const http::HeaderList& headers) {
  std::string out;
  for (const http::Field& field : headers) {
    out += std::string(out.empty() ? "" : " ") + std::string(field.name) + "=" + std::string(field.value);
  }
  return out;
}

std::string applied(const HeaderMutations& mutations,
                    std::vector<std::pair<std::string_view, std::string_view>> fields) {
  TestRequest request("/", "a", std::move(fields));
  mutations.apply(*request, kContext);
  return dump(*request);
}

// A table of one route, and what becomes of a request.
struct One {
  explicit One(RouteSpec route) {
    spec.virtual_hosts.resize(1);
    spec.virtual_hosts[0].domains = {"*"};
    spec.virtual_hosts[0].routes.push_back(std::move(route));
  }

  RouteSpec& route() { return spec.virtual_hosts[0].routes[0]; }

  Match match(TestRequest& request) {
    auto built = Table::build(spec);
    REQUIRE(built.ok());
    table = *built;
    const Match match = table->match(*request, 0);
    REQUIRE(match);
    return match;
  }

  std::string path(std::string_view from, bool* sane = nullptr) {
    TestRequest request(from);
    const Rewritten rewritten = finalizeRequest(match(request), *request, kContext);
    if (sane != nullptr) *sane = rewritten.refusal.empty();
    return std::string(request->path);
  }

  std::string location(std::string_view path, std::string_view authority = "a.com", std::string_view scheme = "http") {
    TestRequest request(path, authority);
    request->scheme = scheme;
    return std::string(redirectLocation(match(request), *request, {.request = &*request, .info = kInfo}));
  }

  TableSpec spec;
  std::shared_ptr<const Table> table;
};

RouteSpec forwarding(PathKind kind, std::string path, std::string prefix_rewrite = "") {
  RouteSpec out;
  out.path_kind = kind;
  out.path = std::move(path);
  if (kind == PathKind::kRegex) out.regex = *compileRegex(out.path);
  ForwardSpec action;
  action.cluster = 0;
  action.prefix_rewrite = std::move(prefix_rewrite);
  out.action = std::move(action);
  return out;
}

RouteSpec redirecting(RedirectSpec redirect, std::string prefix = "/") {
  RouteSpec out;
  out.path = std::move(prefix);
  out.action = std::move(redirect);
  return out;
}

}  // namespace

TEST_CASE("a prefix is replaced with its parameters where those are ignored") {
  One one(forwarding(PathKind::kPrefix, "/api/v1", "/new"));
  One separated(forwarding(PathKind::kSeparatedPrefix, "/api/v1", "/new"));
  one.spec.ignore_path_parameters = separated.spec.ignore_path_parameters = true;

  CHECK(one.path("/api;a=1/v1/users;b=2?q=1") == "/new/users;b=2?q=1");
  CHECK(one.path("/api;a=1/v1;c=3/users") == "/new;c=3/users");
  CHECK(one.path("/api/v1/users") == "/new/users");
  CHECK(separated.path("/api/v1;c=3") == "/new;c=3");
}

TEST_CASE("a rewrite by the template of a route takes the path as it was matched") {
  One one(forwarding(PathKind::kRegex, "/users/([^/]+)/([^/]+)"));
  std::get<ForwardSpec>(one.route().action).regex_rewrite =
      RegexRewrite{*compileRegex("^/users/([^/]+)/([^/]+)$"), "/\\2/of/\\1", true};

  CHECK(one.path("/users/7/files?q=1") == "/files/of/7?q=1");
  one.spec.ignore_path_parameters = true;
  CHECK(one.path("/users;a=1/7;b/files;c?q=1") == "/files/of/7?q=1");
}

TEST_CASE("append_action decides what happens to a header that is there") {
  CHECK(applied({.add = {add("x-a", "2")}}, {{"x-a", "1"}}) == "x-a=1 x-a=2");
  CHECK(applied({.add = {add("x-a", "2", Action::kAddIfAbsent)}}, {{"x-a", "1"}}) == "x-a=1");
  CHECK(applied({.add = {add("x-a", "2", Action::kAddIfAbsent)}}, {}) == "x-a=2");
  CHECK(applied({.add = {add("x-a", "2", Action::kOverwriteIfExistsOrAdd)}}, {{"x-a", "1"}, {"x-a", "0"}}) == "x-a=2");
  CHECK(applied({.add = {add("x-a", "2", Action::kOverwriteIfExistsOrAdd)}}, {}) == "x-a=2");
  CHECK(applied({.add = {add("x-a", "2", Action::kOverwriteIfExists)}}, {}) == "");
  CHECK(applied({.add = {add("x-a", "2", Action::kOverwriteIfExists)}}, {{"x-a", "1"}}) == "x-a=2");
}

TEST_CASE("an empty value changes nothing unless it is kept") {
  HeaderAddition empty = add("x-a", "", Action::kOverwriteIfExistsOrAdd);

  CHECK(applied({.add = {empty}}, {{"x-a", "1"}}) == "x-a=1");
  empty.keep_empty_value = true;
  CHECK(applied({.add = {empty}}, {{"x-a", "1"}}) == "x-a=");
}

TEST_CASE("names are removed before fields are added") {
  CHECK(applied({.remove = {"x-a"}, .add = {add("x-a", "new", Action::kAddIfAbsent)}},
                {{"x-a", "old"}, {"x-b", "1"}}) == "x-b=1 x-a=new");
}

TEST_CASE("a formatted value cannot end its field") {
  HeaderAddition formatted = add("x-a", "");
  formatted.formatter = std::make_shared<const HostileFormatter>();

  CHECK(applied({.add = {formatted}}, {}) == "x-a=one  two: x");
}

TEST_CASE("the least specific level has the last word, or the most specific if the table says so") {
  One one(forwarding(PathKind::kPrefix, "/"));
  const auto level = [](std::string value) {
    return HeaderMutations{.add = {add("x-all", value), add("x-last", value, Action::kOverwriteIfExistsOrAdd)}};
  };
  ForwardSpec action;
  action.weighted.resize(1);
  action.weighted[0].weight = 1;
  action.weighted[0].mutations.request = level("cluster");
  one.route().action = std::move(action);
  one.route().mutations.request = level("route");
  one.spec.virtual_hosts[0].mutations.request = level("host");
  one.spec.mutations.request = level("table");
  TestRequest usual("/"), reversed("/");

  CHECK(finalizeRequest(one.match(usual), *usual, kContext));
  one.spec.most_specific_header_mutations_wins = true;
  CHECK(finalizeRequest(one.match(reversed), *reversed, kContext));

  CHECK(usual->getAll("x-all") == "cluster,route,host,table");
  CHECK(usual->get("x-last") == "table");
  CHECK(reversed->getAll("x-all") == "table,host,route,cluster");
  CHECK(reversed->get("x-last") == "cluster");
}

TEST_CASE("responses are changed at every level, those of direct responses too") {
  RouteSpec route;
  route.path = "/";
  route.action = DirectResponseSpec{};
  route.mutations.response = {.remove = {"server"}, .add = {add("x-a", "route")}};
  One one(std::move(route));
  one.spec.mutations.response = {.add = {add("x-a", "table")}};
  TestRequest request("/");
  const Match match = one.match(request);
  base::Arena arena;
  http::ResponseHeaders response(arena);
  response.add("server", "upstream");

  finalizeResponse(match, response, kContext);

  CHECK(dump(response) == "x-a=route x-a=table");
}

TEST_CASE("prefix_rewrite replaces what was matched and keeps the query") {
  CHECK(One(forwarding(PathKind::kPrefix, "/api", "/v2")).path("/api/x?q=/api") == "/v2/x?q=/api");
  CHECK(One(forwarding(PathKind::kSeparatedPrefix, "/api", "/v2")).path("/api") == "/v2");
  CHECK(One(forwarding(PathKind::kExact, "/api", "/v2")).path("/api?") == "/v2?");
  CHECK(One(forwarding(PathKind::kRegex, "/a.*", "/v2")).path("/abc?q") == "/v2?q");
  RouteSpec ignoring = forwarding(PathKind::kPrefix, "/API", "/v2");
  ignoring.case_sensitive = false;
  CHECK(One(ignoring).path("/Api/X") == "/v2/X");
}

TEST_CASE("regex_rewrite replaces every match in the path only") {
  RouteSpec route = forwarding(PathKind::kPrefix, "/");
  std::get<ForwardSpec>(route.action).regex_rewrite =
      RegexRewrite{*compileRegex("/service/([^/]+)(/.*)"), "\\2/in/\\1"};
  CHECK(One(route).path("/service/foo/v1/api?x=/service/a/b") == "/v1/api/in/foo?x=/service/a/b");
  std::get<ForwardSpec>(route.action).regex_rewrite = RegexRewrite{*compileRegex("one"), "two"};
  CHECK(One(route).path("/xx/one/yy/one/zz?one") == "/xx/two/yy/two/zz?one");
}

TEST_CASE("a rewritten path still begins with a slash") {
  CHECK(One(forwarding(PathKind::kPrefix, "/api", "v2")).path("/api/x") == "/v2/x");
}

TEST_CASE("the path that came in is kept beside a rewritten one") {
  One one(forwarding(PathKind::kPrefix, "/api", "/v2"));
  TestRequest rewritten("/api/x?q"), suppressed("/api/x?q"), same("/v2/x");

  CHECK(finalizeRequest(one.match(rewritten), *rewritten, kContext));
  CHECK(finalizeRequest(one.match(suppressed), *suppressed, kContext, {.keep_original = false}));

  CHECK(rewritten->get("x-envoy-original-path") == "/api/x?q");
  CHECK(suppressed->empty());
}

TEST_CASE("a rewrite that makes the path climb is refused") {
  bool sane = true;
  One(forwarding(PathKind::kPrefix, "/foo", "/")).path("/foo../admin", &sane);
  CHECK_FALSE(sane);
  One(forwarding(PathKind::kPrefix, "/foo", "/")).path("/foo%2E./admin", &sane);
  CHECK_FALSE(sane);
  One(forwarding(PathKind::kPrefix, "/foo", "/")).path("/foo..;x=1/admin", &sane);
  CHECK_FALSE(sane);
  One(forwarding(PathKind::kPrefix, "/foo", "/")).path("/foo..%3bx/admin", &sane);
  CHECK_FALSE(sane);
  for (const char* separator : {"%2f", "%2F", "\\", "%5c"}) {
    One(forwarding(PathKind::kPrefix, "/foo", "/")).path("/foo.." + std::string(separator) + "admin", &sane);
    CHECK_FALSE(sane);
  }
  One(forwarding(PathKind::kPrefix, "/foo", "/")).path("/foo/..%2fadmin", &sane);  // so did what was matched
  CHECK(sane);
  One(forwarding(PathKind::kPrefix, "/foo", "/")).path("/foo..%2e%2fadmin", &sane);
  CHECK(sane);
  One(forwarding(PathKind::kPrefix, "/foo", "/")).path("/foo/..a/admin", &sane);
  CHECK(sane);
}

TEST_CASE("the host is rewritten, by the chosen cluster first") {
  RouteSpec route = forwarding(PathKind::kPrefix, "/");
  ForwardSpec& action = std::get<ForwardSpec>(route.action);
  action.host_rewrite = "route.host";
  One plain(route);
  action.weighted.resize(1);
  action.weighted[0].weight = 1;
  action.weighted[0].host_rewrite = "cluster.host";
  One weighted(route);
  TestRequest first("/"), second("/");

  CHECK(finalizeRequest(plain.match(first), *first, kContext));
  CHECK(finalizeRequest(weighted.match(second), *second, kContext));

  CHECK(first->authority == "route.host");
  CHECK(second->authority == "cluster.host");
}

TEST_CASE("the host comes from a header, from the path or from a format, and stays where they say nothing") {
  RouteSpec route = forwarding(PathKind::kPrefix, "/");
  const auto host = [&route](HostSource source, std::string_view path = "/", std::string_view header = "b.com:81") {
    std::get<ForwardSpec>(route.action).host_source = std::move(source);
    One one(route);
    TestRequest request(path, "a.com", {{"x-host", header}, {"x-host", "second.com"}});
    const Match match = one.match(request);
    const Rewritten rewritten = finalizeRequest(match, *request, {.request = &*request, .info = kInfo});
    return std::string(rewritten ? request->authority : rewritten.refusal);
  };
  const HostSource from_path{.of_path = RegexRewrite{*compileRegex("^/([^/]+).*$"), "\\1.svc"}};

  CHECK(host({.header = "x-host"}) == "b.com:81");
  CHECK(host({.header = "x-other"}) == "a.com");
  CHECK(host({.header = "x-host"}, "/", "") == "a.com");
  CHECK(host({.header = "x-host"}, "/", "b.com/x") == "host_rewrite_invalid");
  CHECK(host({.header = "x-host"}, "/", "u@b.com") == "host_rewrite_invalid");
  CHECK(host(from_path, "/users/1?q=/x") == "users.svc");
  CHECK(host({.format = std::make_shared<const TenantFormatter>()}, "/", "acme") == "acme.svc");
}

TEST_CASE("hosts are told the authority that another one took the place of") {
  RouteSpec route = forwarding(PathKind::kPrefix, "/");
  ForwardSpec& action = std::get<ForwardSpec>(route.action);
  action.host_rewrite = "b.com";
  action.append_x_forwarded_host = true;
  One one(route);
  TestRequest fresh("/", "a.com"), told("/", "a.com", {{"x-forwarded-host", "first, a.com"}}),
      other("/", "a.com", {{"x-forwarded-host", "first"}}), same("/", "b.com");

  CHECK(finalizeRequest(one.match(fresh), *fresh, kContext));
  CHECK(finalizeRequest(one.match(told), *told, kContext));
  CHECK(finalizeRequest(one.match(other), *other, kContext, {.keep_original = false}));
  CHECK(finalizeRequest(one.match(same), *same, kContext));

  CHECK(dump(*fresh) == "x-forwarded-host=a.com x-envoy-original-host=a.com");
  CHECK(told->get("x-forwarded-host") == "first, a.com");
  CHECK(dump(*other) == "x-forwarded-host=first,a.com");
  CHECK(same->empty());
}

TEST_CASE("a formatted path keeps the query, and no value of it ends the path or climbs") {
  const auto path = [](std::string_view header) {
    RouteSpec route = forwarding(PathKind::kPrefix, "/");
    std::get<ForwardSpec>(route.action).path_format = std::make_shared<const TenantFormatter>("/t/");
    One one(route);
    TestRequest request("/a?q", "a.com", {{"x-host", header}});
    const Match match = one.match(request);
    const Rewritten rewritten = finalizeRequest(match, *request, {.request = &*request, .info = kInfo});
    return std::string(rewritten ? request->path : rewritten.refusal);
  };

  CHECK(path("acme") == "/t/acme.svc?q");
  CHECK(path("a b?c#d\xc3") == "/t/a%20b%3Fc%23d%C3.svc?q");
  CHECK(path("../x") == "path_rewrite_climbs");
  CHECK(path("..%2Fx") == "path_rewrite_climbs");
  CHECK(path("a%5c..\\x") == "path_rewrite_climbs");
}

TEST_CASE("a request without a path gets none") {
  RouteSpec route = forwarding(PathKind::kConnect, "", "/v2");
  std::get<ForwardSpec>(route.action).host_rewrite = "b.com";
  One one(route);
  TestRequest connect("", "a.com:443", {{":method", "CONNECT"}});

  CHECK(finalizeRequest(one.match(connect), *connect, kContext));

  CHECK(connect->path == "");
  CHECK(connect->authority == "b.com");
}

TEST_CASE("where a tunnel leads has a port, whoever says it") {
  RouteSpec route = forwarding(PathKind::kConnect, "");
  std::get<ForwardSpec>(route.action).host_source = HostSource{.header = "x-host"};
  One one(route);
  TestRequest whole("", "a.com:443", {{":method", "CONNECT"}, {"x-host", "b.com:80"}});
  TestRequest bare("", "a.com:443", {{":method", "CONNECT"}, {"x-host", "b.com"}});

  CHECK(finalizeRequest(one.match(whole), *whole, kContext));
  CHECK(finalizeRequest(one.match(bare), *bare, kContext).refusal == "host_rewrite_invalid");

  CHECK(whole->authority == "b.com:80");
}

TEST_CASE("headers for internal callers come off the requests of others") {
  TableSpec spec;
  spec.internal_only_headers = {"x-mine"};
  const auto table = Table::build(std::move(spec));
  REQUIRE(table.ok());
  TestRequest stranger("/", "a", {{"x-mine", "1"}, {"x-b", "2"}, {"x-mine", "3"}});
  TestRequest internal("/", "a", {{"x-mine", "1"}, {"x-envoy-internal", "true"}});

  removeInternalOnly(**table, *stranger);
  removeInternalOnly(**table, *internal);

  CHECK(dump(*stranger) == "x-b=2");
  CHECK(internal->get("x-mine") == "1");
}

TEST_CASE("a redirect leads to a formatted path") {
  RedirectSpec redirect{.scheme = "https"};
  redirect.path_format = std::make_shared<const TenantFormatter>("/new/");
  One one(redirecting(redirect));
  TestRequest request("/a?q", "a.com", {{"x-host", "x y"}});
  const Match match = one.match(request);

  CHECK(redirectLocation(match, *request, {.request = &*request, .info = kInfo}) == "https://a.com/new/x%20y.svc?q");
}

TEST_CASE("a redirect changes the parts that it names and keeps the others") {
  CHECK(One(redirecting({.scheme = "https"})).location("/a?b=c") == "https://a.com/a?b=c");
  CHECK(One(redirecting({.host = "b.com"})).location("/a", "a.com:8080") == "http://b.com/a");
  CHECK(One(redirecting({.port = 8443})).location("/a", "a.com:8080") == "http://a.com:8443/a");
  CHECK(One(redirecting({.port = 8443})).location("/a", "[::1]:8080") == "http://[::1]:8443/a");
  CHECK(One(redirecting({.path = "/new"})).location("/a?b=c") == "http://a.com/new?b=c");
  CHECK(One(redirecting({.path = "/new?x", .strip_query = true})).location("/a?b=c") == "http://a.com/new?x");
  CHECK(One(redirecting({.prefix_rewrite = "/new"}, "/old")).location("/old/a?b") == "http://a.com/new/a?b");
  CHECK(One(redirecting({.strip_query = true})).location("/a?b=c") == "http://a.com/a");
  CHECK(One(redirecting({.regex_rewrite = RegexRewrite{*compileRegex("/a"), "/b"}})).location("/a?q") ==
        "http://a.com/b?q");
}

TEST_CASE("the path of a location begins with exactly one slash") {
  CHECK(One(redirecting({.scheme = "https"})).location("//b.com/x?y//z") == "https://a.com/b.com/x?y//z");
  CHECK(One(redirecting({.scheme = "https"})).location("/\\b.com") == "https://a.com/b.com");
  CHECK(One(redirecting({.path = "new"})).location("/a?b") == "http://a.com/new?b");
  CHECK(One(redirecting({.path = "//b.com/?x"})).location("/a") == "http://a.com/b.com/?x");
  CHECK(One(redirecting({.prefix_rewrite = "/"}, "/old")).location("/old//b.com") == "http://a.com/b.com");
  CHECK(One(redirecting({.regex_rewrite = RegexRewrite{*compileRegex("^/a"), ""}})).location("/a//b.com") ==
        "http://a.com/b.com");
}

TEST_CASE("a location without a host is a path") {
  CHECK(One(redirecting({.scheme = "https"})).location("/b.com/x", "") == "/b.com/x");
  CHECK(One(redirecting({.port = 8443})).location("//b.com/x", "") == "/b.com/x");
}

TEST_CASE("a redirect to another scheme or port needs a host, the request's or its own") {
  const auto has = [](const Redirect& redirect, std::string_view authority) {
    TestRequest request("/", authority);
    request->scheme = "http";
    return hasTarget(redirect, *request);
  };
  CHECK_FALSE(has({.scheme = "https"}, ""));
  CHECK_FALSE(has({.port = 8443}, ""));
  CHECK(has({.scheme = "https"}, "a.com"));
  CHECK(has({.scheme = "https", .host = "b.com"}, ""));
  CHECK(has({.scheme = "http"}, ""));  // as the request
  CHECK(has({.path = "/new"}, ""));
}

TEST_CASE("a change of scheme drops the old scheme's own port") {
  CHECK(One(redirecting({.scheme = "https"})).location("/", "a.com:80") == "https://a.com/");
  CHECK(One(redirecting({.scheme = "https"})).location("/", "a.com:8080") == "https://a.com:8080/");
  CHECK(One(redirecting({.scheme = "https"})).location("/", "a.com:443", "https") == "https://a.com:443/");
  CHECK(One(redirecting({.scheme = "http"})).location("/", "a.com:443", "https") == "http://a.com/");
}

TEST_CASE("a location holds no byte that could end its header") {
  CHECK(One(redirecting({.scheme = "https"})).location("/a\r\nset-cookie: x") ==
        "https://a.com/a%0D%0Aset-cookie:%20x");
}

}  // namespace sluice::route
