#include "source/extensions/filters/http/jwt_authn/rules.h"

#include <span>
#include <utility>

#include "source/base/ascii.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

constexpr size_t kLinear = 3;

// `spec` keeps what it points to.
route::RouteMatcher matcherOf(route::RouteSpec& spec) {
  route::RouteMatcher out{.kind = spec.path_kind, .case_sensitive = spec.case_sensitive};
  if (spec.path_kind == route::PathKind::kRegex) {
    out.case_sensitive = true;
    out.path = spec.regex->pattern();
    out.regex = spec.regex.get();
  } else {
    if (!spec.case_sensitive) base::lowerInPlace(spec.path);
    out.path = spec.path;
  }
  if (!spec.conditions.empty()) {
    for (route::HeaderMatcher& header : spec.conditions.headers) header.setName(header.name);
    out.conditions = &spec.conditions;
  }
  return out;
}

}  // namespace

Rules::Rules(std::vector<route::RouteSpec> specs) {
  if (specs.empty()) return;
  auto content = std::make_unique<Content>();
  for (route::RouteSpec& spec : specs) {
    by_chance_ |= spec.conditions.stream != nullptr && spec.conditions.stream->fraction;
    content->specs.push_back(std::move(spec));
    content->routes.push_back({.matcher = matcherOf(content->specs.back())});
  }
  if (content->routes.size() > kLinear) {
    content->index = std::make_unique<route::PathIndex>(std::span<const route::Route>(content->routes), content->texts);
  }
  const route::RouteMatcher& first = content->routes.front().matcher;
  first_takes_all_ = first.kind == route::PathKind::kPrefix && first.path == "/" && first.unconditional();
  content_ = std::move(content);
}

std::optional<size_t> Rules::find(const http::RequestHeaders& request, bool without_parameters,
                                  route::Surroundings around) const {
  if (!content_) return std::nullopt;
  if (first_takes_all_ && request.path.starts_with('/')) return 0;
  const std::vector<route::Route>& routes = content_->routes;
  route::RequestView view = route::RequestView::of(request, around);
  if (without_parameters) view.path = route::withoutParameters(view.path, request.arena());
  const bool connect = request.path.empty();
  if (!connect && content_->index) {
    const uint32_t found = content_->index->find(view);
    return found < routes.size() ? std::optional<size_t>(found) : std::nullopt;
  }
  for (size_t i = 0; i < routes.size(); ++i) {
    const route::RouteMatcher& matcher = routes[i].matcher;
    if (connect ? matcher.kind == route::PathKind::kConnect &&
                      (matcher.conditions == nullptr || matcher.conditions->hold(view))
                : matcher.matches(view)) {
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace sluice::extensions::http_filters::jwt_authn
