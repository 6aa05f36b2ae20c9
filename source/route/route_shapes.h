// Tables of one kind of route, for tests and benchmarks of the cost of lookups: `/svc00000/`, `/svc00001/`, ...
#pragma once

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/route/spec.h"
#include "source/route/template_match.h"
#include "source/route/test_request.h"

namespace sluice::route {

struct RouteShape {
  std::string name;
  std::function<RouteSpec(int)> route;
  std::function<TestRequest(int)> request;  // matches route(i) and no other

  // Routes 0 to `size` - 1 in one virtual host for all domains.
  TableSpec table(int size) const {
    TableSpec spec;
    VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
    host.name = "all";
    host.domains = {"*"};
    for (int i = 0; i < size; ++i) host.routes.push_back(route(i));
    return spec;
  }
};

inline std::string fiveDigits(int i) {
  const std::string digits = std::to_string(i);
  return std::string(5 - digits.size(), '0') + digits;
}

inline RouteSpec routeTo(PathKind kind, std::string path) {
  RouteSpec out;
  out.path_kind = kind;
  out.path = std::move(path);
  if (kind == PathKind::kRegex) out.regex = *compileRegex(out.path);
  ForwardSpec forward;
  forward.cluster = 0;
  forward.cluster_name = "backend";
  out.action = std::move(forward);
  return out;
}

inline RouteSpec routeByTemplate(std::string_view text) {
  RouteSpec out = routeTo(PathKind::kPrefix, "/");
  if (!matchTemplate(*match::PathTemplate::parse(text), false, out).ok()) std::abort();
  return out;
}

inline RouteSpec withHeader(RouteSpec spec, std::string name, std::string value) {
  HeaderMatcher header;
  header.name = std::move(name);
  header.kind = HeaderMatcher::Kind::kString;
  header.string.text = std::move(value);
  spec.conditions.headers.push_back(std::move(header));
  return spec;
}

inline std::vector<RouteShape> routeShapes() {
  const auto by_path = [](std::string name, PathKind kind, std::string after, std::string rest) {
    return RouteShape{std::move(name), [=](int i) { return routeTo(kind, "/svc" + fiveDigits(i) + after); },
                      [=](int i) { return TestRequest("/svc" + fiveDigits(i) + rest); }};
  };
  RouteShape ignoring_case = by_path("prefix_ignoring_case", PathKind::kPrefix, "/", "/ITEMS/7?page=2");
  ignoring_case.route = [](int i) {
    RouteSpec spec = routeTo(PathKind::kPrefix, "/SVC" + fiveDigits(i) + "/");
    spec.case_sensitive = false;
    return spec;
  };
  const auto method = [](int i) { return i % 2 == 0 ? "GET" : "POST"; };
  return {
      by_path("exact", PathKind::kExact, "/items", "/items?page=2"),
      by_path("prefix", PathKind::kPrefix, "/", "/items/7?page=2"),
      by_path("path_separated_prefix", PathKind::kSeparatedPrefix, "", "/items/7?page=2"),
      std::move(ignoring_case),
      by_path("regex", PathKind::kRegex, "/[a-z]+", "/items"),
      {"regex_without_literal", [](int i) { return routeTo(PathKind::kRegex, "/[a-z]+/" + fiveDigits(i) + "/[a-z]+"); },
       [](int i) { return TestRequest("/svc/" + fiveDigits(i) + "/items"); }},
      {"template", [](int i) { return routeByTemplate("/svc" + fiveDigits(i) + "/{id}/items"); },
       [](int i) { return TestRequest("/svc" + fiveDigits(i) + "/7/items?page=2"); }},
      {"template_of_rest", [](int i) { return routeByTemplate("/svc" + fiveDigits(i) + "/**"); },
       [](int i) { return TestRequest("/svc" + fiveDigits(i) + "/7/items?page=2"); }},
      {"template_without_literal", [](int i) { return routeByTemplate("/{a}/" + fiveDigits(i) + "/{b}"); },
       [](int i) { return TestRequest("/svc/" + fiveDigits(i) + "/items"); }},
      {"header", [](int i) { return withHeader(routeTo(PathKind::kPrefix, "/"), "x-tenant", fiveDigits(i)); },
       [](int i) {
         return TestRequest("/items", "example.com", {{"x-tenant", fiveDigits(i)}});
       }},
      {"method_and_header",
       [=](int i) {
         return withHeader(withHeader(routeTo(PathKind::kPrefix, "/"), ":method", method(i)), "x-tenant",
                           fiveDigits(i));
       },
       [=](int i) {
         return TestRequest("/items", "example.com", {{":method", method(i)}, {"x-tenant", fiveDigits(i)}});
       }},
  };
}

}  // namespace sluice::route
