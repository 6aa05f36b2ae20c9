// Asks an HTTP or gRPC service whether a request may go on.
// (proto: envoy.extensions.filters.http.ext_authz.v3.ExtAuthz, ExtAuthzPerRoute)
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/extensions/filters/http/ext_authz/client.h"
#include "source/filter/calls.h"
#include "source/filter/grpc_client.h"
#include "source/filter/header_changes.h"
#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/match/metadata.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/route/matchers.h"
#include "source/route/mutation.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::http_filters::ext_authz {

using filter::NameMatcher;

struct Stats {
  observability::Counter ok, denied, error, disabled, failure_mode_allowed, invalid;
};

// (proto: BufferSettings)
struct BodySettings {
  uint32_t max_request_bytes = 0;
  bool allow_partial = false;
  bool as_bytes = false;  // to a gRPC service
};

// Which requests are asked about.
struct Enabled {
  runtime::Fraction share{100, 100};               // (proto: filter_enabled)
  std::optional<match::MetadataMatcher> metadata;  // nullopt: whatever filters left (proto: filter_enabled_metadata)
  bool deny_others = false;                        // (proto: deny_at_disable)
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::optional<filter::GrpcTarget> grpc;  // nullopt: an HTTP service, at `cluster`
  std::string cluster;
  std::string path_prefix;
  std::chrono::milliseconds timeout{0};  // 0: none
  std::optional<BodySettings> body;      // nullopt: the service sees no bodies
  // What a gRPC service is told besides: of the connection, of the route, and whether headers go as bytes.
  filter::ConnectionTold told = {};
  std::vector<std::string> route_namespaces = {};
  bool raw_headers = false;
  Enabled enabled = {};
  bool shadow = false;             // requests go on whatever the answer is
  bool clear_route_cache = false;  // changes of the request choose its route anew
  bool failure_mode_allow = false;
  bool failure_mode_allow_header_add = false;
  // The client's identity headers go, whether the answer has them or not.
  bool strip_identity = true;
  uint16_t status_on_error = 403;
  // Of the client's headers to the service, beside `authorization`.
  NameMatcher allowed_headers, disallowed_headers;
  route::HeaderMutations headers_to_add;
  // Of a 200: onto the request, replacing the client's; appended to the client's; onto the response.
  NameMatcher upstream_headers, upstream_headers_to_append, client_headers_on_success;
  // Of a refusal, onto the answer to the client; empty: all.
  NameMatcher client_headers;
  NameMatcher metadata_headers;  // of a permission or refusal, into the dynamic metadata
  bool takes_metadata = true;    // of a gRPC service
  uint32_t max_denied_body = 0;  // bytes; 0: any
  bool validate = false;         // headers that cannot stand in a message are answered 500
  // Of request headers: all but the authority, the scheme and the method, what the route was chosen by.
  filter::MutationRules rules{.allow_envoy = true};
  Stats stats;
};

struct RouteSettings final : route::PerFilterConfig {
  bool skip = false;                                           // the service is not asked; `disabled` is counted
  bool no_body = false;                                        // over the filter's own body settings
  std::optional<BodySettings> body = {};                       // the same
  std::map<std::string, std::string> context_extensions = {};  // told to a gRPC service
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

 private:
  bool enabledFor(filter::Context& context) const;
  filter::HookResult ask(std::string_view body, filter::Context& context);
  void answered(filter::HttpCallResponse response, filter::Context& context);
  filter::HookResult askGrpc(std::string_view body, filter::Context& context);
  void grpcAnswered(int status, std::string_view message, filter::Context& context);
  void grpcAllowed(const Decision& decision, filter::Context& context);
  void grpcDenied(Decision& decision, filter::Context& context);
  void allowed(const filter::HttpCallResponse& response, filter::Context& context);
  void failed(bool malformed, filter::Context& context);
  void fail(bool malformed, filter::Reply reply, filter::Context& context);
  void unfit(filter::Context& context);
  void grpcFailed(Decision& decision, filter::Context& context);
  void takeMetadata(const filter::HttpCallResponse& response, filter::Context& context) const;
  bool allows(const filter::HttpCallResponse& response) const;
  filter::Reply errorReply() const;
  void refuse(filter::Reply reply, filter::Context& context);
  void goOn(bool changed, filter::Context& context);
  void note(std::string_view result, uint16_t status, filter::Context& context) const;
  void stripIdentity(http::RequestHeaders& headers) const;

  const Settings& settings_;
  std::optional<BodySettings> body_;
  bool body_partial_ = false;
  std::vector<std::pair<std::string, std::string>> for_client_;
  filter::ResumeToken token_;
  filter::HeaderChanges response_changes_;  // of a gRPC service
  std::unique_ptr<filter::Call> call_;      // cancelled with the stream
  std::unique_ptr<filter::UnaryCall> grpc_call_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::ext_authz
