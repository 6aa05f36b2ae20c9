#include "source/session/stream.h"

#include <algorithm>
#include <limits>

#include "source/http/grpc.h"
#include "source/route/rewrite.h"
#include "source/session/connection.h"
#include "source/session/last_hop.h"
#include "source/session/name_policy.h"
#include "source/session/tunnels.h"

namespace sluice::session {

using filter::Reply;
using http::Name;
using std::chrono::milliseconds;
using stream::ResponseFlag;

Stream::Stream(SessionWorker& worker)
    : worker_(worker),
      deadline_(worker.loop.timers(), [this] { terminal_->deadlineExpired(); }),
      idle_(worker.loop.timers(), [this] { onIdle(); }),
      too_long_(worker.loop.timers(), [this] { onTooLong(); }) {}

Stream::~Stream() {
  cleanUp();
}

void Stream::begin(Connection& connection, http::StreamId id) {
  connection_ = &connection;
  id_ = id;
  takeFacts();
  worker_.cells.add(connection.settings().stats.rq_total);
  worker_.cells.add(connection.multiplexing_ ? connection.settings().stats.rq_http2_total
                                             : connection.settings().stats.rq_http1_total);
  worker_.cells.add(connection.settings().stats.rq_active);
}

// Forgets the request that went before; what is known before there is a head.
void Stream::takeFacts() {
  renew();
  response_started_ = response_ended_ = asks_tunnel_ = in_tunnel_ = false;
  max_duration_.reset();
  unconsumed_ = 0;
  hops_ = nullptr;
  const Connection& connection = *connection_;
  info_.start = worker_.loop.now();
  info_.start_time = std::chrono::system_clock::now();
  info_.has_protocol = true;
  info_.connection_id = connection.id();
  info_.downstream_remote_address = connection.peer().remote;
  info_.downstream_direct_remote_address = connection.peer().direct_remote;
  info_.requested_server_name = connection.serverName();
  info_.listener_name = connection.settings().listener_name;
  info_.filter_chain_name = connection.settings().filter_chain_name;
  info_.listener_metadata = connection.settings().listener_metadata.get();
  info_.downstream_local_address = connection.peer().local;
  info_.redirected = connection.peer().redirected;
  info_.downstream_transport = connection.peer().transport;
  info_.downstream = &connection.facts();
  if (const stream::ConnectionState* const left = connection.state()) [[unlikely]]
    info_.beginWith(*left);
}

void Stream::makeChain() {
  const HttpSettings& settings = connection_->settings();
  const filter::ChainConfig* chain = &settings.chain->first();
  if (const std::optional<uint32_t> id = settings.chain->id()) {
    if (!chain_) chain_ = worker_.chains.get(*id);
    if (chain_) chain = chain_->value.get();
  }
  const filter::TerminalConfig* terminal = settings.terminal.get();
  if (const UpgradeChain* const own = ownChain()) [[unlikely]] {
    chain = &own->chain->first();
    terminal = own->terminal.get();
  }
  runner_.emplace(*chain, *this, static_cast<filter::Downstream&>(*this));
  terminal_ = terminal->make(worker_.services, *runner_, *this, *this);
  runner_->setTerminal(*terminal_);
  runner_->limitWindow(connection_->bufferLimit());
}

const UpgradeChain* Stream::ownChain() const {
  const HttpSettings& settings = connection_->settings();
  if (settings.upgrade_chains.empty() || !asks_tunnel_) [[likely]]
    return nullptr;
  return session::ownChain(settings, tunnelType(request()));
}

void Stream::requestHeaders(bool end_stream, bool expect_continue) {
  const HttpSettings& settings = connection_->settings();
  http::RequestHeaders& headers = request();
  info_.protocol = headers.protocol;
  info_.request_header_bytes = headers.byteSize();
  asks_tunnel_ = headers.wantsTunnel();
  headers.expects_continue = expect_continue && settings.proxies_continue;
  if (end_stream) info_.request_end = info_.since(worker_.loop.now());
  if (std::optional<Reply> refusal =
          applyRequestPolicy(settings, connection_->peer(), worker_.services.random, headers, info_)) {
    worker_.cells.add(settings.stats.rq_rejected_path);
    makeChain();
    return refuse(*std::move(refusal));
  }
  if (headers.let_through != nullptr && settings.strict) [[unlikely]]
    settings.strict->tell(headers, info_, worker_.services);
  if (connection_->misdirected(headers.authority)) {
    worker_.cells.add(settings.stats.rq_misdirected);
    makeChain();
    return refuse(Reply{421, "", "misdirected_request"});
  }
  if (std::optional<Reply> answer = answerAsLast(headers)) {
    makeChain();
    return refuse(*std::move(answer));
  }
  chance_ = worker_.services.random.next();
  pinTable();
  if (settings.tracer) [[unlikely]]
    info_.span = settings.tracer->begin({.request = &headers, .info = info_}, worker_.services);
  makeChain();
  if (asks_tunnel_ && !mayTunnel()) {
    worker_.cells.add(settings.stats.rq_upgrade_refused);
    return refuse(Reply{403, "", "upgrade_failed"});
  }
  if (!end_stream) touch();
  max_duration_ = longestDuration();
  const bool times_request = timesRequest();
  if (times_request) too_long_.arm(std::min(settings.request_timeout, max_duration_.value_or(milliseconds::max())));
  if (!times_request) armDuration();
  if (end_stream) requestEnded();
  if (settings.log_times) beginLog();
  runner_->requestHeaders(end_stream);
  // The body is asked for only once the head got through the filters without being refused.
  const bool told = !expect_continue || settings.proxies_continue;
  if (!told && connection_ != nullptr && !runner_->requestClosed() && !response_started_) {
    http::ResponseHeaders go_on(arena());
    go_on.status = 100;
    connection_->codec_->sendInformational(id_, go_on);
  }
}

void Stream::pinTable() {
  table_ = tableNow();
  if (!table_) return;
  route::removeInternalOnly(*table_->value, request());
  matchRoute();
}

void Stream::matchRoute() {
  filter::ResponseCookies cookies(*this);
  route_ = table_->value->match(request(), chance_, info_, cookies);
  info_.virtual_host_name = route_.virtual_host != nullptr ? route_.virtual_host->name : std::string_view();
  info_.route_name = route_.route != nullptr ? route_.route->name : std::string_view();
  info_.route_metadata = route_.metadata();
  info_.virtual_host_metadata = route_.hostMetadata();
}

// The limits of the new route hold from now on; the stream's time counts from its start. A grpc-timeout that the route
// before has shortened stays so.
void Stream::chooseRoute() {
  if (connection_ == nullptr) return;
  if (mayChangeTable()) [[unlikely]] {
    changeTable();
  } else if (table_) {
    matchRoute();
  } else {
    return;
  }
  if (asks_tunnel_ && !mayTunnel()) {
    worker_.cells.add(connection_->settings().stats.rq_upgrade_refused);
    return refuse(Reply{403, "", "upgrade_failed"});
  }
  max_duration_ = longestDuration();
  if (!timesRequest()) {
    too_long_.cancel();
    armDuration();
  }
  idle_.cancel();
  touch();
}

// While the request is not whole the timer is that of request_timeout.
bool Stream::timesRequest() const {
  return connection_->settings().request_timeout.count() > 0 && !asks_tunnel_ &&
         info_.request_end == stream::StreamInfo::kNotYet;
}

const filter::ReplyMapper* Stream::replyMapper() const {
  return connection_ == nullptr ? nullptr : connection_->settings().reply_mapper.get();
}

std::optional<milliseconds> Stream::longestDuration() {
  const milliseconds configured = connection_->settings().max_stream_duration;
  const route::MaxStreamDuration* of_route = nullptr;
  if (route_.route != nullptr && route_.route->forward != nullptr) {
    of_route = route_.route->forward->max_stream_duration;
  }
  if (of_route == nullptr) return configured.count() > 0 ? std::optional(configured) : std::nullopt;
  http::RequestHeaders& headers = request();
  const auto field = headers.get(Name::kGrpcTimeout);
  std::optional<milliseconds> asked = field ? http::grpc::parseTimeout(*field) : std::nullopt;
  // After a redirect the field says what is left, while the stream's time counts from its start.
  milliseconds used{0};
  if (info_.internal_redirects > 0) used = std::chrono::duration_cast<milliseconds>(worker_.loop.now() - info_.start);
  if (asked) *asked += used;
  milliseconds timeout = of_route->duration.value_or(configured);
  if (asked && of_route->grpc_header_max) {
    const milliseconds max = *of_route->grpc_header_max;
    timeout = max.count() > 0 ? std::min(*asked, max) : *asked;
    timeout = std::max(timeout - of_route->grpc_header_offset, milliseconds(0));
  } else if (timeout.count() == 0) {
    return std::nullopt;
  }
  if (asked ? timeout < *asked : http::grpc::isGrpcRequest(headers)) {
    headers.set(Name::kGrpcTimeout, http::grpc::formatTimeout(std::max(timeout - used, milliseconds(0))));
  }
  return timeout;
}

bool Stream::mayTunnel() const {
  return session::mayTunnel(connection_->settings(), route_, tunnelType(request()));
}

bool Stream::requestWhole() const {
  if (info_.request_end != stream::StreamInfo::kNotYet) return true;
  return asks_tunnel_ && !in_tunnel_ && connection_->multiplexing_ == nullptr && !request().upgrade.empty();
}

void Stream::refuse(Reply reply) {
  if (reply.details.empty()) reply.details = "request_refused";
  runner_->localReply(std::move(reply));
}

void Stream::requestData(std::string_view data, bool end_stream) {
  info_.bytes_received += data.size();
  end_stream ? requestEnded() : touch();
  unconsumed_ += data.size();
  runner_->requestData(data, end_stream);
  if (!end_stream) openWindow();
}

// Lets the client of one stream among many send what the chain has room for: its window is opened as bytes leave, so a
// stream whose upstream is slow holds at most its window, and no other stream up.
void Stream::openWindow() {
  if (connection_ == nullptr || connection_->multiplexing_ == nullptr || unconsumed_ == 0) return;
  const size_t credit = runner_->requestCredit();
  if (credit == 0) return;
  const size_t window = connection_->settings().http2.initial_stream_window;
  const size_t held = runner_->requestHeld();
  // A window larger than the chain's is used: what is let in is bounded by it. A filter that collects more than it is
  // given its room.
  const size_t wanted = std::max(std::min(window, credit), window - std::min(window, held));
  const size_t open = window - std::min(window, unconsumed_);
  if (wanted <= open) return;
  unconsumed_ -= wanted - open;
  connection_->codec_->consumed(id_, wanted - open);
}

void Stream::endWithTrailers() {
  applyNamePolicy(connection_->settings(), requestTrailers());
  requestEnded();
  runner_->requestTrailers();
}

void Stream::requestEnded() {
  info_.request_end = info_.since(worker_.loop.now());
  touch();
  const HttpSettings& settings = connection_->settings();
  if (settings.request_timeout.count() == 0) return;
  too_long_.cancel();
  armDuration();
}

void Stream::armDuration() {
  if (max_duration_) too_long_.arm(*max_duration_ - (worker_.loop.now() - info_.start));
}

// (proto: RouteAction.idle_timeout, HttpConnectionManager.stream_idle_timeout)
milliseconds Stream::idleTimeout() const {
  const milliseconds configured = connection_->settings().stream_idle_timeout;
  const bool of_route = route_.route != nullptr && route_.route->forward != nullptr;
  return of_route ? route_.route->forward->idle_timeout.value_or(configured) : configured;
}

std::optional<milliseconds> Stream::flushTimeout() const {
  if (route_.route == nullptr || route_.route->forward == nullptr) return std::nullopt;
  return route_.route->forward->flush_timeout;
}

void Stream::touch() {
  idle_held_ = false;
  milliseconds timeout = idleTimeout();
  if (info_.request_end == stream::StreamInfo::kNotYet && awaitsBody()) {
    const milliseconds most = connection_->settings().request_body_timeout;
    timeout = timeout.count() > 0 ? std::min(timeout, most) : most;
  }
  if (timeout.count() > 0) idle_.arm(timeout);
}

// Whether nothing can happen before the client sends more: it alone keeps alive what the request holds. Both sides of
// gRPC and of a tunnel may be silent for long, and who set a timeout of silence for the route wants that one.
bool Stream::awaitsBody() const {
  if (connection_->settings().request_body_timeout.count() == 0 || asks_tunnel_ || response_started_) return false;
  if (info_.request_end != stream::StreamInfo::kNotYet) return false;
  const bool of_route = route_.route != nullptr && route_.route->forward != nullptr;
  if (of_route && route_.route->forward->idle_timeout) return false;
  return !http::grpc::isGrpcRequest(*request_headers_);
}

void Stream::onIdle() {
  if (!idle_held_ && awaitsBody() && runner_->requestCredit() == 0) {  // it is not the client that is waited for
    idle_held_ = true;
    if (const milliseconds timeout = idleTimeout(); timeout.count() > 0) idle_.arm(timeout);
    return;
  }
  worker_.cells.add(connection_->settings().stats.rq_idle_timeout);
  info_.response_flags.set(ResponseFlag::kStreamIdleTimeout);
  if (response_started_) return resetStream("stream_idle_timeout");
  // Filters that hold this answer back are passed over by the next one.
  touch();
  runner_->localReply(Reply{runner_->requestComplete() ? uint16_t{504} : uint16_t{408},
                            "stream timeout",
                            "stream_idle_timeout",
                            {},
                            ResponseFlag::kStreamIdleTimeout});
}

void Stream::onTooLong() {
  const HttpSettings& settings = connection_->settings();
  const bool stream_over = max_duration_ && worker_.loop.now() - info_.start >= *max_duration_;
  if (!runner_->requestComplete() && !stream_over) {
    worker_.cells.add(settings.stats.rq_timeout);
    if (response_started_) return resetStream("request_overall_timeout");
    return runner_->localReply(Reply{408, "request timeout", "request_overall_timeout"});
  }
  worker_.cells.add(settings.stats.rq_max_duration_reached);
  if (response_started_) return resetStream("max_duration_timeout");
  runner_->localReply(Reply{runner_->requestComplete() ? uint16_t{504} : uint16_t{408},
                            "downstream duration timeout",
                            "max_duration_timeout",
                            {},
                            ResponseFlag::kDurationTimeout,
                            http::grpc::kDeadlineExceeded});
}

void Stream::sendInformational(const http::ResponseHeaders& headers) {
  if (connection_ == nullptr || response_started_) return;
  connection_->codec_->sendInformational(id_, headers);
}

void Stream::sendResponseHeaders(http::ResponseHeaders& headers, bool end_stream) {
  if (connection_ == nullptr) return;
  const HttpSettings& settings = connection_->settings();
  response_started_ = true;
  touch();
  switch (settings.server_header) {
    case ServerHeader::kOverwrite:
      headers.remove(Name::kServer);
      headers.addView(Name::kServer, settings.server_name);
      break;
    case ServerHeader::kAppendIfAbsent:
      if (!headers.has(Name::kServer)) headers.addView(Name::kServer, settings.server_name);
      break;
    case ServerHeader::kPassThrough:
      break;
  }
  if (!headers.has(Name::kDate)) headers.add(Name::kDate, worker_.date.now(worker_.loop.now()));
  if (!settings.via.empty()) headers.append("via", settings.via);
  if (settings.always_set_request_id_in_response && !info_.request_id.empty()) {
    headers.remove(Name::kXRequestId);
    headers.addView(Name::kXRequestId, info_.request_id);
  }
  if (headers.has(Name::kXSluiceRetryRefused) && !isInternalHop(settings, connection_->peer())) {
    headers.remove(Name::kXSluiceRetryRefused);
  }
  if (settings.proxy_status) settings.proxy_status->write(info_, headers, !http::grpc::isGrpcRequest(request()));
  info_.response_code = headers.status;
  info_.response_header_bytes = headers.byteSize();
  info_.downstream_response_start = info_.since(worker_.loop.now());
  const uint32_t limit = settings.max_requests_per_connection;
  if (limit != 0 && connection_->requests_ >= limit && !connection_->draining_) {
    worker_.cells.add(settings.stats.cx_max_requests_reached);
    connection_->drain();
  }
  if (connection_->drain_at_answer_) connection_->drain();
  if (settings.max_connection_duration.count() > 0) connection_->drainIfTooOld();
  // Whatever of the request is still to come will not be read: say so while it can be said.
  in_tunnel_ = asks_tunnel_ && (request().upgrade.empty() ? headers.status / 100 == 2 : headers.status == 101);
  if (runner_->requestClosed() && !requestWhole() && connection_->multiplexing_ == nullptr) {
    connection_->codec_->drain();
  }
  connection_->codec_->sendHeaders(id_, headers, end_stream);
  if (in_tunnel_) {
    if (settings.log_times && settings.log_times->on_tunnel) {
      logMeanwhile(stream::AccessLogType::kDownstreamTunnelSuccessfullyEstablished);
    }
    worker_.cells.add(settings.stats.cx_upgrades_total);
    worker_.cells.add(settings.stats.cx_upgrades_active);
    if (connection_->multiplexing_ == nullptr) connection_->resumeInputLater();
  }
  if (end_stream) responseEnded();
}

void Stream::sendResponseData(std::string_view data, bool end_stream) {
  if (connection_ == nullptr) return;
  info_.bytes_sent += data.size();
  if (!end_stream || runner_->tunnelOpen()) touch();  // else it is over
  connection_->codec_->sendData(id_, data, end_stream);
  if (end_stream) responseEnded();
}

void Stream::sendResponseTrailers(http::Trailers& trailers) {
  if (connection_ == nullptr) return;
  info_.response_trailer_bytes = trailers.byteSize();
  connection_->codec_->sendTrailers(id_, trailers);
  responseEnded();
}

void Stream::resetStream(std::string_view details) {
  if (connection_ == nullptr) return;
  worker_.cells.add(connection_->settings().stats.rq_tx_reset);
  if (details == filter::kTokenDropped) worker_.cells.add(connection_->settings().stats.rq_dropped_token);
  info_.response_code_details = details;
  // What has no length but the end of the connection must not look whole.
  const bool until_end = in_tunnel_ || (response_started_ && info_.protocol == http::Protocol::kHttp10 &&
                                        !response().has(Name::kContentLength));
  if (connection_->multiplexing_ == nullptr && until_end && !response_ended_) connection_->cut_ = true;
  connection_->codec_->reset(id_, http::ResetReason::kLocal);
  finish();
}

void Stream::abort(std::string_view details, ResponseFlag flag, uint16_t status) {
  if (connection_ == nullptr) return;
  if (status != 0 && !response_started_) info_.response_code = status;
  info_.response_code_details = details;
  info_.response_flags.set(flag);
  finish();
}

size_t Stream::unsentResponseBytes() const {
  if (connection_ == nullptr) return 0;
  // Nothing more is taken, and no end of it would be seen: nobody is to go on making it.
  if (connection_->connection_.broken()) return std::numeric_limits<size_t>::max() / 2;
  return connection_->codec_->unsentBytes(id_) + connection_->connection_.pendingBytes();
}

void Stream::requestCreditGrew() {
  if (connection_ == nullptr) return;
  if (connection_->multiplexing_) return openWindow();
  connection_->connection_.resumeReading();
}

void Stream::responseEnded() {
  info_.response_end = info_.since(worker_.loop.now());
  response_ended_ = true;
  if (!runner_->tunnelOpen()) return finish();
  if (connection_->multiplexing_ == nullptr) connection_->connection_.shutdownWrites();  // the client's side goes on
}

void Stream::finish() {
  Connection& connection = *connection_;
  const HttpSettings& settings = connection.settings();
  cancelTimers();
  const HttpStats& stats = settings.stats;
  worker_.cells.sub(stats.rq_active);
  if (in_tunnel_) worker_.cells.sub(stats.cx_upgrades_active);
  worker_.cells.add(stats.rq_completed);
  static constexpr observability::Counter HttpStats::*kByClass[] = {
      &HttpStats::rq_1xx, &HttpStats::rq_2xx, &HttpStats::rq_3xx, &HttpStats::rq_4xx, &HttpStats::rq_5xx};
  if (const uint16_t status = info_.response_code; status >= 100 && status < 600) {
    worker_.cells.add(stats.*kByClass[status / 100 - 1]);
  }
  worker_.cells.record(stats.rq_time,
                       std::chrono::duration_cast<milliseconds>(worker_.loop.now() - info_.start).count());
  logEnd(response_started_);
  const bool request_complete = requestWhole();
  if (runner_) runner_->end();
  connection_ = nullptr;
  connection.streamFinished(*this, request_complete);
}

void Stream::cancelTimers() {
  beginning_.reset();
  deadline_.cancel();
  idle_.cancel();
  too_long_.cancel();
  if (log_timer_) log_timer_->cancel();
}

void Stream::cleanUp() {
  runner_.reset();
  if (terminal_ != nullptr) {
    terminal_->~Terminal();
    terminal_ = nullptr;
  }
  route_ = {};
  chain_.reset();
  table_.reset();
  tables_before_.clear();
  waited_for_host_ = false;
}

}  // namespace sluice::session
