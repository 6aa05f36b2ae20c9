#include "source/extensions/filters/http/custom_response/filter.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "source/base/host_port.h"
#include "source/base/text.h"
#include "source/filter/header_changes.h"
#include "source/match/exchange.h"
#include "source/route/rewrite.h"
#include "source/stream/format_context.h"

namespace sluice::extensions::http_filters::custom_response {
namespace {

using filter::HookResult;
using filter::Reply;
using Policy = std::variant<LocalResponse, Redirect>;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kDetails = "custom_response";
constexpr std::chrono::milliseconds kDefaultTimeout{15'000};  // as of a route that says nothing

// The policy for the answer; null: none takes it.
const Policy* policyIn(const Responses& responses, const http::ResponseHeaders& headers, filter::Context& context) {
  if (responses.matcher == nullptr) return nullptr;
  match::Exchange exchange(context.request(), &context.info(), responses.matcher->needs);
  exchange.setResponse(headers);
  const match::Result result = responses.matcher->evaluate(exchange.data());
  return result.state == match::Result::State::kMatched ? &responses.policies[result.action] : nullptr;
}

// Of the levels of the route the most specific that takes the answer, then the filter's own.
const Policy* policyFor(const Responses& own, const http::ResponseHeaders& headers, filter::Context& context) {
  const route::PerFilterLevels levels = context.routeConfigs();
  for (auto at = levels.end(); at != levels.begin();) {
    const auto* const settings = route::settingsAs<RouteSettings>(*--at);
    const Policy* const policy = settings == nullptr ? nullptr : policyIn(settings->value, headers, context);
    if (policy != nullptr) return policy;
  }
  return policyIn(own, headers, context);
}

stream::FormatContext factsOf(filter::Context& context) {
  return {.request = &context.request(), .response = &context.response(), .info = context.info()};
}

// What a format makes of the answer that there was, and of the body that stands in its place.
template <typename Formatter>
std::string formatted(const Formatter& format, std::string_view body, filter::Context& context) {
  stream::FormatContext facts = factsOf(context);
  facts.local_reply_body = body;
  std::string out;
  format.format(facts, out);
  return out;
}

// `mutations` see the answer that there was.
Reply replyOf(uint16_t status, std::string body, const Fields& fields, const route::HeaderMutations& mutations,
              filter::Context& context) {
  http::ResponseHeaders head(context.arena());
  for (const auto& [name, value] : fields) {
    if (!filter::isFraming(name)) head.add(name, value);
  }
  mutations.apply(head, factsOf(context));
  Reply reply{status, std::move(body), kDetails};
  for (const http::Field& field : head) reply.headers.emplace_back(field.name, field.value);
  return reply;
}

Reply localReply(const LocalResponse& local, uint16_t status, filter::Context& context) {
  std::string body = local.format ? formatted(*local.format->formatter, local.body, context) : local.body;
  Reply reply = replyOf(local.status.value_or(status), std::move(body), {}, local.headers, context);
  const auto is_type = [](const auto& field) { return field.first == "content-type"; };
  if (local.format && std::none_of(reply.headers.begin(), reply.headers.end(), is_type)) {
    reply.headers.emplace_back("content-type", local.format->content_type);
  }
  return reply;
}

Reply directReply(const route::DirectResponse& direct, const Redirect& redirect, filter::Context& context) {
  std::string body =
      direct.body_format == nullptr ? std::string(direct.body) : formatted(*direct.body_format, direct.body, context);
  Fields fields;
  if (!direct.content_type.empty()) fields.emplace_back("content-type", direct.content_type);
  if (direct.status / 100 != 2) return replyOf(direct.status, std::move(body), fields, {}, context);
  return replyOf(redirect.status.value_or(direct.status), std::move(body), fields, redirect.response_headers, context);
}

void copyHead(const http::RequestHeaders& from, http::RequestHeaders& to) {
  to.method = "GET";
  to.scheme = from.scheme;
  to.authority = from.authority;
  to.path = from.path;
  for (const http::Field& field : from) {
    if (!filter::isFraming(field.id)) to.addView(field.id, field.name, field.value);
  }
}

filter::HttpCallRequest callOf(const http::RequestHeaders& head, const route::Match& match) {
  filter::HttpCallRequest call{.cluster = std::string(match.clusterName()),
                               .method = std::string(head.method),
                               .path = std::string(head.path),
                               .authority = std::string(head.authority),
                               .timeout = match.route->forward->timeout.value_or(kDefaultTimeout),
                               .max_response_body = Redirect::kMaxBody};
  for (const http::Field& field : head) call.headers.emplace_back(field.name, field.value);
  return call;
}

}  // namespace

bool Target::applyTo(http::RequestHeaders& request) const {
  base::Arena& arena = request.arena();
  if (!scheme.empty()) request.scheme = scheme;
  const std::string_view authority = host.empty() ? request.authority : std::string_view(host);
  request.authority =
      port == 0 ? arena.copy(authority) : arena.concat(base::splitHostPort(authority).host, ":", std::to_string(port));
  const std::string_view plain = request.pathOnly();
  const std::string_view query = strip_query ? std::string_view() : request.path.substr(plain.size());
  if (path.empty()) {
    request.path = arena.concat(plain, query);
  } else {
    request.path = path.find('?') != std::string::npos ? arena.copy(path) : arena.concat(std::string_view(path), query);
  }
  return request.path.starts_with('/');
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (context.request().wantsTunnel()) return filter::Next{};
  const Policy* const policy = policyFor(responses_, headers, context);
  if (policy == nullptr) return filter::Next{};
  if (const auto* local = std::get_if<LocalResponse>(policy)) return localReply(*local, headers.status, context);
  return answerFromElsewhere(std::get<Redirect>(*policy), context);
}

HookResult Filter::answerFromElsewhere(const Redirect& redirect, filter::Context& context) {
  http::RequestHeaders head(context.arena());
  copyHead(context.request(), head);
  if (!redirect.target.applyTo(head)) {
    context.count(redirect.invalid_uri);
    return filter::Next{};
  }
  redirect.request_headers.apply(head, factsOf(context));
  const route::Table* const table = context.route().table;
  const route::Match match = table == nullptr ? route::Match() : table->match(head, context.random());
  if (match && match.route->direct_response != nullptr) {
    return directReply(*match.route->direct_response, redirect, context);
  }
  stream::FormatContext facts = factsOf(context);
  facts.request = &head;
  if (!match || match.route->forward == nullptr || !route::finalizeRequest(match, head, facts)) {
    context.count(redirect.no_route);
    return filter::Next{};
  }
  token_ = context.resumeToken();
  call_ = context.calls().send(callOf(head, match), [this, &redirect, &context](filter::HttpCallResponse answer) {
    onAnswer(redirect, std::move(answer), context);
  });
  return filter::Pause{};
}

// What could not be got leaves the answer that there was.
void Filter::onAnswer(const Redirect& redirect, filter::HttpCallResponse answer, filter::Context& context) {
  if (!token_) return;
  if (answer.status == 0) return token_.resume();
  const bool fine = answer.status / 100 == 2;
  const uint16_t status = fine ? redirect.status.value_or(answer.status) : answer.status;
  token_.reply(replyOf(status, std::move(answer.body), answer.headers,
                       fine ? redirect.response_headers : route::HeaderMutations(), context));
}

}  // namespace sluice::extensions::http_filters::custom_response
