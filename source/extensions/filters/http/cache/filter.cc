#include "source/extensions/filters/http/cache/filter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "source/base/text.h"
#include "source/http/rules.h"
#include "source/route/rewrite.h"
#include "source/stream/metadata_criteria.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::cache {
namespace {

using filter::HookResult;
using filter::Next;
using filter::Reply;
using http::Name;

// As in Envoy.
constexpr std::string_view kFromCache = "cache.response_from_cache_filter";
constexpr std::string_view kOnlyIfCached = "cache.only_if_cached";

// The longest time that a request has as far as waiting goes, and that of a route which says nothing.
constexpr std::chrono::milliseconds kLongestWait{15'000};

// A stored body on its way to a client, part of it or all.
class StoredBody : public filter::ReplyBody {
 public:
  StoredBody(std::shared_ptr<const std::string> body, size_t begin, size_t end)
      : body_(std::move(body)), at_(begin), end_(end) {}

  Read read(size_t room, std::string& piece) override {
    const size_t size = std::min(room, end_ - at_);
    piece.assign(*body_, at_, size);
    at_ += size;
    return at_ == end_ ? Read::kEnd : Read::kMore;
  }

 private:
  const std::shared_ptr<const std::string> body_;
  size_t at_;
  const size_t end_;
};

// (RFC 9110 section 9.2.1, RFC 4918, 3253, 5323, 9.3 of QUERY) Of a method that is not known nobody can say it.
bool isSafe(std::string_view method) {
  constexpr std::string_view kSafe[] = {"OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"};
  return std::find(std::begin(kSafe), std::end(kSafe), method) != std::end(kSafe);
}

// The upstream may take it for another method than it is.
bool overridesMethod(const http::RequestHeaders& headers) {
  return headers.get("x-http-method-override") || headers.get("x-http-method") || headers.get("x-method-override");
}

// A request whose answer may come from the cache.
bool isPlain(const http::RequestHeaders& headers, const filter::Context& context) {
  return context.requestHeadersOnly() && !overridesMethod(headers) && !headers.get("if-match") &&
         !headers.get("if-unmodified-since") && !dependsOnMore(context.route());
}

// The route as it is now: behind the last filter the chain chooses the cluster anew by what filters have left.
route::Match routeOf(const http::RequestHeaders& headers, filter::Context& context) {
  route::Match out = context.route();
  if (out.choice != nullptr) route::Table::chooseByMetadata(headers, context.info(), out);
  return out;
}

// A filter's word counts for more than the route's.
std::string_view clusterOf(const route::Match& route, const filter::Context& context) {
  const std::string_view cluster = context.cluster();
  return cluster.data() == context.route().clusterName().data() ? route.clusterName() : cluster;
}

bool isFailure(uint16_t status) {
  return status == 500 || status == 502 || status == 503 || status == 504;
}

// What of its own time a request may spend with waiting: all of it. (proto: RouteAction.timeout;
// x-envoy-upstream-rq-timeout-ms)
std::chrono::milliseconds timeOf(const http::RequestHeaders& headers, const route::Forward& forward) {
  auto time = forward.timeout.value_or(kLongestWait);
  uint32_t wanted = 0;
  const auto said = headers.get(Name::kXEnvoyUpstreamRqTimeoutMs);
  if (said && absl::SimpleAtoi(base::toAbsl(*said), &wanted)) time = std::chrono::milliseconds(wanted);
  return time.count() == 0 ? kLongestWait : std::min(time, kLongestWait);
}

const stream::MetadataFields* balancingOf(const stream::StreamInfo& info) {
  if (info.dynamic_metadata == nullptr) return nullptr;
  return stream::fieldsUnder(&info.dynamic_metadata->fields(), stream::kBalancingMetadata);
}

http::Date wallOf(const filter::Context& context) {
  return std::chrono::floor<std::chrono::seconds>(context.wallNow());
}

}  // namespace

bool Settings::mayVaryBy(std::string_view lower) const {
  if (lower == "host") return false;  // no field of requests: it stands in their authority
  return std::any_of(allowed_vary.begin(), allowed_vary.end(),
                     [lower](const match::StringMatcher& each) { return each.matches(lower); });
}

bool Filter::Incoming::append(std::string_view bytes) {
  if (bytes.size() > limit_ - body_.size() || !store_.reserve(bytes.size())) return false;
  body_.append(bytes);
  return true;
}

// --- the request -----------------------------------------------------------------------------------------------------

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const bool reads = headers.method == "GET" || headers.isHead();
  if (settings_.store == nullptr || headers.wantsTunnel() || (!reads && isSafe(headers.method))) return Next{};
  if (context.route().route == nullptr) return Next{};
  route_ = routeOf(headers, context);
  cluster_ = settings_.upstream_cluster.empty() ? clusterOf(route_, context) : settings_.upstream_cluster;
  if (cluster_.empty()) return Next{};
  if (reads && !isPlain(headers, context)) return forward("bypass");
  name_.address = cache::addressLabel(settings_.store->addressing(), headers.authority, headers.path);
  if (!reads) {
    doing_ = Doing::kInvalidating;
    return Next{};
  }
  name_.key = settings_.key.keyOf(headers, {route_, cluster_, balancingOf(context.info())});
  if (!settings_.ignore_request_directives) directives_ = cache::RequestDirectives::of(headers);
  authorized_ = headers.has(Name::kAuthorization);
  conditions_ = http::Conditions::of(headers);
  return lookUp(headers, context);
}

HookResult Filter::forward(std::string_view why) {
  doing_ = Doing::kForwarding;
  why_ = why;
  return Next{};
}

HookResult Filter::lookUp(http::RequestHeaders& headers, filter::Context& context) {
  cache::Store::Found found = find(headers);
  why_ = found.varies ? "vary-miss" : "uri-miss";
  if (found.response != nullptr && authorized_ && !found.response->for_authorized) {
    found.response = nullptr;
    why_ = "request";
  }
  if (found.response != nullptr) {
    if (found.response->serves(directives_, context.now())) {
      context.count(settings_.stats.hit);
      return replyFrom(found.response, context, "hit");
    }
    why_ = directives_.no_cache || found.response->freshFor(context.now()) > cache::seconds(0) ? "request" : "stale";
  }
  if (directives_.only_if_cached) return Reply{504, "Gateway Timeout", kOnlyIfCached};
  if (headers.isHead()) return forward(why_);
  stale_ = std::move(found.response);
  return fetchOrWait(headers, context, found.variant.empty() ? name_.key : found.variant);
}

cache::Store::Found Filter::find(const http::RequestHeaders& headers) {
  ticket_ = settings_.store->ticket(name_);
  return settings_.store->find(name_, headers);
}

bool Filter::mayShare() const {
  const bool conditional = conditions_.none_match || conditions_.modified_since;
  return !authorized_ && !directives_.no_store && !directives_.no_cache && !directives_.max_age &&
         !directives_.min_fresh && !conditions_.range &&
         (!conditional || (stale_ != nullptr && stale_->hasValidator()));
}

HookResult Filter::fetchOrWait(http::RequestHeaders& headers, filter::Context& context, const std::string& key) {
  if (mayShare()) {
    cache::Flights& flights = settings_.flights->get(context.worker());
    if (stale_ != nullptr && stale_->staleWithin(stale_->stale_while_revalidate, context.now()) &&
        flights.underWay(key)) {
      context.count(settings_.stats.hit);
      return replyFrom(stale_, context, "hit");
    }
    const std::chrono::milliseconds time = timeOf(headers, *route_.route->forward);
    if (flights.join(key, *this, time) == cache::Flights::Joined::kWaits) {
      doing_ = Doing::kWaiting;
      context_ = &context;
      token_ = context.resumeToken();
      timer_ = context.calls().after(time, [this] {
        if (goAhead()) waited();
      });
      return filter::Pause{};
    }
  }
  fetch(headers, context);
  return Next{};
}

// The request as it is sent: with the stored answer's validators instead of the client's.
void Filter::fetch(http::RequestHeaders& headers, filter::Context& context) {
  doing_ = Doing::kFetching;
  requested_ = context.now();
  varying_.emplace(context.arena());
  for (const http::Field& field : headers) {
    if (settings_.mayVaryBy(field.name)) varying_->addView(field.id, field.name, field.value);
  }
  if (!settings_.upstream_cluster.empty()) context.setCluster(settings_.upstream_cluster);
  // A part of an answer does not tell whether the whole is still good.
  validating_ = stale_ != nullptr && stale_->hasValidator() && !conditions_.range;
  if (!validating_) return;
  headers.remove("if-none-match");
  headers.remove("if-modified-since");
  const std::string_view etag = stale_->get("etag"), modified = stale_->get("last-modified");
  if (!etag.empty()) headers.add("if-none-match", etag);
  if (!modified.empty()) headers.add("if-modified-since", modified);
}

// What is there now, or to the upstream after all.
void Filter::waited() {
  if (!token_) return leave();
  cache::Store::Found found = find(context_->request());
  if (found.response != nullptr && found.response->serves(directives_, context_->now())) {
    land(true);
    doing_ = Doing::kNothing;
    context_->count(settings_.stats.hit);
    return token_.reply(replyFrom(found.response, *context_, base::strCat("fwd=", why_, "; collapsed")));
  }
  stale_ = std::move(found.response);
  fetch(context_->request(), *context_);
  token_.resume();
}

void Filter::onLanded() {
  timer_.reset();
  waited();
}

// --- the response ----------------------------------------------------------------------------------------------------

Reply Filter::replyFrom(const std::shared_ptr<const cache::StoredResponse>& stored, filter::Context& context,
                        std::string_view how) const {
  cache::Answer answer = answerFrom(*stored, conditions_, context.now(), wallOf(context), how);
  Reply reply{.status = answer.status, .details = kFromCache, .headers = std::move(answer.headers)};
  reply.flag = stream::ResponseFlag::kResponseFromCacheFilter;
  reply.stream = std::make_unique<StoredBody>(stored->body, answer.begin, answer.end);
  return reply;
}

cache::Exchange Filter::exchange(filter::Context& context) const {
  return {.authorized = authorized_,
          .no_store = directives_.no_store,
          .requested = requested_,
          .received = context.now(),
          .wall_received = wallOf(context)};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  switch (doing_) {
    case Doing::kNothing:
    case Doing::kWaiting:
      return Next{};
    case Doing::kInvalidating:
      if (headers.status >= 200 && headers.status < 400) {
        settings_.store->invalidateAddress(name_.address);
      }
      return Next{};
    case Doing::kForwarding:
      headers.append("cache-status", base::strCat("sluice; fwd=", why_));
      return Next{};
    case Doing::kFetching:
      break;
  }
  if (validating_ && headers.status == 304) return notModified(headers, context);
  if (stale_ != nullptr && isFailure(headers.status) && stale_->staleWithin(stale_->stale_if_error, context.now())) {
    context.count(settings_.stats.failed_validation);
    leave();
    Reply reply = replyFrom(stale_, context, base::strCat("hit; fwd=stale; fwd-status=", headers.status));
    reply.as_response = true;
    return reply;
  }
  storing_ = judge(headers, context);
  headers.append("cache-status", base::strCat("sluice; fwd=", why_, storing_ ? "; stored" : ""));
  if (storing_ == nullptr) {
    context.count(settings_.stats.uncacheable);
    // After a failure the next one asks; of another answer it is known that it is not for others.
    isFailure(headers.status) ? leave() : land(false);
    return Next{};
  }
  context.count(validating_ ? settings_.stats.failed_validation : settings_.stats.miss);
  if (context.responseHeadersOnly()) store();
  return Next{};
}

HookResult Filter::notModified(http::ResponseHeaders& headers, filter::Context& context) {
  context.count(settings_.stats.validate);
  std::shared_ptr<const cache::StoredResponse> answer = stale_;
  http::ResponseHeaders head(context.arena());
  cache::refresh(*stale_, headers, head);
  if (!cache::isOfAnother(*stale_, headers)) storing_ = judge(head, context);
  if (storing_ != nullptr) {
    storing_->response->body = stale_->body;
    answer = storing_->response;
    store();
  } else {
    // What the upstream says now may not be kept: this client gets what it asked about, the next one asks anew.
    if (!directives_.no_store && !authorized_) settings_.store->invalidate(name_);
    giveUp();
  }
  Reply reply = replyFrom(answer, context, base::strCat("hit; fwd=", why_, "; fwd-status=304"));
  for (const http::Field& field : headers) {
    if (field.id == Name::kSetCookie) reply.headers.emplace_back(field.name, field.value);
  }
  reply.as_response = true;
  return reply;
}

std::unique_ptr<Filter::Storing> Filter::judge(const http::ResponseHeaders& headers, filter::Context& context) const {
  // Chosen anew meanwhile, perhaps by what is not in the key.
  const route::Match& now = context.route();
  if (context.cluster() != cluster_ || now.route != route_.route || now.choice != route_.choice) return nullptr;
  auto names = cache::varyOf(headers);
  if (!names) return nullptr;
  // What the upstream sees there is not what stood in the request as it came here.
  const auto is_formatted = [&now](const std::string& name) { return route::formatsField(now, name); };
  if (std::any_of(names->begin(), names->end(), is_formatted)) return nullptr;
  std::erase_if(*names, [this](const std::string& name) { return settings_.key.has(name); });
  for (const std::string& name : *names) {
    if (!settings_.mayVaryBy(name)) return nullptr;
  }
  auto response = storable(headers, exchange(context));
  if (response == nullptr) return nullptr;
  auto out = std::make_unique<Storing>(*settings_.store, settings_.max_body);
  out->response = std::move(response);
  out->vary = *std::move(names);
  if (!cache::addTags(headers, settings_.tag_headers, out->tags)) return nullptr;
  out->length = http::lengthOf(headers);
  if (headers.has(Name::kContentLength) && (!out->length || *out->length > settings_.max_body)) return nullptr;
  return out;
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context&) {
  if (storing_ == nullptr) return Next{};
  if (!storing_->incoming.append(chunk.bytes())) {
    giveUp();
  } else if (chunk.endStream()) {
    store();
  }
  return Next{};
}

// What has trailers is not stored: they may say that the body is no good.
HookResult Filter::onResponseTrailers(http::Trailers&, filter::Context&) {
  if (storing_ != nullptr) giveUp();
  return Next{};
}

void Filter::store() {
  const std::unique_ptr<Storing> done = std::move(storing_);
  if (done->response->body == nullptr) {
    const std::string& body = done->incoming.body();
    if (done->length.value_or(body.size()) != body.size()) return giveUp();
    done->response->body = std::make_shared<const std::string>(body);
  }
  switch (settings_.store->put(name_, ticket_, done->vary, *varying_, done->response, std::move(done->tags))) {
    case cache::Store::Put::kStored:
      return land(true);
    case cache::Store::Put::kOutOfDate:
      return leave();
    case cache::Store::Put::kTooLarge:
      return land(false);
  }
}

void Filter::giveUp() {
  storing_.reset();
  land(false);
}

void Filter::onStreamEnd(filter::Context&) {
  leave();
  timer_.reset();
  storing_.reset();
}

}  // namespace sluice::extensions::http_filters::cache
