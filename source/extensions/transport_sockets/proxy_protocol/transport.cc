#include "source/extensions/transport_sockets/proxy_protocol/transport.h"

#include <sys/socket.h>

#include <cerrno>

namespace sluice::extensions::transport_sockets::proxy_protocol {

using Status = net::Transport::Status;
using Result = net::Transport::Result;

Status HeaderTransport::handshake(const Io& io) {
  while (!header_.empty()) {
    const ssize_t n = send(io.fd, header_.data(), header_.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      header_.erase(0, n);
    } else if (errno == EAGAIN) {
      return Status::kWantWrite;
    } else if (errno != EINTR) {
      error_ = errno;
      return Status::kFailed;
    }
  }
  return inner_ ? inner_->handshake(io) : Status::kDone;
}

Result HeaderTransport::read(const Io& io, char* to, size_t size) {
  if (inner_) return inner_->read(io, to, size);
  for (;;) {
    const ssize_t n = recv(io.fd, to, size, 0);
    if (n > 0) return {Status::kDone, static_cast<size_t>(n)};
    if (n == 0) return {Status::kEnd};
    if (errno == EAGAIN) return {Status::kWantRead};
    if (errno == EINTR) continue;
    error_ = errno;
    return {Status::kFailed};
  }
}

Result HeaderTransport::write(const Io& io, const iovec* vectors, int count) {
  if (inner_) return inner_->write(io, vectors, count);
  size_t total = 0;
  for (int i = 0; i < count; ++i) total += vectors[i].iov_len;
  if (total == 0) return {Status::kDone};
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors);
  message.msg_iovlen = count;
  ssize_t n;
  do {
    n = sendmsg(io.fd, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno != EAGAIN) {
    error_ = errno;
    return {Status::kFailed};
  }
  const size_t sent = n < 0 ? 0 : static_cast<size_t>(n);
  return {sent == total ? Status::kDone : Status::kWantWrite, sent};
}

void HeaderTransport::sendEnd(const Io& io) {
  if (inner_) inner_->sendEnd(io);
}

void HeaderTransport::idle() {
  if (inner_) inner_->idle();
}

}  // namespace sluice::extensions::transport_sockets::proxy_protocol
