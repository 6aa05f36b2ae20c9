#include "source/extensions/filters/http/grpc_stats/filter.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/base/text.h"
#include "source/filter/context.h"

namespace sluice::extensions::http_filters::grpc_stats {

using filter::HookResult;
using filter::Next;
using http::Name;
namespace grpc = http::grpc;

std::string shownMethod(std::string_view path, bool replace_dots) {
  const size_t slash = path.find('/', 1);
  if (!path.starts_with('/') || slash == std::string_view::npos || slash == 1 || slash + 1 == path.size()) return {};
  std::string service(path.substr(1, slash - 1));
  const std::string_view method = path.substr(slash + 1);
  const auto is_name = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  };
  if (!std::all_of(service.begin(), service.end(), is_name)) return {};
  if (!std::all_of(method.begin(), method.end(), [&](char c) { return is_name(c) && c != '.'; })) return {};
  if (replace_dots) std::replace(service.begin(), service.end(), '.', '_');
  return base::strCat(service, ".", method, ".");
}

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (!grpc::isGrpcRequest(headers)) return Next{};
  cluster_ = context.cluster();
  if (cluster_.empty()) return Next{};
  name_ = "grpc.";
  if (settings_.all_methods) {
    name_ += shownMethod(headers.pathOnly(), settings_.replace_dots);
  } else if (const auto method = settings_.methods.find(headers.pathOnly()); method != settings_.methods.end()) {
    name_ += method->second;
  }
  name_size_ = name_.size();
  return Next{};
}

void Filter::count(std::string_view what, filter::Context& context, uint64_t n) {
  name_.resize(name_size_);
  name_ += what;
  context.calls().count(cluster_, name_, n);
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context& context) {
  if (cluster_.empty()) return Next{};
  const uint64_t messages = request_counter_.count(chunk.bytes());
  requests_ += messages;
  if (messages == 0) return Next{};
  count("request_message_count", context, messages);
  emit(context);
  return Next{};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (cluster_.empty()) return Next{};
  const auto type = headers.get(Name::kContentType);
  counts_response_ = headers.status == 200 && type && grpc::isGrpcContentType(*type);
  if (context.responseHeadersOnly()) ended(&headers, context);
  return Next{};
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context& context) {
  if (cluster_.empty()) return Next{};
  const uint64_t messages = counts_response_ ? response_counter_.count(chunk.bytes()) : 0;
  responses_ += messages;
  if (messages > 0) {
    count("response_message_count", context, messages);
    emit(context);
  }
  if (chunk.endStream()) ended(&context.response(), context);
  return Next{};
}

HookResult Filter::onResponseTrailers(http::Trailers& trailers, filter::Context& context) {
  ended(&trailers, context);
  return Next{};
}

void Filter::onStreamEnd(filter::Context& context) {
  ended(nullptr, context);
}

// Once. `status`: where it stands; null: the call was cut.
void Filter::ended(const http::HeaderList* status, filter::Context& context) {
  if (cluster_.empty()) return;
  const auto value = status == nullptr ? std::nullopt : status->get(Name::kGrpcStatus);
  const int code = value ? grpc::parseStatus(*value) : -1;
  if (code >= 0) count(absl::StrCat(code), context);
  count(code == grpc::kOk ? "success" : "failure", context);
  count("total", context);
  emit(context);
  cluster_ = {};
}

void Filter::emit(filter::Context& context) const {
  if (!settings_.emit_filter_state) return;
  context.info().filterState().set(
      "envoy.filters.http.grpc_stats",
      absl::StrCat("{\"request_message_count\":", requests_, ",\"response_message_count\":", responses_, "}"));
}

}  // namespace sluice::extensions::http_filters::grpc_stats
