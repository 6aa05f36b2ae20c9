#include "source/net/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

namespace sluice::net {
namespace {

// From this size on a write goes to the socket directly instead of through the queue.
constexpr size_t kDirectWrite = 8 * 1024;
// One connection's share of a turn, in bytes read.
constexpr size_t kReadBudget = 64 * 1024;
constexpr int kMaxVectors = 16;

}  // namespace

Connection::Connection(event::Loop& loop, WorkerBuffers& buffers, Fd fd, Mode mode, ConnectionEvents& events)
    : loop_(loop),
      buffers_(buffers),
      events_(events),
      fd_(std::move(fd)),
      out_(buffers.blocks),
      connecting_(mode == Mode::kConnecting) {
  watch_ =
      loop_.watch(fd_.get(), event::kReadable | event::kWritable | event::kPeerClosed, event::Trigger::kEdge, *this);
}

Connection::~Connection() {
  close();
}

void Connection::close(bool reset) {
  if (!fd_.valid()) return;
  watch_.reset();
  if (reset) {
    const linger now{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  fd_ = Fd();
  out_.clear();
  unlink();
}

void Connection::broken(CloseReason reason, int error) {
  close();
  events_.onBroken(reason, error);
}

void Connection::onFdEvents(uint32_t happened) {
  if (connecting_) {
    if (!(happened & (event::kWritable | event::kPeerClosed))) return;
    if (const int error = pendingError(fd_.get()); error != 0) return broken(CloseReason::kConnectFailed, error);
    connecting_ = false;
    events_.onConnected();
    if (!fd_.valid() || !flushNow({})) return;
  }
  if ((happened & event::kWritable) && write_blocked_) {
    write_blocked_ = false;
    if (!flushNow({})) return;
    tellIfDrained();
    if (!fd_.valid()) return;
  }
  if (happened & event::kPeerClosed) peer_closed_ = readable_ = true;
  if (happened & event::kReadable) readable_ = true;
  if (readable_) readSome();
}

void Connection::readSome() {
  if (in_read_) return;
  in_read_ = true;
  size_t budget = kReadBudget;
  while (fd_.valid() && readable_ && !end_delivered_) {
    const size_t credit = events_.readCredit();
    if (credit == 0) {
      if (peer_closed_ && !peekForEnd()) return;
      break;
    }
    if (budget == 0) {  // the others' turn; no further edge will come for what is still there
      loop_.atTurnEnd(*this);
      break;
    }
    const size_t want = std::min({credit, WorkerBuffers::kReadSize, budget});
    const ssize_t n = recv(fd_.get(), buffers_.read.get(), want, 0);
    if (n > 0) {
      received_ += n;
      budget -= n;
      if (static_cast<size_t>(n) < want && !peer_closed_) readable_ = false;
      events_.onBytes({buffers_.read.get(), static_cast<size_t>(n)});
    } else if (n == 0) {
      readable_ = false;
      end_delivered_ = true;
      events_.onPeerEnd();
    } else if (errno == EAGAIN) {
      readable_ = false;
    } else if (errno != EINTR) {
      in_read_ = false;
      return broken(CloseReason::kReset, errno);
    }
  }
  in_read_ = false;
}

// With no credit the peer's end is still told, once no bytes are left in front of it. False if the connection broke.
bool Connection::peekForEnd() {
  char byte;
  const ssize_t n = recv(fd_.get(), &byte, 1, MSG_PEEK);
  if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return true;
  in_read_ = false;
  readable_ = false;
  if (n == 0) {
    end_delivered_ = true;
    events_.onPeerEnd();
    return fd_.valid();
  }
  broken(CloseReason::kReset, errno);
  return false;
}

void Connection::resumeReading() {
  // Never reads in here: the caller may stand in the middle of another connection's bytes, in the same hot buffer.
  if (fd_.valid() && readable_) loop_.atTurnEnd(*this);
}

void Connection::runAtTurnEnd() {
  if (!fd_.valid()) return;
  if (!out_.empty() && !write_blocked_ && !connecting_ && !flushNow({})) return;
  tellIfDrained();
  if (fd_.valid() && readable_) readSome();
}

void Connection::tellIfDrained() {
  if (!tell_drained_ || !out_.empty()) return;
  tell_drained_ = false;
  events_.onDrained();
}

void Connection::write(std::string_view bytes) {
  if (!fd_.valid() || write_broken_) return;
  if (bytes.size() >= kDirectWrite && !write_blocked_ && !connecting_) {
    flushNow(bytes);
    return;
  }
  out_.append(bytes);
  if (!write_blocked_ && !connecting_) loop_.atTurnEnd(*this);
}

void Connection::flush() {
  if (fd_.valid() && !out_.empty() && !write_blocked_ && !connecting_) flushNow({});
}

// Sends the queue, then `extra`; keeps what the socket does not take. False if the connection broke.
bool Connection::flushNow(std::string_view extra) {
  while (!out_.empty() || !extra.empty()) {
    ssize_t n;
    if (out_.empty()) {
      n = send(fd_.get(), extra.data(), extra.size(), MSG_NOSIGNAL);
    } else {
      iovec vectors[kMaxVectors + 1];
      int count = out_.peek(vectors, kMaxVectors);
      // `extra` may follow only if all of the queue is in front of it.
      size_t queued = 0;
      for (int i = 0; i < count; ++i) queued += vectors[i].iov_len;
      if (!extra.empty() && queued == out_.size()) {
        vectors[count++] = {const_cast<char*>(extra.data()), extra.size()};
      }
      if (count == 1) {
        n = send(fd_.get(), vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
      } else {
        msghdr message{};
        message.msg_iov = vectors;
        message.msg_iovlen = count;
        n = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
      }
    }
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        write_blocked_ = true;
        break;
      }
      // Told from the loop, not from inside the caller's write(): the read side notices the broken socket. Until then
      // bytes are dropped.
      out_.clear();
      write_broken_ = true;
      readable_ = peer_closed_ = true;
      loop_.atTurnEnd(*this);
      return false;
    }
    sent_ += n;
    const size_t from_queue = std::min(static_cast<size_t>(n), out_.size());
    out_.consume(from_queue);
    extra.remove_prefix(n - from_queue);
  }
  if (!extra.empty()) out_.append(extra);
  if (out_.empty()) sendFinIfDone();
  return true;
}

void Connection::shutdownWrites() {
  fin_wanted_ = true;
  if (fd_.valid() && out_.empty()) sendFinIfDone();
}

void Connection::sendFinIfDone() {
  if (!fin_wanted_) return;
  fin_wanted_ = false;
  shutdown(fd_.get(), SHUT_WR);
}

}  // namespace sluice::net
