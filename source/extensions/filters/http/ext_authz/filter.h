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
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/route/matchers.h"
#include "source/route/mutation.h"

namespace sluice::extensions::http_filters::ext_authz {

using filter::NameMatcher;

struct Stats {
  observability::Counter ok, denied, error, disabled, failure_mode_allowed;
};

// (proto: BufferSettings)
struct BodySettings {
  uint32_t max_request_bytes = 0;
  bool allow_partial = false;
  bool as_bytes = false;  // to a gRPC service
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::optional<filter::GrpcTarget> grpc;  // nullopt: an HTTP service, at `cluster`
  std::string cluster;
  std::string path_prefix;
  std::chrono::milliseconds timeout{0};  // 0: none
  std::optional<BodySettings> body;      // nullopt: the service sees no bodies
  bool peer_certificate = false;         // a gRPC service is told of it
  bool tls_session = false;              // the same
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
  Stats stats;
};

struct RouteSettings : route::PerFilterConfig {
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
  filter::HookResult ask(std::string_view body, filter::Context& context);
  void answered(filter::HttpCallResponse response, filter::Context& context);
  filter::HookResult askGrpc(std::string_view body, filter::Context& context);
  void grpcAnswered(int status, std::string_view message, filter::Context& context);
  void grpcAllowed(const Decision& decision, filter::Context& context);
  void grpcDenied(Decision& decision, filter::Context& context);
  void allowed(const filter::HttpCallResponse& response, filter::Context& context);
  void failed(bool malformed, filter::Context& context);
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
