#include "source/router/replayable_request.h"

#include "source/http/rules.h"

namespace sluice::router {

bool ReplayableRequest::bodyFollows() const {
  const http::RequestHeaders& head = stream_.request();
  return !headIsAll() && !head.expects_continue &&
         (head.protocol < http::Protocol::kHttp2 || head.has(http::Name::kContentLength));
}

// Bytes that were sent are kept for a policy of retries, or for as long as a host of HTTP/2 may say that it did not
// look at the request, or filters may not have let it go.
void ReplayableRequest::noteSent(const upstream::Attempt& attempt, std::string_view data) {
  keeps_ || attempt.filtered() || attempt.exchange().multiplexed() ? body_.keep(data) : body_.forget();
}

void ReplayableRequest::send(upstream::Attempt& attempt, std::string_view data) {
  noteSent(attempt, data);
  attempt.sendData(data, ended_);
}

void ReplayableRequest::sendTo(upstream::Attempt& attempt) {
  attempt.sendHead(headers_only_);
  if (headIsAll() || !attempt.open()) return;
  body_.sendTo(attempt, ended_ && !has_trailers_);
  noteSent(attempt, {});
  if (has_trailers_) attempt.sendTrailers(stream_.requestTrailers());
}

void ReplayableRequest::sendAhead(upstream::Attempt& attempt) {
  body_.sendTo(attempt, ended_);
  body_.forget();
}

// What a lost connection took along is not kept, but for what HTTP/2 may refuse.
upstream::RetryState::Request ReplayableRequest::forRetry(http::ResetReason reason) const {
  const bool lost = reason == http::ResetReason::kConnectionEnded;
  return {.idempotent = http::idempotent(stream_.request().method), .at_hand = headIsAll() || (!lost && body_.whole())};
}

}  // namespace sluice::router
