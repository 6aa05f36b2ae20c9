#include "source/ctl/http_client.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "source/base/arena.h"
#include "source/base/host_port.h"
#include "source/base/text.h"
#include "source/http/h1/codec.h"
#include "source/net/address.h"
#include "source/net/socket.h"

namespace sluice::ctl {
namespace {

absl::Status unreachable(const Endpoint& endpoint, std::string_view why) {
  return absl::UnavailableError(base::strCat("cannot reach ", endpoint.url, ": ", why));
}

void setTimeLimit(int fd, std::chrono::seconds limit) {
  const timeval value{.tv_sec = limit.count(), .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof(value));  // connect() too
}

// A connected socket; the errno of the last attempt otherwise.
net::Fd connectTo(const sockaddr* address, socklen_t length, std::chrono::seconds limit, int& error) {
  net::Fd fd(socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.valid()) setTimeLimit(fd.get(), limit);
  if (fd.valid() && connect(fd.get(), address, length) == 0) return fd;
  error = errno == EINPROGRESS ? ETIMEDOUT : errno;
  return net::Fd();
}

absl::StatusOr<net::Fd> dial(const Endpoint& endpoint, std::chrono::seconds limit) {
  int error = 0;
  if (endpoint.host.empty()) {
    const auto address = net::Address::fromUnixPath(endpoint.path);
    if (!address.ok()) return unreachable(endpoint, base::toStd(address.status().message()));
    net::Fd fd = connectTo(address->sockaddrPointer(), address->sockaddrLength(), limit, error);
    if (fd.valid()) return fd;
    return unreachable(endpoint, std::strerror(error));
  }
  const addrinfo hints{.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &found); code != 0) {
    return unreachable(endpoint, gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    net::Fd fd = connectTo(one->ai_addr, one->ai_addrlen, limit, error);
    if (fd.valid()) return fd;
  }
  return unreachable(endpoint, std::strerror(error));
}

// Collects what the codec writes and reads.
class Exchange final : public http::ClientEvents, public http::ByteSink {
 public:
  std::string take() { return std::exchange(out_, {}); }
  bool done() const { return done_; }
  Reply& reply() { return reply_; }

  void write(std::string_view bytes) override { out_.append(bytes); }

  http::ResponseHeaders& beginResponse(http::StreamId) override { return headers_.emplace(arena_); }
  void onInformational(http::StreamId) override {}
  void onResponseHeaders(http::StreamId, bool end_stream) override {
    reply_.status = headers_->status;
    done_ = end_stream;
  }
  void onResponseData(http::StreamId, std::string_view data, bool end_stream) override {
    reply_.body.append(data);
    done_ = done_ || end_stream;
  }
  http::Trailers& beginResponseTrailers(http::StreamId) override { return trailers_.emplace(arena_); }
  void onResponseTrailers(http::StreamId) override { done_ = true; }
  void onResponseReset(http::StreamId, http::ResetReason) override {}

 private:
  base::Arena arena_;
  std::optional<http::ResponseHeaders> headers_;
  std::optional<http::Trailers> trailers_;
  std::string out_;
  Reply reply_;
  bool done_ = false;
};

bool sendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

void writeRequest(const Endpoint& endpoint, const Call& call, http::ClientCodec& codec) {
  base::Arena arena;
  http::RequestHeaders headers(arena);
  headers.method = call.method;
  headers.path = call.target;
  headers.scheme = "http";
  headers.authority =
      endpoint.host.empty() ? std::string_view("localhost") : arena.concat(endpoint.host, ":", endpoint.port);
  headers.add("user-agent", "sluicectl");
  if (!call.token.empty()) headers.add("authorization", base::strCat("Bearer ", call.token));
  const bool body = call.method == "POST";
  if (body) {
    headers.add("content-type", "application/yaml");
    headers.add("content-length", base::strCat(call.body.size()));
  }
  const http::StreamId stream = codec.sendHeaders(headers, !body);
  if (body) codec.sendData(stream, call.body, true);
}

std::string reasonOfErrno() {
  return errno == EAGAIN ? "no answer in time" : std::strerror(errno);
}

}  // namespace

absl::StatusOr<Endpoint> parseUrl(std::string_view url) {
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kUnix = "unix:";
  Endpoint endpoint{.url = std::string(url)};
  if (url.starts_with(kUnix) && url.size() > kUnix.size()) {
    endpoint.path = url.substr(kUnix.size());
    return endpoint;
  }
  std::string_view authority = url.starts_with(kHttp) ? url.substr(kHttp.size()) : std::string_view();
  if (authority.ends_with('/')) authority.remove_suffix(1);
  const base::HostPort parts = base::splitHostPort(authority);
  endpoint.port = parts.has_port ? parts.port : "80";
  endpoint.host = parts.bareHost();
  const bool digits = !endpoint.port.empty() && endpoint.port.find_first_not_of("0123456789") == std::string::npos;
  if (!endpoint.host.empty() && digits && endpoint.host.find('/') == std::string::npos) return endpoint;
  return absl::InvalidArgumentError(
      base::strCat("'", url, "' is no URL of an API; write http://HOST:PORT or unix:PATH"));
}

absl::StatusOr<Reply> fetch(const Endpoint& endpoint, const Call& call, std::chrono::seconds limit) {
  absl::StatusOr<net::Fd> fd = dial(endpoint, limit);
  if (!fd.ok()) return fd.status();
  Exchange exchange;
  const auto codec = http::h1::makeClientCodec(exchange, exchange, http::CodecLimits{});
  writeRequest(endpoint, call, *codec);
  if (!sendAll(fd->get(), exchange.take())) return unreachable(endpoint, reasonOfErrno());
  std::array<char, 65536> buffer;
  while (!exchange.done()) {
    const ssize_t size = recv(fd->get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return unreachable(endpoint, reasonOfErrno());
    const auto error = size == 0 ? codec->receiveEnd() : codec->receive({buffer.data(), static_cast<size_t>(size)});
    if (error) return unreachable(endpoint, base::strCat("the answer is no HTTP/1.1: ", error->detail));
    if (size == 0 && !exchange.done()) return unreachable(endpoint, "the connection was closed before the answer");
  }
  return std::move(exchange.reply());
}

}  // namespace sluice::ctl
