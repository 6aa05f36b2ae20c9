// Redirects that are followed here: another stream takes the place of the one that was redirected, with its own arena,
// filters and terminal, and begins with the end of the turn. The connection, the deadlines and the configuration that
// it began with go on.
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "source/session/connection.h"
#include "source/session/redirect_target.h"
#include "source/session/stream.h"
#include "source/stream/format_context.h"

namespace sluice::session {

using http::Name;

namespace {

void copyHead(const http::RequestHeaders& from, http::RequestHeaders& to) {
  base::Arena& arena = to.arena();
  to.method = arena.copy(from.method);
  to.protocol = from.protocol;
  to.addCopies(from);
}

// Those that the redirect does not have come off the request. (proto: response_headers_to_copy)
void copyNamed(const http::ResponseHeaders& redirect, const std::vector<std::string>& names,
               http::RequestHeaders& request) {
  for (const std::string& name : names) {
    request.remove(name);
    for (const http::Field& field : redirect) {
      if (field.name == name) request.add(field.name, field.value);
    }
  }
}

// RFC 9110 section 15.4.4: what is elsewhere is to be got there.
bool becomesGet(uint16_t status, const http::RequestHeaders& request) {
  return status == 303 && request.method != "GET" && request.method != "HEAD";
}

bool isHttps(const http::RequestHeaders& request, const PeerText& peer) {
  return request.scheme == "https" && peer.trusted_tls;
}

}  // namespace

bool Stream::redirect(const filter::Redirect& redirect) {
  if (connection_ == nullptr || response_started_ || !table_) return false;
  Stream& next = *worker_.takeStream();
  next.connection_ = connection_;
  next.id_ = id_;
  if (!next.follow(*this, redirect)) {
    next.connection_ = nullptr;
    worker_.retireStream(next);
    return false;
  }
  const bool became_get = becomesGet(response().status, request());
  if (!became_get) next.requestTrailers().addCopies(requestTrailers());
  endInRedirect(next);
  next.beginLater(redirect.headers_only || became_get, became_get ? std::string_view() : redirect.body);
  return true;
}

bool Stream::follow(Stream& stream, const filter::Redirect& redirect) {
  takeFacts();
  table_ = stream.table_;
  tables_before_ = stream.tables_before_;
  chain_ = stream.chain_;
  chance_ = stream.chance_;
  const stream::StreamInfo& before = stream.info_;
  info_.start = before.start;
  info_.start_time = before.start_time;
  info_.request_end = before.request_end;
  info_.bytes_received = before.bytes_received;
  info_.request_header_bytes = before.request_header_bytes;
  info_.protocol = before.protocol;
  info_.match_upstream_scheme = before.match_upstream_scheme;
  info_.hides_client = before.hides_client;
  info_.internal_hops = before.internal_hops;
  info_.downstream_remote_address = arena_.copy(before.downstream_remote_address);
  info_.request_id = arena_.copy(before.request_id);
  info_.internal_redirects = before.internal_redirects + 1;
  copyHops(stream.hops_);
  return retarget(stream, redirect.policy) && mayGoOn(stream, redirect.policy);
}

void Stream::copyHops(const Hop* hops) {
  for (; hops != nullptr; hops = hops->before) {
    hops_ = new (arena_.allocate(sizeof(Hop))) Hop{hops->from, hops->to, hops_};
  }
}

// The head with the target of the redirect, in the same form that the session gives those of clients. Nothing but the
// target comes anew: who the client is was found out when its request came.
bool Stream::retarget(Stream& stream, const route::InternalRedirectPolicy& policy) {
  const HttpStats& stats = connection_->settings().stats;
  const http::RequestHeaders& before = stream.request();
  http::RequestHeaders& headers = request();
  const auto refuse = [this](observability::Counter why) {
    worker_.cells.add(why);
    return false;
  };
  const std::optional<RedirectTarget> target = redirectTarget(arena_, stream.response());
  if (!target) return refuse(stats.redirect_bad_location);
  const bool from_https = isHttps(before, connection_->peer());
  const bool to_https = target->scheme == "https";
  if (from_https != to_https && !policy.cross_scheme) return refuse(stats.redirect_unsafe_scheme);
  if (stream.info_.internal_redirects >= policy.max_redirects) return refuse(stats.redirect_too_many);
  copyHead(before, headers);
  copyNamed(stream.response(), policy.headers_to_copy, headers);
  if (becomesGet(stream.response().status, before)) {
    headers.method = "GET";
    headers.remove(Name::kContentLength);
  }
  headers.scheme = target->scheme;
  headers.authority = target->authority;
  headers.path = target->path;
  if (applyTargetPolicy(connection_->settings(), connection_->peer(), headers)) {
    return refuse(stats.redirect_bad_location);
  }
  headers.set("x-envoy-original-url",
              arena_.concat(from_https ? "https://" : "http://", before.authority, before.path));
  return true;
}

// What no route takes goes nowhere: hosts cannot send requests of clients to where the configuration does not.
bool Stream::mayGoOn(Stream& stream, const route::InternalRedirectPolicy& policy) {
  const HttpStats& stats = connection_->settings().stats;
  const auto refuse = [this](observability::Counter why) {
    worker_.cells.add(why);
    return false;
  };
  // Another filter chain may ask more of a client than this one did.
  if (connection_->misdirected(request().authority)) return refuse(stats.redirect_no_route);
  if (mayChangeTable()) [[unlikely]] {
    changeTable();  // the target may be of another scope
  } else {
    matchRoute();
  }
  if (!route_) return refuse(stats.redirect_no_route);
  const Hop hop{stream.route_.route, route_.route, hops_};
  bool repeated = false;
  for (const Hop* known = hops_; known != nullptr; known = known->before) {
    repeated = repeated || (known->from == hop.from && known->to == hop.to);
  }
  const route::RedirectStep step{.route = route_.route->name,
                                 .repeated = repeated,
                                 .from_https = isHttps(stream.request(), connection_->peer()),
                                 .to_https = request().scheme == "https"};
  if (!policy.accepts(step)) return refuse(stats.redirect_predicate);
  if (!repeated) hops_ = new (arena_.allocate(sizeof(Hop))) Hop(hop);
  return true;
}

// The end of the stream that was redirected. It has an entry of its own in the access log; of the client's requests and
// answers it counts none.
void Stream::endInRedirect(Stream& next) {
  cancelTimers();
  info_.response_code = response().status;
  info_.response_code_details = "internal_redirect";
  info_.response_header_bytes = response().byteSize();
  logEnd(true);
  runner_->end();
  std::exchange(connection_, nullptr)->replaceStream(*this, next);
}

// The connection that the redirect came by is free by then, and nothing of the stream before is on the stack.
void Stream::beginLater(bool headers_only, std::string_view body) {
  beginning_ = std::make_unique<Beginning>(*this, headers_only, body);
  worker_.loop.atTurnEnd(*beginning_);
}

void Stream::beginAgain() {
  const std::unique_ptr<Beginning> rest = std::move(beginning_);
  const HttpSettings& settings = connection_->settings();
  if (settings.tracer) info_.span = settings.tracer->begin({.request = &request(), .info = info_}, worker_.services);
  makeChain();
  touch();
  max_duration_ = longestDuration();
  armDuration();
  if (settings.log_times) beginLog();
  runner_->requestHeaders(rest->headers_only);
  if (rest->headers_only) return;
  const bool has_trailers = !requestTrailers().empty();
  if (!rest->body.empty() || !has_trailers) runner_->requestData(rest->body, !has_trailers);
  if (has_trailers) runner_->requestTrailers();
}

}  // namespace sluice::session
