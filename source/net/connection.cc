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

Connection::Connection(event::Loop& loop, WorkerBuffers& buffers, Fd fd, Mode mode, ConnectionEvents& events,
                       TransportPtr transport)
    : loop_(loop),
      buffers_(buffers),
      events_(events),
      fd_(std::move(fd)),
      out_(buffers.blocks),
      transport_(std::move(transport)),
      connecting_(mode == Mode::kConnecting),
      handshaking_(transport_ != nullptr) {
  watch_ =
      loop_.watch(fd_.get(), event::kReadable | event::kWritable | event::kPeerClosed, event::Trigger::kEdge, *this);
}

Connection::~Connection() {
  close();
}

void Connection::close(bool reset) {
  if (!fd_.valid()) return;
  watch_.reset();
  // With bytes dropped there is no proper end: the peer must see that the rest is missing.
  if (transport_ && !reset && !connecting() && !write_broken_ && out_.empty() && !transport_blocked_) {
    transport_->sendEnd({fd_.get(), buffers_});
  }
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
    if (!handshaking_) {
      events_.onConnected();
      if (!fd_.valid() || !flushNow({})) return;
    }
  }
  // Noted before the handshake: this edge may be the last one, and what it tells is looked at behind the handshake.
  if (happened & event::kPeerClosed) peer_closed_ = readable_ = true;
  if (happened & event::kReadable) readable_ = true;
  if (handshaking_ && !handshakeOn()) return;
  if ((happened & event::kWritable) && write_blocked_) {
    write_blocked_ = false;
    if (!flushNow({})) return;
    tellIfDrained();
    if (!fd_.valid()) return;
  }
  if (readable_) readSome();
}

// One step of the transport's handshake. True once it is complete and the connection is still there.
bool Connection::handshakeOn() {
  switch (transport_->handshake({fd_.get(), buffers_})) {
    case Transport::Status::kDone:
      break;
    case Transport::Status::kWantRead:
    case Transport::Status::kWantWrite:
      return false;
    default:
      broken(CloseReason::kHandshakeFailed, transport_->socketError());
      return false;
  }
  handshaking_ = false;
  readable_ = true;  // the transport may hold bytes that came behind the handshake
  events_.onConnected();
  return fd_.valid() && flushNow({});
}

// As recv(): -1 with errno EAGAIN when there is nothing, 0 at the peer's end.
ssize_t Connection::receive(char* to, size_t size) {
  if (!transport_) return recv(fd_.get(), to, size, 0);
  const Transport::Result result = transport_->read({fd_.get(), buffers_}, to, size);
  drained_ = result.drained;
  switch (result.status) {
    case Transport::Status::kDone:
      return static_cast<ssize_t>(result.bytes);
    case Transport::Status::kWantRead:
    case Transport::Status::kWantWrite:
      errno = EAGAIN;
      return -1;
    case Transport::Status::kTruncated:
      truncated_ = true;
      return 0;
    case Transport::Status::kEnd:
      return 0;
    case Transport::Status::kFailed:
      break;
  }
  errno = transport_->socketError() != 0 ? transport_->socketError() : EPROTO;
  return -1;
}

// As sendmsg(): -1 with errno EAGAIN when the socket takes nothing. The transport may have taken bytes that the socket
// does not yet: those are kept there (transport_blocked_).
ssize_t Connection::send(const iovec* vectors, int count) {
  if (!transport_) {
    if (count == 1) return ::send(fd_.get(), vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(vectors);
    message.msg_iovlen = count;
    return sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  }
  const Transport::Result result = transport_->write({fd_.get(), buffers_}, vectors, count);
  if (result.status == Transport::Status::kFailed) {
    errno = transport_->socketError() != 0 ? transport_->socketError() : EPROTO;
    return -1;
  }
  transport_blocked_ = result.status == Transport::Status::kWantWrite;
  if (transport_blocked_) write_blocked_ = true;
  if (result.bytes == 0 && transport_blocked_) {
    errno = EAGAIN;
    return -1;
  }
  return static_cast<ssize_t>(result.bytes);
}

void Connection::readSome() {
  if (in_read_) return;
  in_read_ = true;
  size_t budget = kReadBudget;
  while (fd_.valid() && readable_ && !end_delivered_) {
    const size_t credit = events_.readCredit();
    if (credit == 0) {
      // What a transport holds may be in front of the end: there it is told when it is read.
      if (peer_closed_ && !transport_ && !peekForEnd()) return;
      break;
    }
    if (budget == 0) {  // the others' turn; no further edge will come for what is still there
      loop_.atTurnEnd(*this);
      break;
    }
    const size_t want = std::min({credit, WorkerBuffers::kReadSize, budget});
    const ssize_t n = receive(buffers_.read.get(), want);
    if (n > 0) {
      received_ += n;
      budget -= n;
      if (!peer_closed_ && (transport_ ? drained_ : static_cast<size_t>(n) < want)) readable_ = false;
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
  if (!out_.empty() && !write_blocked_ && !connecting() && !flushNow({})) return;
  tellIfDrained();
  if (fd_.valid() && readable_ && !connecting()) readSome();
}

void Connection::tellIfDrained() {
  if (!tell_drained_ || !out_.empty() || transport_blocked_) return;
  tell_drained_ = false;
  events_.onDrained();
}

void Connection::write(std::string_view bytes) {
  if (!fd_.valid() || write_broken_) return;
  if (bytes.size() >= kDirectWrite && !write_blocked_ && !connecting()) {
    flushNow(bytes);
    return;
  }
  out_.append(bytes);
  if (!write_blocked_ && !connecting()) loop_.atTurnEnd(*this);
}

void Connection::flush() {
  if (fd_.valid() && !out_.empty() && !write_blocked_ && !connecting()) flushNow({});
}

// Sends the queue, then `extra`; keeps what the socket does not take. False if the connection broke.
bool Connection::flushNow(std::string_view extra) {
  while (!out_.empty() || !extra.empty() || transport_blocked_) {
    iovec vectors[kMaxVectors + 1];
    int count = out_.peek(vectors, kMaxVectors);
    // `extra` may follow only if all of the queue is in front of it.
    size_t queued = 0;
    for (int i = 0; i < count; ++i) queued += vectors[i].iov_len;
    if (!extra.empty() && queued == out_.size()) {
      vectors[count++] = {const_cast<char*>(extra.data()), extra.size()};
    }
    const ssize_t n = send(vectors, count);
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
    if (transport_blocked_) break;
  }
  if (!extra.empty()) out_.append(extra);
  if (out_.empty() && !transport_blocked_) sendFinIfDone();
  return true;
}

void Connection::shutdownWrites() {
  fin_wanted_ = true;
  if (fd_.valid() && out_.empty() && !transport_blocked_ && !connecting()) sendFinIfDone();
}

void Connection::sendFinIfDone() {
  if (!fin_wanted_) return;
  if (transport_) {
    const Transport::Io io{fd_.get(), buffers_};
    transport_->sendEnd(io);
    if (transport_->write(io, nullptr, 0).status == Transport::Status::kWantWrite) {  // the FIN waits behind it
      transport_blocked_ = write_blocked_ = true;
      return;
    }
  }
  fin_wanted_ = false;
  shutdown(fd_.get(), SHUT_WR);
}

}  // namespace sluice::net
