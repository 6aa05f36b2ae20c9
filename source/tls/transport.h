// One TLS connection over BoringSSL. Bytes go between library and socket through a BIO of ours that never blocks and
// never fails for want of room: what one recv() brought and the library has not taken, and what the socket did not
// take, waits here in buffers that exist only then. An idle connection holds none.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "source/net/transport.h"
#include "source/observability/stats.h"
#include "source/tls/context_core.h"
#include "source/tls/failure.h"
#include "source/tls/ssl_types.h"

namespace sluice::tls {

class SslTransport : public net::Transport {
 public:
  // `context` keeps `core` alive.
  SslTransport(std::shared_ptr<const void> context, const ContextCore& core, bool server);
  ~SslTransport() override;
  // The transport of a connection inside of a callback of the library.
  static SslTransport& of(const ssl_st& ssl);

  Status handshake(const Io& io) override;
  Result read(const Io& io, char* to, size_t size) override;
  Result write(const Io& io, const iovec* vectors, int count) override;
  void sendEnd(const Io& io) override;
  bool holdsInput() const override;
  void idle() override { sent_since_idle_ = 0; }
  int socketError() const override { return socket_error_; }
  std::string_view failure() const override { return texts_ ? std::string_view(texts_->failure) : std::string_view(); }
  std::string_view applicationProtocol() const override;
  std::string_view serverName() const override;
  const net::TlsInfo* tlsInfo() override;

  // --- for the contexts' callbacks ---
  ssl_st& ssl() const { return *ssl_; }
  const ContextCore& core() const { return core_; }
  template <typename Counter>
  void count(Counter counter) const;
  void logKeys(std::string_view line) const;
  // Checks the chain that the peer presented. False: refused, with `alert` to send; the reason is kept.
  bool verifyPeer(uint8_t& alert);
  // Which of core().certificates is shown to the peer; none: -1.
  void setLocalCertificate(int index) { local_certificate_ = index; }
  // A name or address that the peer's certificate must have besides.
  void expectPeer(std::string_view name) { texts().expected_peer = name; }
  // Refused by us for a reason that the library does not know.
  void refuse(std::string reason) { texts().refusal = std::move(reason); }
  // Under which a client keeps its sessions; empty: it keeps none.
  std::string& sessionKey() { return texts().session_key; }

 private:
  class Call;
  // What a connection of a listener has only if it fails, or if its client writes a name in capitals.
  struct Texts {
    std::string failure, refusal, expected_peer, session_key, server_name;
  };

  Texts& texts() const {
    if (!texts_) texts_ = std::make_unique<Texts>();
    return *texts_;
  }
  static int bioRead(bio_st* bio, char* to, int size);
  static int bioWrite(bio_st* bio, const char* from, int size);
  static long bioControl(bio_st* bio, int command, long number, void* pointer);

  int pull(char* to, size_t size);
  int push(const char* from, size_t size);
  bool flushHeld();
  void sendGathered();
  void hold(std::string_view bytes);
  Status fail();
  bool complete();
  void sendTickets();
  size_t recordLimit();
  size_t nextChunk(const iovec*& vector, const iovec* end, size_t& offset, const char*& data);

  std::shared_ptr<const void> context_;
  const ContextCore& core_;
  SslOwned<ssl_st> ssl_;
  const Io* io_ = nullptr;  // during a call
  // Received and not yet taken by the library: in the worker's scratch during a call, else in held_in_.
  const char* in_ = nullptr;
  size_t in_size_ = 0;
  std::string held_in_;
  std::string held_out_;  // encrypted, not taken by the socket
  size_t held_out_sent_ = 0;
  size_t gathered_ = 0;  // bytes of records in the scratch, during write()
  size_t wanted_ = 0;    // how much the call can use, a hint for recv()
  size_t sent_since_idle_ = 0;
  int64_t last_write_ = 0;                // seconds, monotonic
  mutable std::unique_ptr<Texts> texts_;  // made on first use
  std::unique_ptr<net::TlsInfo> info_;
  int socket_error_ = 0;
  int local_certificate_ = -1;
  bool gathering_ = false;
  bool produced_ = false;    // this call has brought something
  bool short_read_ = false;  // the last recv() emptied the socket
  bool eof_ = false;
  bool complete_ = false;
  bool tickets_wait_ = false;  // made by the library, not sent
  bool failed_ = false;
  bool end_sent_ = false;
  bool peer_checked_ = false;
  bool peer_validated_ = false;
  std::optional<Validator::Place> peer_issuer_;
  bool shut_out_ = false;  // nothing more can be sent
};

}  // namespace sluice::tls
