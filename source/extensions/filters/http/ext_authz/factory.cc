#include "source/extensions/filters/http/ext_authz/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/ext_authz/v3/ext_authz.pb.h"
#include "source/config/grpc_service.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_mutations.h"
#include "source/config/route_texts.h"
#include "source/config/runtime_compiler.h"
#include "source/config/value_matchers.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/ext_authz/filter.h"

namespace sluice::extensions::http_filters::ext_authz {
namespace {

namespace v3 = envoy::extensions::filters::http::ext_authz::v3;
using config::Context;
using Matcher = envoy::type::matcher::v3::ListStringMatcher;

constexpr std::chrono::milliseconds kDefaultTimeout{200};  // of a gRPC service

class Compiler {
 public:
  Compiler(const v3::ExtAuthz& proto, const config::FactoryContext& context)
      : proto_(proto), context_(context), at_(context.at), services_(context.services) {}

  Settings compile() {
    settings_.failure_mode_allow = proto_.failure_mode_allow();
    settings_.failure_mode_allow_header_add = proto_.failure_mode_allow_header_add();
    settings_.strip_identity = services_.defaults == config::Defaults::kEdge;
    if (proto_.has_status_on_error())
      settings_.status_on_error = static_cast<uint16_t>(proto_.status_on_error().code());
    if (settings_.status_on_error < 200) at_.child("status_on_error").error("is no final status; use 200 to 599");
    settings_.clear_route_cache = proto_.clear_route_cache();
    settings_.shadow = proto_.shadow_mode();
    compileEnabled();
    if (proto_.transport_api_version() == envoy::config::core::v3::V2) {
      at_.child("transport_api_version").error("V2 is gone; use V3");
    }
    settings_.told = {
        .peer_certificate = proto_.include_peer_certificate(),
        .tls_session = proto_.include_tls_session(),
        .namespaces = {proto_.metadata_context_namespaces().begin(), proto_.metadata_context_namespaces().end()}};
    settings_.route_namespaces.assign(proto_.route_metadata_context_namespaces().begin(),
                                      proto_.route_metadata_context_namespaces().end());
    settings_.raw_headers = proto_.encode_raw_headers();
    settings_.validate = proto_.validate_mutations();
    settings_.max_denied_body = proto_.max_denied_response_body_bytes();
    settings_.takes_metadata =
        !proto_.has_enable_dynamic_metadata_ingestion() || proto_.enable_dynamic_metadata_ingestion().value();
    if (proto_.has_decoder_header_mutation_rules()) {
      settings_.rules = config::compileMutationRules(proto_.decoder_header_mutation_rules(),
                                                     at_.child("decoder_header_mutation_rules"));
    }
    if (proto_.has_with_request_body()) settings_.body = compileBody(proto_.with_request_body());
    if (proto_.has_grpc_service()) {
      settings_.grpc = config::compileGrpcService(proto_.grpc_service(), context_.child("grpc_service"));
      if (settings_.grpc && !proto_.grpc_service().has_timeout()) settings_.grpc->timeout = kDefaultTimeout;
    } else if (proto_.has_http_service()) {
      compileService(proto_.http_service(), at_.child("http_service"));
    } else {
      at_.error("has neither grpc_service nor http_service; one of them is asked");
    }
    compileRequestHeaders();
    compileStats();
    return std::move(settings_);
  }

  static BodySettings compileBody(const v3::BufferSettings& proto) {
    return {proto.max_request_bytes(), proto.allow_partial_message(), proto.pack_as_bytes()};
  }

 private:
  void compileEnabled() {
    const runtime::Snapshot* snapshot = services_.runtime.get();
    Enabled& out = settings_.enabled;
    if (proto_.has_filter_enabled()) out.share = config::compileFraction(proto_.filter_enabled(), snapshot);
    out.deny_others = proto_.has_deny_at_disable() && config::compileFlag(proto_.deny_at_disable(), snapshot);
    if (proto_.has_filter_enabled_metadata()) {
      out.metadata = config::compileMetadataMatcher(proto_.filter_enabled_metadata(),
                                                    at_.child("filter_enabled_metadata"), regexes_);
    }
  }

  void compileService(const v3::HttpService& service, const Context& at) {
    const auto& uri = service.server_uri();
    const Context uri_at = at.child("server_uri");
    if (!service.has_server_uri()) return at.error("has no server_uri; it names the cluster of the service");
    if (uri.uri().rfind("https://", 0) == 0) {
      uri_at.child("uri").error("https is not supported yet; use http://");
    }
    settings_.cluster = uri.cluster();
    services_.cluster_names.idOf(uri.cluster());  // it stays while the filter does
    if (services_.cluster_exists && !services_.cluster_exists(uri.cluster())) {
      uri_at.child("cluster").error(
          absl::StrCat("no cluster is called '", uri.cluster(), "'; define it or correct the name"));
    }
    settings_.timeout = config::compileMilliseconds(uri.timeout());
    settings_.path_prefix = service.path_prefix();
    const Context prefix_at = at.child("path_prefix");
    if (!settings_.path_prefix.empty() && settings_.path_prefix.front() != '/') {
      prefix_at.error("does not begin with '/'; it is put before the path of each request");
    }
    config::checkPathText(settings_.path_prefix, prefix_at);

    const auto& answer = service.authorization_response();
    const Context answer_at = at.child("authorization_response");
    settings_.upstream_headers =
        matcher(answer.allowed_upstream_headers(), answer_at.child("allowed_upstream_headers"));
    settings_.upstream_headers_to_append =
        matcher(answer.allowed_upstream_headers_to_append(), answer_at.child("allowed_upstream_headers_to_append"));
    settings_.client_headers = matcher(answer.allowed_client_headers(), answer_at.child("allowed_client_headers"));
    settings_.client_headers_on_success =
        matcher(answer.allowed_client_headers_on_success(), answer_at.child("allowed_client_headers_on_success"));
    settings_.metadata_headers =
        matcher(answer.dynamic_metadata_from_headers(), answer_at.child("dynamic_metadata_from_headers"));
    compileHeadersToAdd(service.authorization_request(), at.child("authorization_request"));
  }

  void compileHeadersToAdd(const v3::AuthorizationRequest& request, const Context& at) {
    config::HeaderValueOptions options;
    for (const auto& header : request.headers_to_add()) {
      auto& option = *options.Add();
      *option.mutable_header() = header;
      option.set_append_action(envoy::config::core::v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
    }
    settings_.headers_to_add.add = config::compileHeaderAdditions(options, "headers_to_add", at);
  }

  void compileRequestHeaders() {
    const auto& request = proto_.http_service().authorization_request();
    const Context old = at_.child("http_service").child("authorization_request").child("allowed_headers");
    if (proto_.has_allowed_headers() && request.has_allowed_headers()) {
      old.error("is set beside the filter's own allowed_headers, which replaces it; keep that one");
    }
    settings_.allowed_headers = proto_.has_allowed_headers()
                                    ? matcher(proto_.allowed_headers(), at_.child("allowed_headers"))
                                    : matcher(request.allowed_headers(), old);
    settings_.disallowed_headers = matcher(proto_.disallowed_headers(), at_.child("disallowed_headers"));
  }

  void compileStats() {
    std::string base = absl::StrCat(context_.owner, "ext_authz.");
    if (!proto_.stat_prefix().empty()) absl::StrAppend(&base, proto_.stat_prefix(), ".");
    auto counter = [&](const char* name) { return context_.stats->counter(base + name); };
    settings_.stats = {
        counter("ok"),     counter("denied"), counter("error"), counter("disabled"), counter("failure_mode_allowed"),
        counter("invalid")};
  }

  NameMatcher matcher(const Matcher& list, const Context& at) { return config::compileNameMatcher(list, at, regexes_); }

  const v3::ExtAuthz& proto_;
  const config::FactoryContext& context_;
  const Context& at_;
  config::Services& services_;
  config::Regexes regexes_;
  Settings settings_;
};

class Factory : public config::RoutedHttpFilterOf<v3::ExtAuthz, v3::ExtAuthzPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const v3::ExtAuthz& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(Compiler(proto, context).compile());
  }

  config::RouteConfigPtr makeRouteConfig(const v3::ExtAuthzPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    auto settings = std::make_shared<RouteSettings>();
    settings->skip = proto.disabled();
    const auto& check = proto.check_settings();
    settings->context_extensions.insert(check.context_extensions().begin(), check.context_extensions().end());
    settings->no_body = check.disable_request_body_buffering();
    if (check.has_with_request_body()) settings->body = Compiler::compileBody(check.with_request_body());
    if (settings->no_body && settings->body) {
      context.at.child("check_settings")
          .error("has both disable_request_body_buffering and with_request_body; keep one");
      return nullptr;
    }
    return settings;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::ext_authz
