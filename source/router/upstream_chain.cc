#include "source/router/upstream_chain.h"

#include <algorithm>
#include <utility>

namespace sluice::router {
namespace {

// The text stays where it is.
void copyFields(const http::HeaderList& from, http::HeaderList& to) {
  for (const http::Field& field : from) to.addView(field.id, field.name, field.value);
  to.setForms(from.forms());
}

}  // namespace

UpstreamChain::UpstreamChain(Config config, const RequestOrigin& origin,
                             const upstream::cluster::ClusterConfig& cluster, std::string_view host, size_t window,
                             upstream::pool::ExchangeEvents& user)
    : config_(std::move(config)), host_(host), worker_(origin.worker), user_(user), window_(window) {
  choice_.cluster = cluster.name;
  upstream_choice_ = &choice_;
  if (origin.client != nullptr) {
    facts_ = &origin.client->info();
    info_arena_ = &origin.client->infoArena();
    route_ = origin.client->route();
    return;
  }
  info_.start = worker_.loop.now();
  info_.start_time = origin.start_time;
  info_.has_protocol = true;
  info_.downstream_remote_address = info_.downstream_direct_remote_address = origin.addresses.remote;
  info_.downstream_local_address = origin.addresses.local;
  info_.upstream_cluster = choice_.cluster;
}

// --- from the attempt

void UpstreamChain::sendHeaders(const http::RequestHeaders& head, bool end_stream) {
  if (!open_ || runner_) return;
  takeHead(head);
  of_host_ = false;
  auto& stream = static_cast<filter::Stream&>(*this);
  runner_.emplace(*config_, stream, static_cast<filter::Downstream&>(*this));
  runner_->setTerminal(*this);
  runner_->limitWindow(window_);
  runner_->requestHeaders(end_stream);
}

void UpstreamChain::takeHead(const http::RequestHeaders& head) {
  http::RequestHeaders& out = request();
  out.method = head.method;
  out.path = head.path;
  out.authority = head.authority;
  out.scheme = head.scheme;
  out.upgrade = head.upgrade;
  out.protocol = head.protocol;
  out.expects_continue = head.expects_continue;
  copyFields(head, out);
}

void UpstreamChain::sendData(std::string_view data, bool end_stream) {
  if (!open_ || !runner_) return;
  sending_ = true;
  runner_->requestData(data, end_stream);
  sending_ = false;
}

void UpstreamChain::sendTrailers(const http::Trailers& trailers) {
  if (!open_ || !runner_) return;
  copyFields(trailers, filter::Stream::requestTrailers());
  runner_->requestTrailers();
}

// The other way round than the runner counts, so that who asks may bring what a filter that collects has room for. Who
// brings more than there is room for is told all of it: copies go by that.
size_t UpstreamChain::unsentBytes() const {
  if (!runner_) return 0;
  const size_t credit = runner_->requestCredit();
  return credit > 0 ? window_ - std::min(window_, credit) : std::max(window_, runner_->requestHeld());
}

void UpstreamChain::abandon() {
  open_ = false;
  if (runner_) runner_->end();
  exchange_.abandon();
}

// --- the request, out of the filters

void UpstreamChain::requestHeaders(bool end_stream) {
  of_host_ = true;
  exchange_.sendHeaders(request(), end_stream);
}

void UpstreamChain::requestData(std::string_view data, bool end_stream) {
  exchange_.sendData(data, end_stream);
  if (!end_stream || !response_ended_ || exchange_.open()) return;
  open_ = false;  // the other side of the tunnel had ended
  runner_->endTunnel();
}

// Inside of a send the attempt sees it itself.
void UpstreamChain::tunnelEnded() {
  if (!sending_) user_.onResponseData({}, true);
}

// --- from the host

void UpstreamChain::onReady() {
  open_ = true;
  user_.onReady();
}

http::ResponseHeaders& UpstreamChain::beginResponse() {
  response().clear();
  return response();
}

void UpstreamChain::onResponseHeaders(bool end_stream) {
  const http::RequestHeaders& head = request();
  const uint16_t status = response().status;
  const bool accepts = head.upgrade.empty() ? status / 100 == 2 : status == 101;
  if (head.wantsTunnel() && accepts) runner_->beginTunnel();
  runner_->responseHeaders(end_stream);
}

// What filters hold of the response is void: the attempt hears why it is over, and may be made again; so it may
// whatever its method while the request has not gone on to the host.
void UpstreamChain::onResponseReset(http::ResetReason reason, std::string_view detail) {
  open_ = false;
  if (runner_) runner_->end();
  user_.onResponseReset(of_host_ ? reason : http::ResetReason::kUnprocessed, detail);
}

// --- the response, out of the filters

void UpstreamChain::sendInformational(const http::ResponseHeaders& headers) {
  http::ResponseHeaders& out = user_.beginResponse();
  out.status = headers.status;
  copyFields(headers, out);
  user_.onInformational();
}

// The filters go on seeing what they have; the attempt gets a list of its own. Another attempt of the request may have
// left its details meanwhile.
void UpstreamChain::sendResponseHeaders(http::ResponseHeaders& headers, bool end_stream) {
  if (!of_host_) info().response_code_details = details_;
  if (end_stream) noteEndOfResponse();
  http::ResponseHeaders& out = user_.beginResponse();
  out.status = headers.status;
  out.reason = headers.reason;
  out.protocol = headers.protocol;
  copyFields(headers, out);
  user_.onResponseHeaders(end_stream);
}

void UpstreamChain::sendResponseData(std::string_view data, bool end_stream) {
  if (end_stream) noteEndOfResponse();
  user_.onResponseData(data, end_stream);
}

void UpstreamChain::sendResponseTrailers(http::Trailers& trailers) {
  noteEndOfResponse();
  copyFields(trailers, user_.beginResponseTrailers());
  user_.onResponseTrailers();
}

void UpstreamChain::noteEndOfResponse() {
  response_ended_ = true;
  open_ = runner_->tunnelOpen() && exchange_.open();
}

// A filter gave the stream up. `details` is static text.
void UpstreamChain::resetStream(std::string_view details) {
  of_host_ = false;
  tellFlag(info());  // of an answer that came too late to take the other's place
  abandon();
  user_.onResponseReset(http::ResetReason::kLocal, details);
}

size_t UpstreamChain::unsentResponseBytes() const {
  return window_ - std::min(window_, user_.responseCredit());
}

}  // namespace sluice::router
