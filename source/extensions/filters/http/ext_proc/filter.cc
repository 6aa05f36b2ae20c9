#include "source/extensions/filters/http/ext_proc/filter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/filter/context.h"

namespace sluice::extensions::http_filters::ext_proc {

using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::HeaderList;
using http::Name;

namespace {

constexpr std::string_view kGrpcError = "ext_proc_error_gRPC_error";
constexpr std::string_view kSpurious = "ext_proc_error_spurious_message";
constexpr std::string_view kMutation = "ext_proc_error_invalid_mutation";
constexpr std::string_view kTimeout = "ext_proc_error_per-message_timeout_exceeded";
constexpr std::string_view kImmediate = "ext_proc_immediate_response";

}  // namespace

void Filter::begin(filter::Context& context) {
  if (context_ != nullptr) return;
  context_ = &context;
  target_ = &settings_.target;
  mode_ = settings_.mode;
  failure_mode_allow_ = settings_.failure_mode_allow;
  forwarding_ = &settings_.forwarding_namespaces;
  receiving_ = &settings_.receiving_namespaces;
  request_.attributes = &settings_.request_attributes;
  response_.attributes = &settings_.response_attributes;
  if (const auto* route = context.routeConfigAs<RouteSettings>()) {
    if (route->mode) mode_ = *route->mode;
    if (route->target) target_ = &*route->target;
    failure_mode_allow_ = route->failure_mode_allow.value_or(failure_mode_allow_);
    if (route->forwarding_namespaces) forwarding_ = &*route->forwarding_namespaces;
    if (route->receiving_namespaces) receiving_ = &*route->receiving_namespaces;
    if (route->request_attributes) request_.attributes = &*route->request_attributes;
    if (route->response_attributes) response_.attributes = &*route->response_attributes;
  }
}

HeaderList& Filter::headersOf(const Direction& direction) {
  if (direction.request) return context_->request();
  return context_->response();
}

MessageContext Filter::messageContext(Direction& direction) {
  MessageContext out{settings_.forward, *forwarding_, context_->info()};
  if (std::exchange(direction.told, true) || direction.attributes->empty()) return out;
  const http::ResponseHeaders* response = direction.request ? nullptr : &context_->response();
  out.attributes = valuesOf(*direction.attributes,
                            {.request = &context_->request(), .response = response, .info = context_->info()});
  return out;
}

// --- questions -------------------------------------------------------------------------------------------------------

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  begin(context);
  request_.head_only = context.requestHeadersOnly();
  if (finished_ || !mode_.request_headers) return withBody(request_);
  return ask(request_, Part::kHeaders, encodeHeaders(headers, messageContext(request_), request_.head_only));
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  begin(context);
  response_.head_only = context.responseHeadersOnly();
  if (finished_ || !mode_.response_headers) return withBody(response_);
  return ask(response_, Part::kHeaders, encodeHeaders(headers, messageContext(response_), response_.head_only));
}

HookResult Filter::withBody(Direction& direction) {
  if (finished_ || direction.head_only) return Next{};
  switch (bodyMode(direction)) {
    case BodyMode::kNone:
      break;
    case BodyMode::kStreamed:
      headersOf(direction).remove(Name::kContentLength);  // the processor may change it
      break;
    case BodyMode::kBuffered:
      return filter::Collect{settings_.max_buffered_body};
    case BodyMode::kBufferedPartial:
      return filter::Collect{settings_.max_buffered_body, true};
  }
  return Next{};
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context&) {
  return onData(request_, chunk);
}
HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context&) {
  return onData(response_, chunk);
}

HookResult Filter::onData(Direction& direction, filter::Chunk& chunk) {
  if (direction.replaced) {
    chunk.replace({});
    return Next{};
  }
  // What comes behind a collected beginning goes on as it is.
  if (finished_ || direction.body_held || bodyMode(direction) != BodyMode::kStreamed) return Next{};
  return ask(direction, Part::kBody,
             encodeBody(direction.request, chunk.bytes(), messageContext(direction), chunk.endStream()));
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context&) {
  return onBody(request_, body);
}
HookResult Filter::onResponseBody(filter::Body& body, filter::Context&) {
  return onBody(response_, body);
}

HookResult Filter::onBody(Direction& direction, filter::Body& body) {
  direction.body_held = true;
  if (finished_) return Next{};
  return ask(direction, Part::kBody,
             encodeBody(direction.request, body.bytes(), messageContext(direction), body.endStream()));
}

HookResult Filter::onRequestTrailers(http::Trailers& trailers, filter::Context&) {
  return onTrailers(request_, trailers, mode_.request_trailers);
}
HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context&) {
  return onTrailers(response_, trailers, mode_.response_trailers);
}

HookResult Filter::onTrailers(Direction& direction, http::Trailers& trailers, bool sends) {
  if (direction.replaced) trailers.clear();
  if (direction.replaced || finished_ || !sends) return Next{};
  return ask(direction, Part::kTrailers, encodeTrailers(direction.request, trailers, messageContext(direction)));
}

HookResult Filter::ask(Direction& direction, Part part, std::string_view message) {
  if (failure_.empty() && !call_) {
    call_ = context_->calls().openGrpc(target_->request(kMethodPath), *this);
    context_->count(settings_.stats.streams_started);
  }
  if (finished_) return Next{};
  if (!failure_.empty()) {
    finished_ = true;
    return errorReply();
  }
  context_->count(settings_.stats.messages_sent);
  direction.token = context_->resumeToken();
  direction.waits = part;
  direction.more_time_given = false;
  arm(direction, settings_.message_timeout);
  call_->sendMessage(message, false);
  return filter::Pause{};
}

void Filter::arm(Direction& direction, std::chrono::milliseconds timeout) {
  direction.timer.reset();
  if (timeout.count() > 0)
    direction.timer = context_->calls().after(timeout, [this, &direction] { timedOut(direction); });
}

void Filter::timedOut(Direction& direction) {
  if (finished_ || !direction.token) return;
  context_->count(settings_.stats.message_timeouts);
  fail(kTimeout, 504);
}

// --- answers ---------------------------------------------------------------------------------------------------------

void Filter::onGrpcMessage(std::string_view message) {
  if (finished_ || !failure_.empty()) return;
  context_->count(settings_.stats.messages_received);
  std::optional<Answer> answer = decodeAnswer(message);
  if (answer) {
    switch (answer->kind) {
      case Answer::Kind::kMoreTime:
        return giveMoreTime(answer->more_time);
      case Answer::Kind::kImmediate:
        if (settings_.disable_immediate_response || (!request_.waits && !response_.waits)) break;
        takeMetadata(answer->metadata);
        return replyNow(*answer);
      case Answer::Kind::kRequest:
      case Answer::Kind::kResponse: {
        Direction& direction = answer->kind == Answer::Kind::kRequest ? request_ : response_;
        if (direction.waits != answer->part) break;
        takeMetadata(answer->metadata);
        return answered(direction, *answer);
      }
    }
  }
  context_->count(settings_.stats.spurious_messages);
  fail(kSpurious);
}

void Filter::takeMetadata(stream::MetadataFields& metadata) {
  for (stream::MetadataField& space : metadata) {
    const auto& known = *receiving_;
    auto* fields = std::get_if<stream::MetadataFields>(&space.value.value);
    if (fields == nullptr || std::find(known.begin(), known.end(), space.name) == known.end()) continue;
    for (stream::MetadataField& field : *fields) {
      context_->info().metadata().set(space.name, field.name, std::move(field.value));
    }
  }
}

void Filter::onGrpcEnd(int status, std::string_view) {
  call_.reset();
  if (finished_ || !failure_.empty()) return;
  if (status != 0) return fail(kGrpcError);
  finish();
}

void Filter::answered(Direction& direction, Answer& answer) {
  direction.timer.reset();
  direction.waits.reset();
  if (!direction.token) return;  // the message was answered by somebody else meanwhile
  if (answer.part == Part::kHeaders) return headAnswered(direction, answer);
  if (answer.part == Part::kBody) return bodyAnswered(direction, answer);
  if (change(direction, answer)) direction.token.resume();
}

bool Filter::change(Direction& direction, const Answer& answer) {
  filter::Applied applied;
  if (answer.part == Part::kTrailers) {
    applied = applyTrailerChanges(answer.headers, settings_.rules,
                                  direction.request ? context_->requestTrailers() : context_->responseTrailers());
  } else if (direction.request) {
    applied = applyChanges(answer.headers, settings_.rules, context_->request());
  } else {
    applied = applyChanges(answer.headers, settings_.rules, context_->response());
  }
  for (int i = 0; i < applied.refused; ++i) context_->count(settings_.stats.rejected_header_mutations);
  if (applied.failed) fail(kMutation);
  return !applied.failed;
}

void Filter::overrideMode(Mode mode) {
  mode.request_headers = mode_.request_headers;  // that time is over
  const auto& modes = settings_.override_modes;
  const bool allowed = modes.empty() || std::any_of(modes.begin(), modes.end(), [mode](Mode other) {
                         other.request_headers = mode.request_headers;
                         return other == mode;
                       });
  if (allowed) mode_ = mode;
}

void Filter::headAnswered(Direction& direction, Answer& answer) {
  if (!change(direction, answer)) return;
  if (answer.mode && settings_.allow_mode_override) overrideMode(*answer.mode);
  if (answer.replaces_message) {
    direction.replaced = true;
    std::string body = std::move(answer.body).value_or("");
    headersOf(direction).remove(Name::kContentLength);
    if (!direction.head_only || !body.empty())
      headersOf(direction).set(Name::kContentLength, absl::StrCat(body.size()));
    return direction.token.resumeWith(std::move(body));
  }
  HookResult next = withBody(direction);
  if (next.kind() == HookResult::Kind::kCollect) return direction.token.collect(next.collect());
  direction.token.resume();
}

void Filter::bodyAnswered(Direction& direction, Answer& answer) {
  // Headers that went on already stay as they are.
  if (direction.body_held && !change(direction, answer)) return;
  if (!answer.body) return direction.token.resume();
  direction.token.resumeWith(std::move(*answer.body));
}

void Filter::replyNow(Answer& answer) {
  finished_ = true;
  Reply reply{answer.status, std::move(answer.body).value_or(""), kImmediate};
  reply.grpc_status = answer.grpc_status;
  if (!answer.details.empty()) reply.details = context_->arena().copy(answer.details);
  http::ResponseHeaders headers(context_->arena());
  const filter::Applied applied = applyChanges(answer.headers, settings_.rules, headers);
  for (int i = 0; i < applied.refused; ++i) context_->count(settings_.stats.rejected_header_mutations);
  for (const auto& field : headers) reply.headers.emplace_back(field.name, field.value);
  call_.reset();
  request_.timer.reset();
  response_.timer.reset();
  if (request_.token) return request_.token.reply(std::move(reply));
  if (response_.token) return response_.token.reply(std::move(reply));
}

void Filter::giveMoreTime(std::chrono::milliseconds time) {
  if (time.count() <= 0 || time > settings_.max_message_timeout) return;
  for (Direction* direction : {&request_, &response_}) {
    if (!direction->waits || direction->more_time_given) continue;
    direction->more_time_given = true;  // once for each message
    arm(*direction, time);
  }
}

// --- ends ------------------------------------------------------------------------------------------------------------

Reply Filter::errorReply() const {
  return Reply{settings_.status_on_error != 0 ? settings_.status_on_error : failure_status_, "", failure_};
}

void Filter::finish() {
  finished_ = true;
  for (Direction* direction : {&request_, &response_}) {
    direction->timer.reset();
    direction->waits.reset();
  }
  if (request_.token) request_.token.resume();
  if (response_.token) response_.token.resume();
}

void Filter::fail(std::string_view details, uint16_t status) {
  context_->count(settings_.stats.streams_failed);
  call_.reset();
  if (failure_mode_allow_) {
    context_->count(settings_.stats.failure_mode_allowed);
    return finish();
  }
  failure_ = details;
  failure_status_ = status;
  request_.timer.reset();
  response_.timer.reset();
  if (!request_.token && !response_.token) return;  // the next question gets the error
  finished_ = true;
  if (request_.token) return request_.token.reply(errorReply());
  response_.token.reply(errorReply());
}

}  // namespace sluice::extensions::http_filters::ext_proc
