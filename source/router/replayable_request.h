// The request of a stream as its attempts send it: the head, with what the route changed once for all of them, and the
// body, of which so much is kept that an attempt which the host did not look at can be made again.
#pragma once

#include "source/filter/stream.h"
#include "source/upstream/attempt.h"
#include "source/upstream/kept_body.h"

namespace sluice::router {

// Thread: the worker's. What waits for a connection or a tunnel is bounded by the chain's window.
class ReplayableRequest {
 public:
  explicit ReplayableRequest(filter::Stream& stream) : stream_(stream) {}

  // The head has come.
  void begin(bool end_stream) {
    asks_tunnel_ = stream_.request().wantsTunnel();
    asked_authority_ = stream_.request().authority;
    headers_only_ = ended_ = end_stream;
  }
  // All of the body is kept up to so many bytes, until forget().
  void keepBody(size_t most) {
    keeps_ = true;
    body_.limit(most);
  }
  bool keepsBody() const { return keeps_; }
  std::string heldBody() const { return body_.text(); }
  // All that was sent of it can be sent once more.
  bool replayable() const { return headIsAll() || body_.whole(); }
  // What the route changes is in the head: attempts change no more than what their HeadOverlay says.
  void headIsFinal() { authority_ = stream_.request().authority; }
  std::string_view authority() const { return authority_; }
  // As it came, before the route changed it.
  std::string_view askedAuthority() const { return asked_authority_; }

  // An upgrade or CONNECT: the head is all of the request until it is accepted.
  bool asksTunnel() const { return asks_tunnel_; }
  // Nothing of it has to come before the host may answer: the timeout counts from here.
  bool whole() const { return ended_ || asks_tunnel_; }
  void end() { ended_ = true; }
  // A client that has said how long its body is, or that speaks HTTP/1, sends it whatever the host answers. While none
  // of it has come the host has nothing to do. Where HTTP/2 announces no length, client and host may talk in turns, and
  // the host may be the first.
  bool bodyFollows() const;
  bool headIsAll() const { return headers_only_ || asks_tunnel_; }
  size_t heldBytes() const { return body_.size(); }

  // Body bytes: while there is no connection or tunnel yet, and once there is.
  void hold(std::string_view data) { body_.hold(data); }
  void send(upstream::Attempt& attempt, std::string_view data);
  void holdTrailers() { has_trailers_ = true; }
  // All that has come so far, on an attempt that is ready.
  void sendTo(upstream::Attempt& attempt);
  // What the client sent ahead of a tunnel that is open now.
  void sendAhead(upstream::Attempt& attempt);
  // There is an answer: the request is not sent again.
  void forget() { body_.forget(); }

  // What there is to say of it when an attempt was reset.
  upstream::RetryState::Request forRetry(http::ResetReason reason) const;

 private:
  void noteSent(const upstream::Attempt& attempt, std::string_view data);

  static constexpr size_t kMaxKept = 16 * 1024;

  filter::Stream& stream_;
  std::string_view authority_;  // what an attempt starts from
  std::string_view asked_authority_;
  upstream::KeptBody body_{kMaxKept};
  bool headers_only_ = false;
  bool ended_ = false;
  bool has_trailers_ = false;
  bool asks_tunnel_ = false;
  bool keeps_ = false;
};

}  // namespace sluice::router
