// Rewrites of host and path that depend on the request, and formatted bodies.
#include "source/config/test_route_compiler.h"
#include "source/route/rewrite.h"
#include "source/stream/format_context.h"

namespace sluice::config {
namespace {

const stream::StreamInfo kInfo{};

// What a route makes of GET a.com/api/users?q with `x-host: b.com`: authority and path, or why it is refused.
std::string rewritten(const std::string& action) {
  Compiler compiler;
  const Compiled out = compiler.route(forwarding("cluster: a, " + action));
  REQUIRE(out.errors == "");
  Request request("/api/users?q");
  request.headers.add("x-host", "b.com");
  const route::Match match = out.table->match(request.headers, 0);
  REQUIRE(match);
  const route::Rewritten done =
      route::finalizeRequest(match, request.headers, {.request = &request.headers, .info = kInfo});
  if (!done) return std::string(done.refusal);
  return std::string(request.headers.authority) + std::string(request.headers.path);
}

}  // namespace

TEST_CASE("routes make hosts and paths of what requests say") {
  CHECK(rewritten("host_rewrite_header: X-Host") == "b.com/api/users?q");
  CHECK(rewritten("host_rewrite_path_regex: {pattern: {regex: '^/([a-z]+)/.*'}, substitution: '\\1.svc'}") ==
        "api.svc/api/users?q");
  CHECK(rewritten("host_rewrite: 'v1.%REQ(x-host)%'") == "v1.b.com/api/users?q");
  CHECK(rewritten("host_rewrite: '%REQ(x-none)%'") == "a.com/api/users?q");
  CHECK(rewritten("path_rewrite: '/of/%REQ(x-host)%'") == "a.com/of/b.com?q");
  CHECK(rewritten("path_rewrite: '%REQ(x-none)%'") == "a.com/api/users?q");
  CHECK(rewritten("host_rewrite: c.com, path_rewrite: '/%REQ(:authority)%'") == "c.com/c.com?q");
}

TEST_CASE("append_x_forwarded_host tells hosts what the client asked for") {
  Compiler compiler;
  const Compiled out =
      compiler.route(forwarding("cluster: a, host_rewrite_literal: b.com, append_x_forwarded_host: true"));
  REQUIRE(out.errors == "");
  Request request("/");

  REQUIRE(route::finalizeRequest(out.table->match(request.headers, 0), request.headers, {.info = kInfo}));

  CHECK(request.headers.get("x-forwarded-host") == "a.com");
  CHECK(request.headers.get("x-envoy-original-host") == "a.com");
}

TEST_CASE("a redirect may lead to a path that is made of the request") {
  Compiler compiler;
  const Compiled out =
      compiler.route("match: {prefix: /}, redirect: {path_rewrite: '/new/%REQ(x-host)%', strip_query: true}");
  REQUIRE(out.errors == "");
  Request request("/a?q");
  request.headers.add("x-host", "b?c");

  CHECK(route::redirectLocation(out.table->match(request.headers, 0), request.headers,
                                {.request = &request.headers, .info = kInfo}) == "http://a.com/new/b%3Fc");
}

TEST_CASE("a direct response may make its body of the request") {
  Compiler compiler;
  const Compiled out = compiler.route(
      "match: {prefix: /}, direct_response: {status: 200, body: {inline_string: hi}, body_format: "
      "{text_format_source: {inline_string: '%LOCAL_REPLY_BODY% %REQ(x-host)%'}, content_type: text/html}}");
  const Compiled json = compiler.route(
      "match: {prefix: /}, direct_response: {status: 200, body_format: {json_format: {host: '%REQ(x-host)%'}}}");
  REQUIRE(out.errors == "");
  REQUIRE(json.errors == "");
  Request request("/");
  request.headers.add("x-host", "b.com");

  const route::DirectResponse& text = *out.table->match(request.headers, 0).route->direct_response;
  std::string body;
  text.body_format->format({.request = &request.headers, .info = kInfo, .local_reply_body = text.body}, body);

  CHECK(body == "hi b.com");
  CHECK(text.content_type == "text/html");
  CHECK(json.table->match(request.headers, 0).route->direct_response->content_type == "application/json");
}

TEST_CASE("the newer limit of kept bodies stands before the older one, whichever level says it") {
  const auto limit = [](const std::string& host, const std::string& route) {
    Compiler compiler;
    const Compiled out = compiler.compile("virtual_hosts: [{name: v, domains: ['*'], " + host +
                                          "routes: [{match: {prefix: /}, " + route + "route: {cluster: a}}]}]");
    REQUIRE(out.errors == "");
    Request request("/");
    return out.table->match(request.headers, 0).route->forward->request_buffer_limit;
  };

  CHECK(limit("request_body_buffer_limit: 5000000000, ", "") == UINT32_MAX);
  CHECK(limit("request_body_buffer_limit: 5, ", "request_body_buffer_limit: 6, ") == 6u);
  CHECK(limit("request_body_buffer_limit: 5, ", "per_request_buffer_limit_bytes: 7, ") == 5u);
  CHECK(limit("per_request_buffer_limit_bytes: 5, ", "per_request_buffer_limit_bytes: 7, ") == 7u);
}

TEST_CASE("rewrites that cannot be meant are refused where they stand") {
  const auto problem = [](const std::string& action, std::string_view where, std::string_view what) {
    Compiler compiler;
    const std::string errors = compiler.routeErrors(forwarding("cluster: a, " + action));
    INFO(errors);
    CHECK(errors.find(kRoute + ".route." + std::string(where)) != std::string::npos);
    CHECK(errors.find(what) != std::string::npos);
  };

  problem("path_rewrite: /a, prefix_rewrite: /b", "path_rewrite", "stands beside prefix_rewrite");
  problem("path_rewrite: /a, regex_rewrite: {pattern: {regex: a}, substitution: b}", "path_rewrite", "regex_rewrite");
  problem("path_rewrite: '/a?b'", "path_rewrite", "holds '?'");
  problem("path_rewrite: '/a b'", "path_rewrite", "holds a byte");
  problem("path_rewrite: '/%NONE%'", "path_rewrite", "NONE");
  problem("host_rewrite: 'a/%REQ(x)%'", "host_rewrite", "holds a byte");
  problem("host_rewrite: '%REQ('", "host_rewrite", "");
  problem("host_rewrite_header: ':status'", "host_rewrite_header", "no pseudo-header");
  problem("host_rewrite_path_regex: {pattern: {regex: '('}, substitution: a}", "host_rewrite_path_regex", "");
  problem("host_rewrite_path_regex: {pattern: {regex: a}, substitution: 'a/b'}", "host_rewrite_path_regex.substitution",
          "holds a byte");
  Compiler compiler;
  CHECK(compiler.routeErrors("match: {prefix: /}, redirect: {path_rewrite: '/a?b'}")
            .find(kRoute + ".redirect.path_rewrite: holds '?'") != std::string::npos);
  CHECK(compiler
            .routeErrors("match: {prefix: /}, direct_response: {status: 200, body_format: {text_format_source: "
                         "{inline_string: '%NONE%'}}}")
            .find(kRoute + ".direct_response.body_format") != std::string::npos);
}

}  // namespace sluice::config
