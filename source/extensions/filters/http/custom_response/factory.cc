#include "source/extensions/filters/http/custom_response/factory.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/custom_response/v3/custom_response.pb.h"
#include "envoy/extensions/http/custom_response/local_response_policy/v3/local_response_policy.pb.h"
#include "envoy/extensions/http/custom_response/redirect_policy/v3/redirect_policy.pb.h"
#include "source/config/any_type.h"
#include "source/config/format/substitution_format.h"
#include "source/config/http_filter_factory.h"
#include "source/config/matcher_compiler.h"
#include "source/config/route_mutations.h"
#include "source/config/route_texts.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/custom_response/filter.h"

namespace sluice::extensions::http_filters::custom_response {
namespace {

namespace v3 = envoy::extensions::filters::http::custom_response::v3;
using config::Context;
using envoy::config::route::v3::RedirectAction;
using envoy::extensions::http::custom_response::local_response_policy::v3::LocalResponsePolicy;
using envoy::extensions::http::custom_response::redirect_policy::v3::RedirectPolicy;

route::HeaderMutations additions(const config::HeaderValueOptions& add, std::string_view field, const Context& at) {
  route::HeaderMutations out;
  out.add = config::compileHeaderAdditions(add, field, at);
  return out;
}

LocalResponse compileLocal(const LocalResponsePolicy& proto, const Context& at) {
  LocalResponse out;
  if (proto.has_body()) out.body = config::compileDataSource(proto.body(), at.child("body")).value_or("");
  if (proto.has_body_format()) {
    auto format = config::compileBodyFormat(proto.body_format());
    if (format.ok()) {
      out.format = *std::move(format);
    } else {
      at.child("body_format").error(std::string(format.status().message()));
    }
  }
  if (proto.has_status_code()) out.status = static_cast<uint16_t>(proto.status_code().value());
  out.headers = additions(proto.response_headers_to_add(), "response_headers_to_add", at);
  return out;
}

// An absolute URI, without user information and fragment.
Target compileUri(const std::string& uri, const Context& at) {
  Target out;
  const size_t colon = uri.find("://");
  if (colon == std::string::npos) {
    at.error("is no absolute URI; write it as \"http://host/path\"");
    return out;
  }
  out.scheme = uri.substr(0, colon);
  if (out.scheme != "http" && out.scheme != "https") at.error("is of another scheme than http and https");
  const size_t host = colon + 3, path = uri.find_first_of("/?#", host);
  out.host = uri.substr(host, path == std::string::npos ? path : path - host);
  if (out.host.empty()) at.error("names no host");
  config::checkHostText(out.host, at);
  out.path = path == std::string::npos ? "/" : uri.substr(path);
  if (out.path.front() != '/') out.path.insert(0, "/");
  config::checkPathText(out.path, at);
  out.strip_query = true;
  return out;
}

Target compileAction(const RedirectAction& proto, const Context& at) {
  Target out;
  if (proto.has_prefix_rewrite() || proto.has_regex_rewrite() || proto.has_path_rewrite()) {
    at.error("rewrites the path, which is not supported for answers from elsewhere; say it whole by path_redirect");
  }
  if (proto.host_redirect().empty() && proto.path_redirect().empty()) {
    at.error("leads nowhere else; needs host_redirect or path_redirect");
  }
  out.scheme = proto.https_redirect() ? "https" : proto.scheme_redirect();
  if (!out.scheme.empty()) config::checkScheme(out.scheme, at.child("scheme_redirect"));
  out.host = proto.host_redirect();
  config::checkHostText(out.host, at.child("host_redirect"));
  out.port = static_cast<uint16_t>(proto.port_redirect());
  if (proto.port_redirect() > 65535) at.child("port_redirect").error("is no port; use 1 to 65535");
  out.path = proto.path_redirect();
  config::checkPathText(out.path, at.child("path_redirect"));
  if (!out.path.empty() && out.path.front() != '/') at.child("path_redirect").error("does not begin with '/'");
  out.strip_query = proto.strip_query();
  return out;
}

Redirect compileRedirect(const RedirectPolicy& proto, const config::FactoryContext& context, const Context& at) {
  Redirect out;
  out.target = proto.has_redirect_action() ? compileAction(proto.redirect_action(), at.child("redirect_action"))
                                           : compileUri(proto.uri(), at.child("uri"));
  if (proto.has_status_code()) out.status = static_cast<uint16_t>(proto.status_code().value());
  out.request_headers = additions(proto.request_headers_to_add(), "request_headers_to_add", at);
  out.response_headers = additions(proto.response_headers_to_add(), "response_headers_to_add", at);
  out.no_route = context.stats->counter(absl::StrCat(context.owner, "custom_response_redirect_no_route"));
  out.invalid_uri = context.stats->counter(absl::StrCat(context.owner, "custom_response_invalid_uri"));
  return out;
}

Responses compileResponses(const v3::CustomResponse& proto, const config::FactoryContext& context) {
  Responses out;
  if (!proto.has_custom_response_matcher()) return out;
  const auto action = [&](const google::protobuf::Any& any, const Context& at) -> std::optional<match::Action> {
    const auto message = config::unpackAny(any, at);
    if (message == nullptr) return std::nullopt;
    if (const auto* local = dynamic_cast<const LocalResponsePolicy*>(message.get())) {
      out.policies.emplace_back(compileLocal(*local, at));
    } else if (const auto* redirect = dynamic_cast<const RedirectPolicy*>(message.get())) {
      out.policies.emplace_back(compileRedirect(*redirect, context, at));
    } else {
      at.error(absl::StrCat("is a ", message->GetDescriptor()->full_name(), "; here ",
                            LocalResponsePolicy::descriptor()->full_name(), " and ",
                            RedirectPolicy::descriptor()->full_name(), " are supported"));
      return std::nullopt;
    }
    return static_cast<match::Action>(out.policies.size() - 1);
  };
  out.matcher = config::compileMatcher(proto.custom_response_matcher(),
                                       {"custom_response_matcher", match::kResponseParts, false, action},
                                       context.child("custom_response_matcher"));
  return out;
}

class Factory : public config::RoutedHttpFilterOf<v3::CustomResponse> {
 public:
  config::HttpFilterPtr makeFilter(const v3::CustomResponse& proto,
                                   const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileResponses(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::CustomResponse& proto,
                                         const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileResponses(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::custom_response
