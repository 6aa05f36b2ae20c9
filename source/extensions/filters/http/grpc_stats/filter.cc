#include "source/extensions/filters/http/grpc_stats/filter.h"

#include "absl/strings/str_cat.h"
#include "source/filter/stream.h"

namespace sluice::extensions::filters::http::grpc_stats {

using filter::HookResult;
using filter::Next;
using sluice::http::Name;
namespace grpc = sluice::http::grpc;

namespace {

void countMany(filter::Stream& stream, observability::Counter counter, uint64_t times) {
  for (; times > 0; --times) stream.count(counter);
}

}  // namespace

HookResult Filter::onRequestHeaders(sluice::http::RequestHeaders& headers, filter::Stream&) {
  if (!grpc::isGrpcRequest(headers)) return Next{};
  const auto method = settings_.methods.find(headers.pathOnly());
  stats_ = method == settings_.methods.end() ? &settings_.others : &method->second;
  return Next{};
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Stream& stream) {
  if (stats_ == nullptr) return Next{};
  const uint64_t messages = request_counter_.count(chunk.bytes());
  requests_ += messages;
  countMany(stream, stats_->request_messages, messages);
  if (messages > 0) emit(stream);
  return Next{};
}

HookResult Filter::onResponseHeaders(sluice::http::ResponseHeaders& headers, filter::Stream& stream) {
  if (stats_ == nullptr) return Next{};
  const auto type = headers.get(Name::kContentType);
  counts_response_ = headers.status == 200 && type && grpc::isGrpcContentType(*type);
  if (stream.headersOnly()) ended(headers, stream);
  return Next{};
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Stream& stream) {
  if (stats_ == nullptr) return Next{};
  if (counts_response_) {
    const uint64_t messages = response_counter_.count(chunk.bytes());
    responses_ += messages;
    countMany(stream, stats_->response_messages, messages);
    if (messages > 0) emit(stream);
  }
  if (chunk.endStream()) ended(stream.response(), stream);
  return Next{};
}

HookResult Filter::onResponseTrailers(sluice::http::Trailers& trailers, filter::Stream& stream) {
  if (stats_ != nullptr) ended(trailers, stream);
  return Next{};
}

void Filter::ended(const sluice::http::HeaderList& status, filter::Stream& stream) {
  const auto value = status.get(Name::kGrpcStatus);
  const bool ok = value && grpc::parseStatus(*value) == grpc::kOk;
  stream.count(ok ? stats_->success : stats_->failure);
  stream.count(stats_->total);
  emit(stream);
}

void Filter::emit(filter::Stream& stream) const {
  if (!settings_.emit_filter_state) return;
  stream.info().filterState().set(
      "envoy.filters.http.grpc_stats",
      absl::StrCat("{\"request_message_count\":", requests_, ",\"response_message_count\":", responses_, "}"));
}

}  // namespace sluice::extensions::filters::http::grpc_stats
