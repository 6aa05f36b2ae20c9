#include "source/tls/transport.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "source/base/ascii.h"
#include "source/base/text.h"
#include "source/net/connection.h"

namespace sluice::tls {
namespace {

constexpr size_t kScratch = net::WorkerBuffers::kReadSize;
constexpr size_t kMaxRecord = 16 * 1024;
constexpr size_t kRecordOverhead = 256;
// The scratch of a write: records in front, behind them room to join small pieces into one record.
constexpr size_t kGather = kScratch - kMaxRecord;
// A record fits into one packet while the sender's window is small, so that the first bytes can be used at once.
constexpr size_t kSmallRecord = 1400;
constexpr size_t kSmallRecordsFor = 16 * 1024;
constexpr size_t kMinReceive = 4 * 1024;
// What the library may produce while the socket takes nothing: flights and alerts, never data.
constexpr size_t kMaxHeld = 256 * 1024;

const bio_method_st* bioMethod(int (*write)(BIO*, const char*, int), int (*read)(BIO*, char*, int),
                               long (*control)(BIO*, int, long, void*)) {
  static const bio_method_st method = {
      BIO_TYPE_SOURCE_SINK, "sluice", write, read, nullptr, nullptr, control, nullptr, nullptr, nullptr};
  return &method;
}

int64_t monotonicSeconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec;
}

std::vector<std::string_view> peerChain(const SSL& ssl) {
  std::vector<std::string_view> out;
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_get0_peer_certificates(&ssl);
  for (size_t i = 0; chain != nullptr && i < sk_CRYPTO_BUFFER_num(chain); ++i) {
    const CRYPTO_BUFFER* certificate = sk_CRYPTO_BUFFER_value(chain, i);
    out.emplace_back(reinterpret_cast<const char*>(CRYPTO_BUFFER_data(certificate)), CRYPTO_BUFFER_len(certificate));
  }
  return out;
}

}  // namespace

// Binds the transport to the descriptor and the scratch of one call; what the library left of the scratch is kept.
class SslTransport::Call {
 public:
  Call(SslTransport& transport, const Io& io) : transport_(transport) {
    ERR_clear_error();
    transport.io_ = &io;
    transport.short_read_ = transport.produced_ = false;
  }
  ~Call() {
    SslTransport& t = transport_;
    if (t.in_size_ == 0) {
      if (!t.held_in_.empty()) std::string().swap(t.held_in_);
    } else if (t.in_ < t.held_in_.data() || t.in_ >= t.held_in_.data() + t.held_in_.size()) {
      t.held_in_.assign(t.in_, t.in_size_);
      t.in_ = t.held_in_.data();
    }
    t.io_ = nullptr;
  }

 private:
  SslTransport& transport_;
};

SslTransport::SslTransport(std::shared_ptr<const void> context, const ContextCore& core, bool server)
    : context_(std::move(context)), core_(core), ssl_(SSL_new(core.ctx.get())) {
  BIO* const bio = BIO_new(bioMethod(bioWrite, bioRead, bioControl));
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_shed_handshake_config(ssl_.get(), 1);
  SSL_set_renegotiate_mode(ssl_.get(), ssl_renegotiate_never);
  if (server) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

SslTransport::~SslTransport() = default;

SslTransport& SslTransport::of(const ssl_st& ssl) {
  return *static_cast<SslTransport*>(BIO_get_data(SSL_get_rbio(&ssl)));
}

template <typename Counter>
void SslTransport::count(Counter counter) const {
  if (io_ != nullptr && io_->buffers.cells != nullptr) io_->buffers.cells->add(counter);
}
template void SslTransport::count(observability::Counter) const;

void SslTransport::logKeys(std::string_view line) const {
  if (core_.key_log && io_ != nullptr) core_.key_log->write(io_->fd, line);
}

// --- the BIO ---

int SslTransport::bioRead(bio_st* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  const int n = static_cast<SslTransport*>(BIO_get_data(bio))->pull(to, static_cast<size_t>(size));
  if (n == -EAGAIN) BIO_set_retry_read(bio);
  return n < 0 ? -1 : n;
}

int SslTransport::bioWrite(bio_st* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  return static_cast<SslTransport*>(BIO_get_data(bio))->push(from, static_cast<size_t>(size));
}

long SslTransport::bioControl(bio_st*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// -errno, 0 at the peer's end.
int SslTransport::pull(char* to, size_t size) {
  if (in_size_ == 0) {
    // The scratch is full of records to be sent, or the socket is known to be empty.
    if (io_ == nullptr || gathering_ || (produced_ && short_read_)) return -EAGAIN;
    if (eof_) return 0;
    const size_t room = std::clamp(std::max(wanted_ + kRecordOverhead, size), kMinReceive, kScratch);
    ssize_t n;
    do {
      n = recv(io_->fd, io_->buffers.transport.get(), room, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
      if (errno != EAGAIN) socket_error_ = errno;
      return -errno;
    }
    if (n == 0) {
      eof_ = true;
      return 0;
    }
    short_read_ = static_cast<size_t>(n) < room;
    in_ = io_->buffers.transport.get();
    in_size_ = static_cast<size_t>(n);
  }
  const size_t taken = std::min(size, in_size_);
  std::memcpy(to, in_, taken);
  in_ += taken;
  in_size_ -= taken;
  return static_cast<int>(taken);
}

int SslTransport::push(const char* from, size_t size) {
  if (shut_out_ || io_ == nullptr || held_out_.size() - held_out_sent_ + size > kMaxHeld) return -1;
  if (gathering_) {
    if (gathered_ + size > kGather) sendGathered();
    if (held_out_.empty() && gathered_ + size <= kGather) {
      std::memcpy(io_->buffers.transport.get() + gathered_, from, size);
      gathered_ += size;
      return static_cast<int>(size);
    }
  }
  flushHeld();
  hold({from, size});
  return static_cast<int>(size);
}

// Sends `bytes` behind what is held, as far as the socket takes them at once, and keeps the rest.
void SslTransport::hold(std::string_view bytes) {
  while (held_out_.empty() && !bytes.empty() && !shut_out_) {
    const ssize_t n = ::send(io_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      socket_error_ = errno;
      shut_out_ = true;
    }
  }
  if (!shut_out_) held_out_ += bytes;
}

// True if nothing is held any more.
bool SslTransport::flushHeld() {
  while (held_out_sent_ < held_out_.size() && !shut_out_) {
    const ssize_t n =
        ::send(io_->fd, held_out_.data() + held_out_sent_, held_out_.size() - held_out_sent_, MSG_NOSIGNAL);
    if (n >= 0) {
      held_out_sent_ += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      socket_error_ = errno;
      shut_out_ = true;
    }
  }
  if (!held_out_.empty()) std::string().swap(held_out_);
  held_out_sent_ = 0;
  return true;
}

void SslTransport::sendGathered() {
  const std::string_view records(io_->buffers.transport.get(), std::exchange(gathered_, 0));
  hold(records);
}

// --- the transport ---

net::Transport::Status SslTransport::handshake(const Io& io) {
  if (failed_) return Status::kFailed;
  const Call call(*this, io);
  wanted_ = kMaxRecord;
  if (!flushHeld()) return Status::kWantWrite;
  if (complete_) return Status::kDone;
  const int n = SSL_do_handshake(ssl_.get());
  if (shut_out_) return fail();
  if (n == 1) {
    if (!complete()) return Status::kFailed;
    // Not done before the last flight is out: nobody else would send it.
    return held_out_.empty() ? Status::kDone : Status::kWantWrite;
  }
  if (SSL_get_error(ssl_.get(), n) == SSL_ERROR_WANT_READ) {
    return held_out_.empty() ? Status::kWantRead : Status::kWantWrite;
  }
  return fail();
}

// The handshake has succeeded: counts it, and makes sure that no path through it left the peer unchecked.
bool SslTransport::complete() {
  const bool presented = !peerChain(*ssl_).empty();
  if (core_.validator && presented && !peer_checked_) {
    uint8_t alert = 0;
    if (!verifyPeer(alert)) {
      fail();
      return false;
    }
  }
  complete_ = true;
  const TlsStats& stats = core_.stats;
  count(stats.handshake);
  if (SSL_session_reused(ssl_.get())) count(stats.session_reused);
  if (!presented) count(stats.no_certificate);
  switch (SSL_version(ssl_.get())) {
    case TLS1_VERSION:
      count(stats.tls10);
      break;
    case TLS1_1_VERSION:
      count(stats.tls11);
      break;
    case TLS1_2_VERSION:
      count(stats.tls12);
      break;
    default:
      count(stats.tls13);
      tickets_wait_ = SSL_is_server(ssl_.get()) == 1;
  }
  return true;
}

// From the library's error queue.
net::Transport::Status SslTransport::fail() {
  if (failed_) return Status::kFailed;
  failed_ = true;
  Failure failure = takeFailure();
  std::string& text = texts().failure;
  const std::string& refusal = texts().refusal;
  text = std::move(failure.text);
  if (text.empty()) {
    if (socket_error_ != 0) {
      text = base::strCat("the socket failed: ", strerror(socket_error_));
    } else if (eof_) {
      text = complete_ ? "the peer closed without a close_notify" : "the peer closed during the TLS handshake";
    } else {
      text = "the TLS connection failed";
    }
  }
  if (!refusal.empty()) base::strAppend(text, ": ", refusal);
  if (failure.no_peer_certificate) {
    count(core_.stats.fail_verify_no_cert);
  } else if (!failure.verification && refusal.empty()) {
    count(core_.stats.connection_error);
  }
  return Status::kFailed;
}

net::Transport::Result SslTransport::read(const Io& io, char* to, size_t size) {
  if (failed_) return {Status::kFailed};
  const Call call(*this, io);
  flushHeld();
  size_t got = 0;
  while (got < size) {
    wanted_ = size - got;
    const int n = SSL_read(ssl_.get(), to + got, static_cast<int>(std::min<size_t>(size - got, 1 << 30)));
    if (n > 0) {
      got += static_cast<size_t>(n);
      produced_ = true;
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), n);
    if (error == SSL_ERROR_WANT_READ) {
      if (got > 0) return {Status::kDone, got, true};
      sendTickets();
      return {Status::kWantRead};
    }
    // Whatever it is, it comes behind the bytes that are here; the next call meets it again.
    if (error == SSL_ERROR_ZERO_RETURN) return got > 0 ? Result{Status::kDone, got} : Result{Status::kEnd};
    // A socket that failed shows an end afterwards.
    const bool truncated = eof_ && socket_error_ == 0 && ERR_peek_error() == 0;
    if (truncated) return got > 0 ? Result{Status::kDone, got} : Result{Status::kTruncated};
    fail();
    return got > 0 ? Result{Status::kDone, got} : Result{Status::kFailed};
  }
  return {Status::kDone, got};
}

// The library sends a server's TLS 1.3 tickets with its first data. A client that keeps its request back until its last
// flight is acknowledged (Nagle) would wait for the delayed acknowledgement: the tickets, sent as soon as nothing came
// behind that flight, carry it. Where a request did come, the tickets travel with its answer.
void SslTransport::sendTickets() {
  if (!std::exchange(tickets_wait_, false)) return;
  SSL_write(ssl_.get(), "", 0);
  ERR_clear_error();  // a broken socket is met by the next call
}

size_t SslTransport::recordLimit() {
  return sent_since_idle_ < kSmallRecordsFor ? kSmallRecord : kMaxRecord;
}

// The next piece to encrypt: straight from a vector if that fills a record, else joined from several.
size_t SslTransport::nextChunk(const iovec*& vector, const iovec* end, size_t& offset, const char*& data) {
  const size_t limit = recordLimit();
  const auto advance = [&](size_t n) {
    offset += n;
    while (vector != end && offset == vector->iov_len) {
      ++vector;
      offset = 0;
    }
  };
  advance(0);
  if (vector == end) return 0;
  const size_t here = vector->iov_len - offset;
  if (here >= limit || vector + 1 == end) {
    data = static_cast<const char*>(vector->iov_base) + offset;
    const size_t size = std::min(here, limit);
    advance(size);
    return size;
  }
  char* const joined = io_->buffers.transport.get() + kGather;
  size_t size = 0;
  while (vector != end && size < limit) {
    const size_t part = std::min(vector->iov_len - offset, limit - size);
    std::memcpy(joined + size, static_cast<const char*>(vector->iov_base) + offset, part);
    size += part;
    advance(part);
  }
  data = joined;
  return size;
}

net::Transport::Result SslTransport::write(const Io& io, const iovec* vectors, int count) {
  if (failed_) return {Status::kFailed};
  const Call call(*this, io);
  if (!flushHeld()) return {Status::kWantWrite};
  if (shut_out_) return {Status::kFailed};  // what the peer sent before can still be read
  // Received bytes in the scratch were put aside at the end of the call that received them: it is free.
  const int64_t now = monotonicSeconds();
  if (now > last_write_ + 1) sent_since_idle_ = 0;
  last_write_ = now;
  gathering_ = true;
  size_t taken = 0;
  size_t offset = 0;
  const iovec* vector = vectors;
  const iovec* const end = vectors + count;
  bool broken = false;
  while (held_out_.empty() && !shut_out_) {
    const char* data = nullptr;
    const size_t size = nextChunk(vector, end, offset, data);
    if (size == 0) break;
    tickets_wait_ = false;
    if (SSL_write(ssl_.get(), data, static_cast<int>(size)) != static_cast<int>(size)) {
      broken = true;
      break;
    }
    taken += size;
    sent_since_idle_ += size;
    if (gathered_ + kMaxRecord + kRecordOverhead > kGather) sendGathered();
  }
  if (gathered_ > 0) sendGathered();
  gathering_ = false;
  if (shut_out_) return {Status::kFailed};
  if (broken) return {fail()};
  return {held_out_.empty() ? Status::kDone : Status::kWantWrite, taken};
}

bool SslTransport::holdsInput() const {
  return in_size_ > 0 || SSL_has_pending(ssl_.get()) == 1;
}

void SslTransport::sendEnd(const Io& io) {
  if (!complete_ || failed_ || end_sent_) return;
  end_sent_ = true;
  const Call call(*this, io);
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::string_view SslTransport::applicationProtocol() const {
  const uint8_t* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &size);
  return {reinterpret_cast<const char*>(protocol), size};
}

std::string_view SslTransport::serverName() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return {};
  const std::string_view sent(name);
  if (std::none_of(sent.begin(), sent.end(), [](char c) { return c != base::lower(c); })) return sent;
  std::string& kept = texts().server_name;
  if (kept.empty()) kept = base::lowered(sent);
  return kept;
}

bool SslTransport::verifyPeer(uint8_t& alert) {
  peer_checked_ = true;
  if (!core_.validator) return true;
  Validator::Verdict verdict =
      core_.validator->check(peerChain(*ssl_), texts_ ? std::string_view(texts_->expected_peer) : std::string_view());
  peer_validated_ = verdict.validated;
  peer_issuer_ = verdict.issuer;
  switch (verdict.outcome) {
    case Validator::Outcome::kAccepted:
      return true;
    case Validator::Outcome::kChain:
      count(core_.stats.fail_verify_error);
      break;
    case Validator::Outcome::kHash:
      count(core_.stats.fail_verify_cert_hash);
      break;
    case Validator::Outcome::kSan:
      count(core_.stats.fail_verify_san);
      break;
  }
  alert = verdict.alert;
  texts().refusal = std::move(verdict.reason);
  return false;
}

const net::TlsInfo* SslTransport::tlsInfo() {
  if (info_ || !complete_) return info_.get();
  info_ = std::make_unique<net::TlsInfo>();
  net::TlsInfo& info = *info_;
  info.version = SSL_get_version(ssl_.get());
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get())) {
    // As operators configure it: OpenSSL's name, the standard one for TLS 1.3.
    info.cipher =
        SSL_version(ssl_.get()) == TLS1_3_VERSION ? SSL_CIPHER_standard_name(cipher) : SSL_CIPHER_get_name(cipher);
  }
  if (const char* group = SSL_get_curve_name(SSL_get_curve_id(ssl_.get()))) info.group = group;
  info.server_name = serverName();
  info.application_protocol = applicationProtocol();
  info.resumed = SSL_session_reused(ssl_.get()) == 1;
  if (const SSL_SESSION* session = SSL_get_session(ssl_.get())) {
    unsigned size = 0;
    const uint8_t* id = SSL_SESSION_get_id(session, &size);
    info.session_id = hexOf({reinterpret_cast<const char*>(id), size});
  }
  const std::vector<std::string_view> chain = peerChain(*ssl_);
  info.peer_presented = !chain.empty();
  info.peer_validated = info.peer_presented && peer_validated_;
  if (info.peer_presented) info.peer = describe(chain);
  if (peer_issuer_) {
    const auto [of_authorities, index] = *peer_issuer_;
    const SslOwned<x509_st> presented = of_authorities ? nullptr : parseDerCertificate(chain[index]);
    x509_st& issuer = of_authorities ? *core_.validator->authorities()[index] : *presented;
    info.peer_issuer_sha256 = hexOf(sha256(derOf(issuer)));
    info.peer_issuer_serial = serialOf(issuer);
  }
  if (local_certificate_ >= 0) {
    info.local = describe(core_.certificates[static_cast<size_t>(local_certificate_)].chainDer());
  }
  return info_.get();
}

}  // namespace sluice::tls
