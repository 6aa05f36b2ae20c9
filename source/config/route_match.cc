#include "source/config/route_match.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.pb.h"
#include "source/config/any_type.h"
#include "source/config/path_template_compiler.h"
#include "source/config/rate_limits.h"
#include "source/config/runtime_compiler.h"
#include "source/config/value_matchers.h"
#include "source/match/path_template.h"
#include "source/route/template_match.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;
using envoy::extensions::path::rewrite::uri_template::v3::UriTemplateRewriteConfig;

class MatchCompiler {
 public:
  MatchCompiler(const v3::RouteMatch& config, const Context& context, Regexes& regexes, route::RouteSpec& out)
      : config_(config), context_(context), regexes_(regexes), out_(out) {}

  // `replaces_path`: what is matched is replaced by something else.
  void path(bool replaces_path) {
    out_.case_sensitive = !config_.has_case_sensitive() || config_.case_sensitive().value();
    switch (config_.path_specifier_case()) {
      case v3::RouteMatch::kPrefix:
        return text(route::PathKind::kPrefix, config_.prefix(), "prefix");
      case v3::RouteMatch::kPath:
        return text(route::PathKind::kExact, config_.path(), "path");
      case v3::RouteMatch::kPathSeparatedPrefix:
        return text(route::PathKind::kSeparatedPrefix, config_.path_separated_prefix(), "path_separated_prefix");
      case v3::RouteMatch::kSafeRegex:
        out_.path_kind = route::PathKind::kRegex;
        out_.path = config_.safe_regex().regex();
        out_.regex = regexes_.compile(config_.safe_regex(), context_.child("safe_regex"));
        return withCase("does not apply to safe_regex; write (?i) before the expression");
      case v3::RouteMatch::kConnectMatcher:
        out_.path_kind = route::PathKind::kConnect;
        return;
      case v3::RouteMatch::kPathMatchPolicy:
        withCase("does not apply to path_match_policy, which regards case; remove it");
        return byTemplate(replaces_path);
      case v3::RouteMatch::PATH_SPECIFIER_NOT_SET:
        context_.error(
            "needs one of prefix, path, safe_regex, path_separated_prefix, path_match_policy or connect_matcher");
    }
  }

  void conditions(const runtime::Snapshot* snapshot) {
    route::Conditions& out = out_.conditions;
    for (int i = 0; i < config_.headers_size(); ++i) {
      out.headers.push_back(
          compileHeaderMatcher(config_.headers(i), context_.child("headers", static_cast<size_t>(i)), regexes_));
    }
    for (int i = 0; i < config_.query_parameters_size(); ++i) {
      out.query.push_back(compileQueryMatcher(config_.query_parameters(i),
                                              context_.child("query_parameters", static_cast<size_t>(i)), regexes_));
    }
    for (int i = 0; i < config_.cookies_size(); ++i) {
      out.cookies.push_back(cookie(config_.cookies(i), context_.child("cookies", static_cast<size_t>(i))));
    }
    out.grpc = config_.has_grpc();
    ofStream(snapshot);
  }

 private:
  void text(route::PathKind kind, const std::string& text, std::string_view field) {
    out_.path_kind = kind;
    out_.path = text;
    if (text.find_first_of("?#") != std::string::npos) {
      context_.child(field).warn(
          "holds '?' or '#' and matches nothing: paths are compared without query and fragment; use "
          "query_parameters for the query");
    }
  }

  void withCase(std::string_view warning) {
    if (!out_.case_sensitive) context_.child("case_sensitive").warn(warning);
    out_.case_sensitive = true;
  }

  void byTemplate(bool replaces_path) {
    const Context at = context_.child("path_match_policy");
    const auto path = compilePathTemplate(config_.path_match_policy().typed_config(), at.child("typed_config"));
    if (!path) return;
    const absl::Status status = route::matchTemplate(*path, replaces_path, out_);
    if (!status.ok()) at.error(std::string(status.message()));
  }

  match::CookieMatcher cookie(const v3::CookieMatcher& config, const Context& context) {
    if (config.name().find_first_of("=; \t") != std::string::npos) {
      context.child("name").error("holds '=', ';' or a space, which ends a cookie's name; no request has it");
    }
    return {config.name(), regexes_.stringMatcher(config.string_match(), context.child("string_match")),
            config.invert_match()};
  }

  void ofStream(const runtime::Snapshot* snapshot) {
    route::StreamConditions out;
    if (config_.has_runtime_fraction()) out.fraction = compileFraction(config_.runtime_fraction(), snapshot);
    const auto& tls = config_.tls_context();
    if (tls.has_presented()) out.certificate_presented = tls.presented().value();
    if (tls.has_validated()) out.certificate_validated = tls.validated().value();
    if (config_.has_tls_context() && !tls.has_presented() && !tls.has_validated()) {
      context_.child("tls_context").warn("asks for nothing, so every request matches; set presented or validated");
    }
    if (tls.has_presented() && !tls.presented().value() && tls.validated().value()) {
      context_.child("tls_context")
          .warn(
              "asks for a certificate that is validated without being presented, which no "
              "request has; correct one of them");
    }
    for (int i = 0; i < config_.dynamic_metadata_size(); ++i) {
      out.metadata.push_back(compileMetadataMatcher(
          config_.dynamic_metadata(i), context_.child("dynamic_metadata", static_cast<size_t>(i)), regexes_));
    }
    for (int i = 0; i < config_.filter_state_size(); ++i) {
      out.filter_state.push_back(compileFilterStateMatcher(
          config_.filter_state(i), context_.child("filter_state", static_cast<size_t>(i)), regexes_));
    }
    if (!out.empty()) out_.conditions.stream = std::make_shared<const route::StreamConditions>(std::move(out));
  }

  const v3::RouteMatch& config_;
  const Context context_;
  Regexes& regexes_;
  route::RouteSpec& out_;
};

}  // namespace

void compileRouteMatch(const v3::Route& config, const Context& context, Regexes& regexes,
                       const runtime::Snapshot* snapshot, route::RouteSpec& out) {
  const bool replaces_path = !config.route().prefix_rewrite().empty() || !config.redirect().prefix_rewrite().empty();
  MatchCompiler compiler(config.match(), context.child("match"), regexes, out);
  compiler.path(replaces_path);
  compiler.conditions(snapshot);
}

std::optional<route::RegexRewrite> compilePathRewritePolicy(const v3::Route& config, const Context& context) {
  const v3::RouteAction& action = config.route();
  if (!action.has_path_rewrite_policy()) return std::nullopt;
  const Context at = context.child("route").child("path_rewrite_policy");
  const auto policy =
      unpackOnly<UriTemplateRewriteConfig>(action.path_rewrite_policy().typed_config(), at.child("typed_config"));
  if (policy == nullptr) return std::nullopt;
  if (!config.match().has_path_match_policy()) {
    at.error("needs the template of a path_match_policy in the route's match; set that, or use another rewrite");
    return std::nullopt;
  }
  if (!action.prefix_rewrite().empty() || action.has_regex_rewrite() || !action.path_rewrite().empty()) {
    context.child("route").error(
        "has path_rewrite_policy beside prefix_rewrite, regex_rewrite or path_rewrite, which rewrite the same path; "
        "keep one of them");
    return std::nullopt;
  }
  ErrorList told_of_match;
  const auto path = compilePathTemplate(config.match().path_match_policy().typed_config(), Context(told_of_match));
  if (!path) return std::nullopt;
  const auto substitution = path->substitution(policy->path_template_rewrite());
  if (!substitution.ok()) {
    at.child("typed_config").child("path_template_rewrite").error(std::string(substitution.status().message()));
    return std::nullopt;
  }
  const auto regex = match::compileRegex(absl::StrCat("^", path->pattern(), "$"));
  if (!regex.ok()) {
    at.error(std::string(regex.status().message()));
    return std::nullopt;
  }
  return route::RegexRewrite{*regex, *substitution, true};
}

}  // namespace sluice::config
