#include "source/net/connection.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "absl/base/config.h"

namespace sluice::net {
namespace {

// From this size on a write goes to the socket directly instead of through the queue.
constexpr size_t kDirectWrite = 8 * 1024;
// One connection's share of a turn, in bytes read.
constexpr size_t kReadBudget = 64 * 1024;
constexpr int kMaxVectors = 16;
// How soon it is looked whether the peer has the last bytes before a reset; the pause doubles.
constexpr std::chrono::milliseconds kFirstLook{5};
constexpr std::chrono::milliseconds kLongestLook{500};

// recv() and send() as the kernel has them: those of libc are points at which a thread may be cancelled, which costs
// some 45 instructions a call and is of no use here. A sanitizer has to see the calls.
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
ssize_t receiveFrom(int fd, char* to, size_t size) {
  return ::recv(fd, to, size, 0);
}
ssize_t sendTo(int fd, const iovec& bytes) {
  return ::send(fd, bytes.iov_base, bytes.iov_len, MSG_NOSIGNAL);
}
#else
ssize_t receiveFrom(int fd, char* to, size_t size) {
  return syscall(SYS_recvfrom, fd, to, size, 0, nullptr, nullptr);
}
ssize_t sendTo(int fd, const iovec& bytes) {
  return syscall(SYS_sendto, fd, bytes.iov_base, bytes.iov_len, MSG_NOSIGNAL, nullptr, 0);
}
#endif

}  // namespace

struct Connection::LastWait {
  LastWait(event::TimerQueue& timers, Connection& connection)
      : timer(timers, [&connection] { connection.onLastWait(); }) {}
  event::Timer timer;
  event::Duration delay{};
  event::Duration idle{};  // how long nothing has moved
  uint64_t moved = 0;      // at the last look
};

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
  if (transport_) transport_->attach(*this);
  watch();
}

void Connection::watch() {
  watch_ =
      loop_.watch(fd_.get(), event::kReadable | event::kWritable | event::kPeerClosed, event::Trigger::kEdge, *this);
}

void Connection::raceTo(std::span<const Address> others, const ConnectOptions& options) {
  race_ = std::make_unique<ConnectRace>(loop_, buffers_.descriptors, others, options, [this](Fd fd) {
    race_.reset();
    goOnWith(std::move(fd));
  });
}

// Another attempt stands for the one so far; what becomes of it is told by the loop. False: there is none.
bool Connection::goOnWith(Fd fd) {
  if (!fd.valid()) return false;
  watch_.reset();
  fd_ = std::move(fd);
  watch();
  return true;
}

Connection::~Connection() {
  close();
}

void Connection::close(bool reset) {
  if (!fd_.valid()) return;
  watch_.reset();
  race_.reset();
  last_wait_.reset();
  // With bytes dropped there is no proper end: the peer must see that the rest is missing.
  if (transport_ && !reset && !connecting() && !broken_ && out_.empty() && !transport_blocked_) {
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
  close(reason == CloseReason::kLocal);
  events_.onBroken(reason, error);
}

void Connection::brokenByPeer() {
  const int error = error_ != 0 ? error_ : pendingError(fd_.get());
  resetting_ ? broken(CloseReason::kLocal, 0) : broken(CloseReason::kReset, error != 0 ? error : ECONNRESET);
}

// The socket has failed: nothing goes out any more, and what it still holds is all that comes in.
void Connection::breakDown(int error) {
  if (error_ == 0) error_ = error;
  broken_ = peer_closed_ = readable_ = true;
  out_.clear();
  transport_blocked_ = false;
}

void Connection::onFdEvents(uint32_t happened) {
  if (connecting_) {
    if (!(happened & (event::kWritable | event::kPeerClosed))) return;
    if (const int error = pendingError(fd_.get()); error != 0) {
      if (race_ && goOnWith(race_->replace())) return;
      return broken(CloseReason::kConnectFailed, error);
    }
    connecting_ = false;
    connected_at_ = loop_.now();
    race_.reset();
    if (!handshaking_) {
      events_.onConnected();
      if (!fd_.valid() || !flushNow({})) return;
    }
  }
  // Noted before the handshake: this edge may be the last one, and what it tells is looked at behind the handshake.
  if (happened & event::kPeerClosed) peer_closed_ = readable_ = true;
  if (happened & event::kBroken) breakDown(0);
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
    case Transport::Status::kHeld:
      if (broken_) broken(CloseReason::kReset, ECONNRESET);
      return false;
    case Transport::Status::kWantRead:
    case Transport::Status::kWantWrite:
      if (!broken_) return false;
      [[fallthrough]];
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
  if (!transport_) return receiveFrom(fd_.get(), to, size);
  const Transport::Result result = transport_->read({fd_.get(), buffers_}, to, size);
  drained_ = result.drained;
  held_ = result.status == Transport::Status::kHeld;
  switch (result.status) {
    case Transport::Status::kDone:
      return static_cast<ssize_t>(result.bytes);
    case Transport::Status::kHeld:
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
    if (count == 1) return sendTo(fd_.get(), vectors[0]);
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
    if (broken_ && events_.dropsUnread(true)) {  // nothing that is unread is worth looking at
      readable_ = held_ = false;
      break;
    }
    const size_t credit = events_.readCredit();
    if (credit == 0) {
      if (peer_closed_ && !endWithoutCredit()) return;
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
      tellEnd();
    } else if (errno == EAGAIN) {
      readable_ = false;
    } else if (errno != EINTR) {
      breakDown(errno);
      readable_ = false;
    }
  }
  in_read_ = false;
  if (!broken_ || !fd_.valid()) return;
  if (held_ && !end_delivered_) {  // what the transport holds is in front of the break
    if (!last_wait_) waitForLast(kPatience);
  } else if (end_delivered_ || !readable_) {
    brokenByPeer();
  }
}

void Connection::transportReady() {
  if (fd_.valid()) onFdEvents(event::kReadable | event::kWritable);
}

// No bytes are left. A socket that has told its error shows an end from then on: that is none, unless the peer's FIN
// came before the break (EPIPE).
void Connection::tellEnd() {
  readable_ = false;
  if (broken_ && error_ != 0 && error_ != EPIPE) return;
  end_delivered_ = true;
  events_.onPeerEnd();
}

// There is no credit, and the peer has ended or broken the connection: told now if nothing unread is in front of that,
// or the owner does not want it; else when the rest is read. False: told, and it broke.
bool Connection::endWithoutCredit() {
  const bool unread = unreadInFront();
  if (unread && !events_.dropsUnread(broken_)) {
    if (broken_ && !last_wait_) waitForLast(kPatience);
    return true;
  }
  in_read_ = false;
  if (!unread || !broken_) tellEnd();
  if (broken_ && fd_.valid()) brokenByPeer();
  return fd_.valid();
}

// What a transport holds may be in front, and so is its own end.
bool Connection::unreadInFront() {
  char byte;
  const ssize_t n = recv(fd_.get(), &byte, 1, MSG_PEEK);
  if (n < 0 && errno != EAGAIN && errno != EINTR) breakDown(errno);
  return n > 0 || (transport_ && (!broken_ || transport_->holdsInput()));
}

void Connection::resetBehind() {
  if (!fd_.valid()) return;
  resetting_ = end_delivered_ = true;  // nothing is read any more
  flush();
  if (connecting() || broken_ || undelivered() == 0) return close(true);
  waitForLast(kFirstLook);
}

std::optional<std::chrono::microseconds> Connection::roundTrip() const {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (!fd_.valid() || getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return std::chrono::microseconds(info.tcpi_rtt);
}

// Not yet acknowledged by the peer's kernel.
size_t Connection::undelivered() const {
  int in_kernel = 0;
  int domain = AF_UNIX;  // knows no reset: nothing is lost there
  socklen_t size = sizeof(domain);
  getsockopt(fd_.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size);
  if (domain != AF_UNIX) ioctl(fd_.get(), SIOCOUTQ, &in_kernel);
  return out_.size() + (transport_blocked_ ? 1 : 0) + static_cast<size_t>(in_kernel);
}

void Connection::waitForLast(event::Duration first_look) {
  last_wait_ = std::make_unique<LastWait>(loop_.timers(), *this);
  last_wait_->delay = first_look;
  last_wait_->moved = resetting_ ? undelivered() : received_;
  last_wait_->timer.arm(first_look);
}

void Connection::onLastWait() {
  LastWait& wait = *last_wait_;
  const uint64_t moved = resetting_ ? undelivered() : received_;
  wait.idle = moved == wait.moved ? wait.idle + wait.delay : event::Duration(0);
  wait.moved = moved;
  if (wait.idle >= kPatience || (resetting_ && moved == 0)) return brokenByPeer();
  if (resetting_) wait.delay = std::min<event::Duration>(2 * wait.delay, kLongestLook);
  wait.timer.arm(wait.delay);
}

void Connection::resumeReading() {
  // Never reads in here: the caller may stand in the middle of another connection's bytes, in the same hot buffer.
  if (fd_.valid() && readable_) loop_.atTurnEnd(*this);
}

void Connection::runAtTurnEnd() {
  if (!fd_.valid()) return;
  if (!out_.empty() && !write_blocked_ && !connecting() && !flushNow({})) return;
  if (!broken_) tellIfDrained();  // else the bytes are gone, and onBroken follows
  if (fd_.valid() && readable_ && !connecting()) readSome();
}

void Connection::tellIfDrained() {
  if (!tell_drained_ || !out_.empty() || transport_blocked_) return;
  tell_drained_ = false;
  events_.onDrained();
}

void Connection::write(std::string_view bytes) {
  if (!fd_.valid() || broken_ || resetting_) return;
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
      // Told from the loop, not from inside the caller's write(). Until then bytes are dropped.
      breakDown(errno);
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
