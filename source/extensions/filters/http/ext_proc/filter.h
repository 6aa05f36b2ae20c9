// Lets a service see and change both messages of an exchange over one gRPC stream.
// (proto: envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor, ExtProcPerRoute)
//
// In each direction at most one message waits for its answer; the two directions are independent. An answer that does
// not belong to a message that waits is a failure of the service.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/extensions/filters/http/ext_proc/attributes.h"
#include "source/extensions/filters/http/ext_proc/client.h"
#include "source/filter/grpc_client.h"
#include "source/filter/header_changes.h"
#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::ext_proc {

struct Stats {
  observability::Counter streams_started, streams_failed, messages_sent, messages_received, spurious_messages,
      failure_mode_allowed, message_timeouts, rejected_header_mutations;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  static constexpr size_t kMaxBufferedBody = 1024 * 1024;

  filter::GrpcTarget target;
  Mode mode;
  ForwardRules forward;
  std::vector<std::string> forwarding_namespaces;
  std::vector<std::string> receiving_namespaces;
  std::vector<NamedAttribute> request_attributes, response_attributes;
  std::vector<Mode> override_modes;  // that answers may ask for; empty: any
  filter::MutationRules rules;
  bool failure_mode_allow = false;
  bool allow_mode_override = false;
  bool disable_immediate_response = false;
  std::chrono::milliseconds message_timeout{200};  // 0: none
  std::chrono::milliseconds max_message_timeout{0};
  uint16_t status_on_error = 0;  // 0: 504 for a timeout, 500 for anything else
  size_t max_buffered_body = kMaxBufferedBody;
  Stats stats;
};

struct RouteSettings final : route::PerFilterConfig {
  explicit RouteSettings(bool disabled = false) : PerFilterConfig(disabled) {}
  std::optional<Mode> mode;
  std::optional<filter::GrpcTarget> target;
  std::optional<bool> failure_mode_allow;
  // Instead of the filter's.
  std::optional<std::vector<std::string>> forwarding_namespaces, receiving_namespaces;
  std::optional<std::vector<NamedAttribute>> request_attributes, response_attributes;
};

class Filter : public filter::HttpFilter, private filter::GrpcEvents {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  // One direction.
  struct Direction {
    explicit Direction(bool request) : request(request) {}
    const bool request;
    filter::ResumeToken token;
    std::optional<Part> waits;  // for the answer to this
    std::unique_ptr<filter::Call> timer;
    bool more_time_given = false;
    bool head_only = false;
    bool body_held = false;  // the body was collected: its headers can still be changed
    bool told = false;       // of the attributes
    const std::vector<NamedAttribute>* attributes = nullptr;
    bool replaced = false;  // the processor gave the rest of the message: what comes is dropped
  };

  void begin(filter::Context& context);
  BodyMode bodyMode(const Direction& direction) const {
    return direction.request ? mode_.request_body : mode_.response_body;
  }
  http::HeaderList& headersOf(const Direction& direction);
  // What a headers hook returns for the body that follows, if the headers themselves need not wait.
  filter::HookResult withBody(Direction& direction);
  filter::HookResult onData(Direction& direction, filter::Chunk& chunk);
  filter::HookResult onBody(Direction& direction, filter::Body& body);
  filter::HookResult onTrailers(Direction& direction, http::Trailers& trailers, bool sends);
  filter::HookResult ask(Direction& direction, Part part, std::string_view message);
  void arm(Direction& direction, std::chrono::milliseconds timeout);
  void timedOut(Direction& direction);

  MessageContext messageContext(Direction& direction);
  void takeMetadata(stream::MetadataFields& metadata);
  void onGrpcMessage(std::string_view message) override;
  void onGrpcEnd(int status, std::string_view message) override;
  void answered(Direction& direction, Answer& answer);
  void headAnswered(Direction& direction, Answer& answer);
  void bodyAnswered(Direction& direction, Answer& answer);
  // False after fail().
  bool change(Direction& direction, const Answer& answer);
  void replyNow(Answer& answer);
  void giveMoreTime(std::chrono::milliseconds time);
  void overrideMode(Mode mode);

  filter::Reply errorReply() const;
  // The service failed: by configuration the exchange goes on without it, or is over.
  void fail(std::string_view details, uint16_t status = 500);
  // Whatever waits goes on; the processor is asked no more.
  void finish();

  const Settings& settings_;
  const filter::GrpcTarget* target_ = nullptr;
  const std::vector<std::string>*forwarding_ = nullptr, *receiving_ = nullptr;
  filter::Context* context_ = nullptr;  // null: no hook has run
  Mode mode_;
  bool failure_mode_allow_ = false;
  bool finished_ = false;     // the processor is not asked any more
  std::string_view failure_;  // empty: none; the next question is answered with an error
  uint16_t failure_status_ = 500;
  Direction request_{true};
  Direction response_{false};
  std::unique_ptr<filter::GrpcCall> call_;  // cancelled with the stream
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::ext_proc
