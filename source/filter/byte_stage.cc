#include "source/filter/byte_stage.h"

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "source/filter/network_chain.h"

namespace sluice::filter {
namespace {

// The largest piece of the terminal's bytes that filters see at once.
constexpr size_t kPiece = 16 * 1024;
// From how many bytes on what has passed is sent before more is passed.
constexpr size_t kGather = 64 * 1024;
// One connection's share of a turn, in reads of which the filters let nothing through.
constexpr int kMaxReads = 16;
constexpr int kMaxVectors = 16;

constexpr std::string_view kTokenDropped = "filter_token_dropped";

}  // namespace

// --- tokens

NetworkToken::NetworkToken(ByteStage& stage, uint8_t direction) : stage_(&stage), direction_(direction) {
  moved();
}

NetworkToken::NetworkToken(NetworkToken&& other) noexcept {
  *this = std::move(other);
}

NetworkToken& NetworkToken::operator=(NetworkToken&& other) noexcept {
  if (this == &other) return *this;
  drop();
  stage_ = std::exchange(other.stage_, nullptr);
  direction_ = other.direction_;
  moved();
  return *this;
}

void NetworkToken::moved() {
  if (stage_ != nullptr) stage_->lanes_[direction_].token = this;
}

void NetworkToken::resume() {
  if (ByteStage* stage = std::exchange(stage_, nullptr)) stage->resume(direction_, std::nullopt);
}

void NetworkToken::resumeWith(std::string bytes) {
  if (ByteStage* stage = std::exchange(stage_, nullptr)) stage->resume(direction_, std::move(bytes));
}

void NetworkToken::close(const Close& close) {
  if (ByteStage* stage = std::exchange(stage_, nullptr)) stage->closeFrom(direction_, close);
}

void NetworkToken::drop() {
  close({kTokenDropped});
}

void ByteStage::resume(uint8_t direction, std::optional<std::string> replacement) {
  Lane& lane = lanes_[direction];
  lane.token = nullptr;
  lane.state = Lane::kResumed;
  lane.replacement = std::move(replacement);
  if (!lane.in_hook) chain_.wakeSoon();
}

void ByteStage::closeFrom(uint8_t direction, const Close& close) {
  lanes_[direction].token = nullptr;
  lanes_[direction].closed = true;
  chain_.close(close);
}

NetworkToken ByteStage::token() {
  for (const DirectionIndex direction : {kRead, kWrite}) {
    if (!lanes_[direction].in_hook) continue;
    assert(lanes_[direction].token == nullptr && "a hook takes one token");
    return NetworkToken(*this, direction);
  }
  assert(false && "tokens are for hooks that may wait");
  return {};
}

void ByteStage::kill(Lane& lane) {
  if (lane.token != nullptr) lane.token->stage_ = nullptr;
  lane.token = nullptr;
}

// --- the way through the filters

ByteStage::ByteStage(NetworkChain& chain, Filters filters, net::TransportPtr below, net::WorkerBuffers& buffers,
                     size_t limit)
    : chain_(chain),
      filters_(std::move(filters)),
      below_(std::move(below)),
      limit_(std::max<size_t>(limit, 1)),
      ready_(buffers.blocks),
      out_(buffers.blocks),
      below_done_(below_ == nullptr) {}

ByteStage::~ByteStage() {
  end();
  chain_.stage_ = nullptr;
}

NetworkFilter* ByteStage::filterAt(DirectionIndex direction, size_t position) {
  return filters_[direction == kRead ? position : filters_.size() - 1 - position].get();
}

// What a hook's result means. False: the filter waits, or the connection is being closed.
bool ByteStage::goesOn(DirectionIndex direction, const NetworkResult& result) {
  Lane& lane = lanes_[direction];
  if (result.kind() == NetworkResult::Kind::kClose) {
    lane.closed = true;
    chain_.close(result.close());
  }
  if (lane.closed || chain_.ended() || (direction == kRead && chain_.closing())) {
    kill(lane);
    return false;
  }
  if (result.kind() == NetworkResult::Kind::kNext) {
    kill(lane);  // a token that was taken for nothing
    lane.state = Lane::kOpen;
    return true;
  }
  if (lane.state == Lane::kResumed) {  // inside the hook
    lane.state = Lane::kOpen;
    return true;
  }
  if (lane.token == nullptr) {  // nobody could ever resume it
    closeFrom(direction, {kTokenDropped});
    return false;
  }
  lane.state = Lane::kPaused;
  return false;
}

// Takes a chunk through the filters from `position` on. False: it waits at one of them, or is dropped.
bool ByteStage::pass(DirectionIndex direction, Chunk& chunk, size_t position) {
  Lane& lane = lanes_[direction];
  for (; position < filters_.size(); ++position) {
    NetworkFilter* filter = filterAt(direction, position);
    if (filter == nullptr) continue;
    lane.in_hook = true;
    const NetworkResult result = direction == kRead ? filter->onData(chunk, chain_) : filter->onWrite(chunk, chain_);
    lane.in_hook = false;
    if (!goesOn(direction, result)) {
      if (lane.state != Lane::kPaused) return false;
      lane.position = position;
      lane.held = std::string(chunk.bytes());
      lane.held_end = chunk.endStream();
      return false;
    }
    if (lane.replacement) chunk.replace(*std::exchange(lane.replacement, std::nullopt));
  }
  return true;
}

// Takes what a filter has waited with, and was let go, through the others. `bytes` and `end`: what came through.
bool ByteStage::passHeld(DirectionIndex direction, std::string& bytes, bool& end) {
  Lane& lane = lanes_[direction];
  lane.state = Lane::kOpen;
  std::string held = lane.replacement ? *std::exchange(lane.replacement, std::nullopt) : std::move(lane.held);
  lane.held.clear();
  end = lane.held_end;
  Chunk chunk(held, end);
  if (!pass(direction, chunk, lane.position + 1)) return false;
  bytes = std::string(chunk.bytes());
  return true;
}

// --- establishing

void ByteStage::attach(net::Connection& connection) {
  connection_ = &connection;
  if (below_) below_->attach(connection);
}

net::Transport::Status ByteStage::handshake(const Io& io) {
  if (!below_done_) {
    if (const Status status = below_->handshake(io); status != Status::kDone) return status;
    below_done_ = true;
  }
  if (chain_.closing()) {
    lookForEnd(io.fd);
    return Status::kHeld;
  }
  if (!std::exchange(learnt_, true)) chain_.learn(below_.get());
  if (!chain_.ask()) return Status::kHeld;
  established_ = true;
  return Status::kDone;
}

bool ByteStage::mayGoOn() {
  Lane& lane = lanes_[kRead];
  if (lane.state == Lane::kPaused) return false;
  lane.state = Lane::kOpen;
  lane.replacement.reset();
  return true;
}

bool ByteStage::open(size_t position) {
  NetworkFilter* filter = filterAt(kRead, position);
  if (filter == nullptr) return true;
  lanes_[kRead].in_hook = true;
  const NetworkResult result = filter->onNewConnection(chain_);
  lanes_[kRead].in_hook = false;
  const bool on = goesOn(kRead, result);
  if (on) lanes_[kRead].replacement.reset();
  return on;
}

void ByteStage::goOn() {
  if (connection_ != nullptr) connection_->transportReady();
}

// --- bytes of the client

net::Transport::Result ByteStage::read(const Io& io, char* to, size_t size) {
  Lane& lane = lanes_[kRead];
  for (int reads = 0;;) {
    if (chain_.closing()) {
      lookForEnd(io.fd);
      return {Status::kWantRead};
    }
    if (!ready_.empty()) return deliver({}, to, size, false);
    if (end_ready_) return {*client_end_};
    if (lane.state == Lane::kPaused) return {Status::kHeld};
    if (lane.state == Lane::kResumed) {
      std::string bytes;
      bool end = false;
      if (!passHeld(kRead, bytes, end)) continue;
      end_ready_ = end;
      if (!bytes.empty()) return deliver(bytes, to, size, false);
      continue;
    }
    if (reads++ == kMaxReads) {
      chain_.wakeSoon();
      return {Status::kHeld};
    }
    const Result got = receive(io, to, std::min(size, limit_));
    if (got.status == Status::kEnd || got.status == Status::kTruncated) {
      client_end_ = got.status;
    } else if (got.status != Status::kDone) {
      return got;
    }
    Chunk chunk({to, got.bytes}, client_end_.has_value());
    if (!pass(kRead, chunk, 0)) continue;
    end_ready_ = chunk.endStream();
    if (!chunk.bytes().empty()) return deliver(chunk.bytes(), to, size, got.drained);
  }
}

// Gives out what waits in front and then `bytes`, as much as there is place for; keeps the rest.
net::Transport::Result ByteStage::deliver(std::string_view bytes, char* to, size_t size, bool drained) {
  size_t given = 0;
  while (given < size && !ready_.empty()) {
    const std::string_view front = ready_.front().substr(0, size - given);
    std::copy(front.begin(), front.end(), to + given);
    given += front.size();
    ready_.consume(front.size());
  }
  const std::string_view now = bytes.substr(0, size - given);
  if (now.data() != to + given) std::copy(now.begin(), now.end(), to + given);
  given += now.size();
  ready_.append(bytes.substr(now.size()));
  return {Status::kDone, given, drained && ready_.empty() && !end_ready_};
}

// While the connection waits for its close the client may go: then there is nothing to wait for.
void ByteStage::lookForEnd(int fd) {
  char byte;
  const ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) chain_.closeSoon();
}

void ByteStage::stopReading() {
  Lane& lane = lanes_[kRead];
  kill(lane);
  lane.state = Lane::kOpen;
  lane.held.clear();
  ready_.clear();
  end_ready_ = false;
}

bool ByteStage::holdsInput() const {
  return !ready_.empty() || end_ready_ || lanes_[kRead].state != Lane::kOpen || (below_ && below_->holdsInput());
}

// --- bytes for the client

class ByteStage::Source {
 public:
  Source(const iovec* vectors, int count, size_t piece) : vectors_(vectors), count_(count), piece_(piece) {}
  // Empty: that was all.
  std::string_view next() {
    while (at_ < count_) {
      const std::string_view all(static_cast<const char*>(vectors_[at_].iov_base), vectors_[at_].iov_len);
      const std::string_view piece = all.substr(offset_, piece_);
      offset_ += piece.size();
      taken += piece.size();
      if (!piece.empty()) return piece;
      ++at_;
      offset_ = 0;
    }
    return {};
  }
  size_t taken = 0;

 private:
  const iovec* vectors_;
  const int count_;
  const size_t piece_;
  int at_ = 0;
  size_t offset_ = 0;
};

net::Transport::Result ByteStage::write(const Io& io, const iovec* vectors, int count) {
  Source source(vectors, count, std::min(kPiece, limit_));
  do {
    if (const Status status = flush(io); status != Status::kDone) return {status, source.taken};
    while (out_.size() < kGather && feed(source)) {
    }
  } while (!out_.empty());
  if (lanes_[kWrite].state != Lane::kOpen || lanes_[kWrite].closed) return {Status::kWantWrite, source.taken};
  if (!end_passed_ || end_sent_) return {Status::kDone, source.taken};
  end_sent_ = true;
  if (!below_) return {Status::kDone, source.taken};
  below_->sendEnd(io);
  below_blocked_ = true;  // perhaps
  return {flush(io), source.taken};
}

// Takes the next piece through the filters. False if there is none that may go.
bool ByteStage::feed(Source& source) {
  Lane& lane = lanes_[kWrite];
  if (lane.closed || lane.state == Lane::kPaused) return false;
  if (lane.state == Lane::kResumed) {
    std::string bytes;
    bool end = false;
    if (!passHeld(kWrite, bytes, end)) return true;
    out_.append(bytes);
    end_passed_ = end;
    return true;
  }
  const std::string_view piece = source.next();
  const bool end = piece.empty() && end_wanted_ && !end_taken_;
  if (piece.empty() && !end) return false;
  end_taken_ = end;
  Chunk chunk(piece, end);
  if (!pass(kWrite, chunk, 0)) return true;
  out_.append(chunk.bytes());
  end_passed_ = end;
  return true;
}

// kDone: nothing waits here for the socket.
net::Transport::Status ByteStage::flush(const Io& io) {
  while (!out_.empty() || below_blocked_) {
    iovec vectors[kMaxVectors];
    const int count = out_.peek(vectors, kMaxVectors);
    const Result sent = send(io, vectors, count);
    if (sent.status == Status::kFailed) return sent.status;
    out_.consume(sent.bytes);
    below_blocked_ = below_ && sent.status == Status::kWantWrite;
    if (sent.status == Status::kWantWrite) return sent.status;
  }
  return Status::kDone;
}

void ByteStage::sendEnd(const Io& io) {
  if (std::exchange(end_wanted_, true)) return;
  (void)write(io, nullptr, 0);  // the connection may be closed right behind it
}

// --- the socket, or the transport below

net::Transport::Result ByteStage::receive(const Io& io, char* to, size_t size) {
  if (below_) return below_->read(io, to, size);
  for (;;) {
    const ssize_t n = recv(io.fd, to, size, 0);
    if (n > 0) return {Status::kDone, static_cast<size_t>(n), static_cast<size_t>(n) < size};
    if (n == 0) return {Status::kEnd};
    if (errno == EAGAIN) return {Status::kWantRead};
    if (errno == EINTR) continue;
    error_ = errno;
    return {Status::kFailed};
  }
}

net::Transport::Result ByteStage::send(const Io& io, const iovec* vectors, int count) {
  if (below_) return below_->write(io, vectors, count);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors);
  message.msg_iovlen = count;
  ssize_t n;
  do {
    n = sendmsg(io.fd, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return {Status::kDone, static_cast<size_t>(n)};  // what is left is tried again
  if (errno == EAGAIN) return {Status::kWantWrite};
  error_ = errno;
  return {Status::kFailed};
}

void ByteStage::idle() {
  if (below_) below_->idle();
}

std::string_view ByteStage::applicationProtocol() const {
  return below_ ? below_->applicationProtocol() : std::string_view();
}

// --- the end

void ByteStage::end() {
  for (Lane& lane : lanes_) {
    kill(lane);
    lane.closed = true;
  }
}

void ByteStage::tellEnd(size_t position) {
  if (filters_[position]) filters_[position]->onEnd(chain_);
}

}  // namespace sluice::filter
