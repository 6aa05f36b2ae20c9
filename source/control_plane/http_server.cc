#include "source/control_plane/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "source/base/arena.h"
#include "source/base/text.h"
#include "source/http/h1/codec.h"
#include "source/net/connection.h"
#include "source/net/socket.h"

namespace sluice::control_plane {
namespace {

constexpr size_t kMaxConnections = 512;
constexpr std::chrono::seconds kIdleLimit{60};

class Server;

// One connection. Requests come one after the other; each is answered when its body is here.
class Peer final : public event::Deferred,
                   public net::ConnectionEvents,
                   public http::ServerEvents,
                   public http::ByteSink {
 public:
  Peer(Server& server, net::Fd fd);

  // From the socket.
  size_t readCredit() override { return codec_->inputBlocked() ? 0 : net::WorkerBuffers::kReadSize; }
  void onBytes(std::string_view bytes) override;
  void onPeerEnd() override;
  void onBroken(net::CloseReason, int) override { leave(); }
  void onDrained() override { leaveIfDone(); }

  // From the codec.
  http::RequestHeaders& beginRequest(http::StreamId) override;
  void onRequestHeaders(http::StreamId stream, bool end_stream, bool expect_continue) override;
  void onRequestData(http::StreamId stream, std::string_view data, bool end_stream) override;
  http::Trailers& beginRequestTrailers(http::StreamId) override;
  void onRequestTrailers(http::StreamId stream) override { answer(stream); }
  void onRequestReset(http::StreamId, http::ResetReason) override {}
  void write(std::string_view bytes) override { connection_.write(bytes); }

 private:
  void answer(http::StreamId stream);
  void send(http::StreamId stream, const HttpResponse& response);
  void refuse(const http::ProtocolError& error);
  void leaveIfDone();
  void leave();

  Server& server_;
  base::Arena arena_;
  std::optional<http::RequestHeaders> request_;
  std::optional<http::Trailers> trailers_;
  std::string body_;
  bool too_large_ = false;
  bool ending_ = false;
  bool left_ = false;
  event::Timer idle_;
  net::Connection connection_;
  std::unique_ptr<http::ServerCodec> codec_;
};

class Server final : public HttpServer, private event::FdHandler {
 public:
  Server(event::Loop& loop, net::Fd fd, Handler handler)
      : loop_(loop),
        fd_(std::move(fd)),
        bound_(net::localAddress(fd_.get())),
        handler_(std::move(handler)),
        watch_(loop.watch(fd_.get(), event::kReadable, event::Trigger::kLevel, *this)) {}

  const net::Address& boundAddress() const override { return bound_; }

  event::Loop& loop() { return loop_; }
  net::WorkerBuffers& buffers() { return buffers_; }
  const Handler& handler() const { return handler_; }
  void remove(const Peer& peer);

 private:
  void onFdEvents(uint32_t) override;

  event::Loop& loop_;
  net::Fd fd_;
  net::Address bound_;
  const Handler handler_;
  net::WorkerBuffers buffers_;
  std::list<std::unique_ptr<Peer>> peers_;
  std::unique_ptr<event::FdWatch> watch_;
};

// --- Peer ----------------------------------------------------------------------------------------------------------

Peer::Peer(Server& server, net::Fd fd)
    : server_(server),
      idle_(server.loop().timers(), [this] { leave(); }),
      connection_(server.loop(), server.buffers(), std::move(fd), net::Connection::Mode::kAccepted, *this),
      codec_(http::h1::makeServerCodec(*this, *this, http::CodecLimits{})) {
  idle_.arm(kIdleLimit);
}

void Peer::onBytes(std::string_view bytes) {
  idle_.arm(kIdleLimit);
  std::optional<http::ProtocolError> error = codec_->receive(bytes);
  while (!error && !left_ && !codec_->inputBlocked() && codec_->bufferedBytes() > 0) {
    const size_t before = codec_->bufferedBytes();
    error = codec_->resumeInput();
    if (codec_->bufferedBytes() == before) break;
  }
  if (error) return refuse(*error);
  leaveIfDone();
}

void Peer::onPeerEnd() {
  ending_ = true;
  (void)codec_->receiveEnd();
  leaveIfDone();
}

http::RequestHeaders& Peer::beginRequest(http::StreamId) {
  request_.reset();
  trailers_.reset();
  body_.clear();
  too_large_ = false;
  arena_.reset();
  return request_.emplace(arena_);
}

http::Trailers& Peer::beginRequestTrailers(http::StreamId) {
  return trailers_.emplace(arena_);
}

void Peer::onRequestHeaders(http::StreamId stream, bool end_stream, bool expect_continue) {
  if (end_stream) return answer(stream);
  if (!expect_continue) return;
  base::Arena arena;
  http::ResponseHeaders headers(arena);
  headers.status = 100;
  codec_->sendInformational(stream, headers);
}

void Peer::onRequestData(http::StreamId stream, std::string_view data, bool end_stream) {
  too_large_ = too_large_ || body_.size() + data.size() > kMaxApplyBytes;
  if (too_large_) {
    body_.clear();  // read on, so that the client reads the answer
  } else {
    body_.append(data);
  }
  if (end_stream) answer(stream);
}

void Peer::answer(http::StreamId stream) {
  if (too_large_) return send(stream, {.status = 413, .body = "{\"error\": \"a file may have 32 MiB\"}\n"});
  send(stream, server_.handler()({.method = request_->method,
                                  .target = request_->path,
                                  .authorization = request_->get(http::Name::kAuthorization).value_or(""),
                                  .origin = request_->get(http::Name::kOrigin).value_or(""),
                                  .body = body_}));
}

void Peer::send(http::StreamId stream, const HttpResponse& response) {
  base::Arena arena;
  http::ResponseHeaders headers(arena);
  headers.status = static_cast<uint16_t>(response.status);
  headers.add(http::Name::kContentType, response.content_type);
  headers.add(http::Name::kContentLength, base::strCat(response.body.size()));
  headers.add("cache-control", "no-store");
  headers.add("x-content-type-options", "nosniff");
  codec_->sendHeaders(stream, headers, false);
  codec_->sendData(stream, response.body, true);
}

void Peer::refuse(const http::ProtocolError& error) {
  send(0, {.status = error.status, .content_type = "text/plain", .body = base::strCat(error.detail, "\n")});
  ending_ = true;
  leaveIfDone();
}

void Peer::leaveIfDone() {
  if (!ending_ && !codec_->shouldClose()) return;
  ending_ = true;
  connection_.flush();
  if (connection_.pendingBytes() == 0) leave();
}

void Peer::leave() {
  if (std::exchange(left_, true)) return;
  connection_.close();
  server_.remove(*this);
}

// --- Server --------------------------------------------------------------------------------------------------------

void Server::onFdEvents(uint32_t) {
  for (;;) {
    net::Fd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) return;
    if (peers_.size() < kMaxConnections) peers_.push_back(std::make_unique<Peer>(*this, std::move(fd)));
  }
}

void Server::remove(const Peer& peer) {
  const auto found =
      std::find_if(peers_.begin(), peers_.end(), [&peer](const auto& one) { return one.get() == &peer; });
  loop_.deleteLater(std::move(*found));
  peers_.erase(found);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::start(const net::Address& address, event::Loop& loop,
                                                              Handler handler) {
  absl::StatusOr<net::Fd> fd = net::listenOn(address, {});
  if (!fd.ok()) return fd.status();
  return std::make_unique<Server>(loop, *std::move(fd), std::move(handler));
}

}  // namespace sluice::control_plane
