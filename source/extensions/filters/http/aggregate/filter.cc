#include "source/extensions/filters/http/aggregate/filter.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "source/base/json_slice.h"
#include "source/base/percent.h"
#include "source/http/rules.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::aggregate {
namespace {

using filter::HookResult;
using filter::Reply;

// Nothing if a value would make it the path of something else: by climbing, or by not being there, so that the call
// asks for all of what it means one of.
std::optional<std::string> pathOf(const CallSettings& call, const stream::FormatContext& facts) {
  std::string path;
  for (const PathPiece& piece : call.path) {
    path += piece.text;
    if (piece.value == nullptr) continue;
    std::string value;
    piece.value->format(facts, value);
    if (value.empty() && path.find('?') == std::string::npos) return std::nullopt;
    path += base::percentEncoded(value);
  }
  if (http::hasDotSegment(std::string_view(path).substr(0, path.find('?')))) return std::nullopt;
  return path;
}

filter::HttpCallRequest requestOf(const CallSettings& call, std::string path, const http::RequestHeaders& request) {
  filter::HttpCallRequest out{.cluster = call.cluster,
                              .path = std::move(path),
                              .authority = call.host.empty() ? std::string(request.authority) : call.host,
                              .timeout = call.timeout,
                              .max_response_body = call.max_response_bytes};
  for (const std::string& name : call.forwarded_headers) {
    for (const http::Field& field : request) {
      if (field.name == name) out.headers.emplace_back(field.name, field.value);
    }
  }
  return out;
}

bool counts(const CallSettings& call, const filter::HttpCallResponse& answer) {
  const auto holds = [&](const StatusRange& range) {
    return range.start <= answer.status && answer.status < range.end;
  };
  return answer.status != 0 && std::any_of(call.statuses.begin(), call.statuses.end(), holds) &&
         base::isJson(answer.body);
}

bool takes(const Settings& settings, const http::RequestHeaders& request) {
  return !request.wantsTunnel() &&
         std::find(settings.methods.begin(), settings.methods.end(), request.method) != settings.methods.end();
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const Settings& settings = context.settingsOr(settings_);
  if (settings.calls.empty() || !takes(settings, headers)) return filter::Next{};
  const stream::FormatContext facts{.request = &headers, .info = context.info()};
  std::vector<std::string> paths;
  for (const CallSettings& call : settings.calls) {
    std::optional<std::string> path = pathOf(call, facts);
    if (!path) {
      context.count(settings.failed);
      return Reply{400, "a value in the path of a call is missing, or leads out of it", "aggregate_bad_path"};
    }
    paths.push_back(*std::move(path));
  }
  token_ = context.resumeToken();
  results_.resize(settings.calls.size());
  pending_ = settings.calls.size();
  for (size_t i = 0; i < settings.calls.size(); ++i) {
    calls_.push_back(context.calls().send(requestOf(settings.calls[i], std::move(paths[i]), headers),
                                          [this, &settings, i, &context](filter::HttpCallResponse answer) {
                                            onAnswer(settings, i, std::move(answer), context);
                                          }));
  }
  return filter::Pause{};
}

void Filter::onAnswer(const Settings& settings, size_t call, filter::HttpCallResponse answer,
                      filter::Context& context) {
  if (!token_) return;
  const CallSettings& asked = settings.calls[call];
  if (counts(asked, answer)) {
    results_[call] = std::move(answer.body);
  } else {
    context.count(settings.call_failed);
    if (!asked.default_value) {
      context.count(settings.failed);
      const std::string_view details = context.arena().copy(absl::StrCat("aggregate_call_failed{", asked.name, "}"));
      return token_.reply(Reply{settings.failure_status, "a part of the answer is missing", details});
    }
    context.count(settings.default_used);
    results_[call] = *asked.default_value;
  }
  if (--pending_ == 0) finish(settings, context);
}

void Filter::finish(const Settings& settings, filter::Context& context) {
  std::string body;
  for (const AnswerPiece& piece : settings.answer) {
    body += piece.text;
    if (piece.has_call) body += base::sliceOf(results_[piece.call], piece.path).value_or("null");
  }
  context.count(settings.answered);
  Reply reply{200, std::move(body), "aggregated", {{"content-type", "application/json"}}};
  reply.as_asked = true;
  token_.reply(std::move(reply));
}

}  // namespace sluice::extensions::http_filters::aggregate
