#include "source/net/prelude_transport.h"

#include <sys/socket.h>

#include <cerrno>

namespace sluice::net {

using Status = Transport::Status;
using Result = Transport::Result;

void PreludeTransport::attach(Connection& connection) {
  if (inner_) inner_->attach(connection);
}

Status PreludeTransport::handshake(const Io& io) {
  if (!begun_) {
    if (const Status status = begin(io); status != Status::kDone) return status;
    begun_ = true;
  }
  return inner_ ? inner_->handshake(io) : Status::kDone;
}

Status PreludeTransport::send(const Io& io, std::string& bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(io.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.erase(0, static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      return Status::kWantWrite;
    } else if (errno != EINTR) {
      return failed(errno);
    }
  }
  return Status::kDone;
}

Status PreludeTransport::failed(int error) {
  error_ = error;
  return Status::kFailed;
}

Status PreludeTransport::failed(std::string why) {
  failure_ = std::move(why);
  return Status::kFailed;
}

Result PreludeTransport::read(const Io& io, char* to, size_t size) {
  if (inner_) return inner_->read(io, to, size);
  for (;;) {
    const ssize_t n = recv(io.fd, to, size, 0);
    if (n > 0) return {Status::kDone, static_cast<size_t>(n), static_cast<size_t>(n) < size};
    if (n == 0) return {Status::kEnd};
    if (errno == EAGAIN) return {Status::kWantRead};
    if (errno == EINTR) continue;
    return {failed(errno)};
  }
}

Result PreludeTransport::write(const Io& io, const iovec* vectors, int count) {
  if (inner_) return inner_->write(io, vectors, count);
  size_t total = 0;
  for (int i = 0; i < count; ++i) total += vectors[i].iov_len;
  if (total == 0) return {Status::kDone};
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors);
  message.msg_iovlen = static_cast<size_t>(count);
  ssize_t n;
  do {
    n = sendmsg(io.fd, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno != EAGAIN) return {failed(errno)};
  const size_t sent = n < 0 ? 0 : static_cast<size_t>(n);
  return {sent == total ? Status::kDone : Status::kWantWrite, sent};
}

void PreludeTransport::sendEnd(const Io& io) {
  if (inner_) inner_->sendEnd(io);
}

void PreludeTransport::idle() {
  if (inner_) inner_->idle();
}

}  // namespace sluice::net
