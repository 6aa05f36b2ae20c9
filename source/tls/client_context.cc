#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include <deque>
#include <mutex>
#include <unordered_map>

#include "source/base/text.h"
#include "source/tls/context.h"
#include "source/tls/context_core.h"
#include "source/tls/transport.h"

namespace sluice::tls {
namespace {

// Sessions that servers gave us, by what must be equal to use them. Any thread: touched once or twice a handshake.
class SessionCache {
 public:
  // Keys that have sessions at most; the oldest goes.
  static constexpr size_t kMaxKeys = 1024;

  void setLimit(size_t sessions_per_key) { limit_ = sessions_per_key; }
  bool on() const { return limit_ > 0; }

  void put(const std::string& key, SslOwned<ssl_session_st> session) {
    const std::lock_guard lock(mutex_);
    auto [found, added] = sessions_.try_emplace(key);
    if (added) order_.push_back(key);
    found->second.push_front(std::move(session));
    if (found->second.size() > limit_) found->second.pop_back();
    if (order_.size() > kMaxKeys) {
      sessions_.erase(order_.front());
      order_.pop_front();
    }
  }

  // The newest one; one of TLS 1.3 is used once only (RFC 8446, C.4). Null: none.
  SslOwned<ssl_session_st> get(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(key);
    if (found == sessions_.end() || found->second.empty()) return nullptr;
    ssl_session_st* session = found->second.front().get();
    if (SSL_SESSION_should_be_single_use(session)) {
      SslOwned<ssl_session_st> taken = std::move(found->second.front());
      found->second.pop_front();
      return taken;
    }
    SSL_SESSION_up_ref(session);
    return SslOwned<ssl_session_st>(session);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::deque<SslOwned<ssl_session_st>>> sessions_;
  std::deque<std::string> order_;
  size_t limit_ = 1;
};

}  // namespace

struct ClientContext::Impl {
  ContextCore core;
  mutable SessionCache sessions;  // after the pool of the core, to which its certificates belong
  std::string sni;

  absl::Status setUp(const ClientConfig& config, const TlsStats& stats);

  static const Impl& of(const SSL* ssl) {
    return *static_cast<const Impl*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
  }
};

namespace {

enum ssl_verify_result_t onVerify(SSL* ssl, uint8_t* alert) {
  return SslTransport::of(*ssl).verifyPeer(*alert) ? ssl_verify_ok : ssl_verify_invalid;
}

int onNewSession(SSL* ssl, SSL_SESSION* session) {
  const std::string& key = SslTransport::of(*ssl).sessionKey();
  if (key.empty()) return 0;
  ClientContext::Impl::of(ssl).sessions.put(key, SslOwned<ssl_session_st>(session));
  return 1;  // ownership is taken
}

// The server asks for a certificate: the first of ours that fits its algorithms, else none.
int onCertificateRequest(SSL* ssl, void*) {
  const Certificate* chosen = nullptr;
  const std::vector<Certificate>& all = ClientContext::Impl::of(ssl).core.certificates;
  const uint16_t* algorithms = nullptr;
  const size_t count = SSL_get0_peer_verify_algorithms(ssl, &algorithms);
  for (const Certificate& certificate : all) {
    for (size_t i = 0; i < count && chosen == nullptr; ++i) {
      if (SSL_get_signature_algorithm_key_type(algorithms[i]) == EVP_PKEY_id(certificate.key.get())) {
        chosen = &certificate;
      }
    }
  }
  if (chosen == nullptr) chosen = &all.front();
  std::vector<CRYPTO_BUFFER*> chain;
  for (const SslOwned<crypto_buffer_st>& buffer : chosen->chain) chain.push_back(buffer.get());
  SslTransport::of(*ssl).setLocalCertificate(static_cast<int>(chosen - all.data()));
  return SSL_set_chain_and_key(ssl, chain.data(), chain.size(), chosen->key.get(), nullptr);
}

}  // namespace

absl::Status ClientContext::Impl::setUp(const ClientConfig& config, const TlsStats& stats) {
  if (config.allow_renegotiation) {
    return absl::InvalidArgumentError(
        "allow_renegotiation: renegotiation is not supported; it was removed from TLS 1.3 and is an attack surface: "
        "leave it off");
  }
  if (config.sni.size() > TLSEXT_MAXLEN_host_name) {
    return absl::InvalidArgumentError(base::strCat("sni: has ", config.sni.size(), " bytes; at most 255 are allowed"));
  }
  if (absl::Status status = core.setUp(config.common, stats, Validator::Peer::kServer); !status.ok()) return status;
  sni = config.sni;
  if (config.request_ocsp_staple) SSL_CTX_enable_ocsp_stapling(core.ctx.get());
  sessions.setLimit(config.max_session_keys);
  SSL_CTX* const ctx = core.ctx.get();
  SSL_CTX_set_ex_data(ctx, 0, this);
  SSL_CTX_set_custom_verify(ctx, SSL_VERIFY_PEER, onVerify);
  if (!core.certificates.empty()) SSL_CTX_set_cert_cb(ctx, onCertificateRequest, nullptr);
  if (sessions.on()) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, onNewSession);
  } else {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
  }
  return absl::OkStatus();
}

ClientContext::ClientContext() : impl_(std::make_unique<Impl>()) {}
ClientContext::~ClientContext() = default;

absl::StatusOr<std::shared_ptr<const ClientContext>> ClientContext::create(const ClientConfig& config,
                                                                           const TlsStats& stats) {
  std::shared_ptr<ClientContext> context(new ClientContext());
  if (absl::Status status = context->impl_->setUp(config, stats); !status.ok()) return status;
  return std::shared_ptr<const ClientContext>(std::move(context));
}

const ContextFacts& ClientContext::facts() const {
  return impl_->core.facts;
}

net::TransportPtr ClientContext::makeTransport(std::shared_ptr<const ClientContext> context,
                                               const net::TransportFactory::Options& options) {
  const Impl& impl = *context->impl_;
  auto transport = std::make_unique<SslTransport>(std::move(context), impl.core, /*server=*/false);
  SSL* const ssl = &transport->ssl();
  const std::string name(options.server_name.empty() ? std::string_view(impl.sni) : options.server_name);
  // Addresses are no server names (RFC 6066, 3).
  if (!name.empty() && canonicalIp(name).empty()) SSL_set_tlsext_host_name(ssl, name.c_str());
  SSL_set_enforce_rsa_key_usage(ssl, 1);  // the library's default for TLS 1.2 is not to
  std::string alpn = impl.core.alpn;
  if (options.alpn != nullptr && (options.alpn_first || alpn.empty())) {
    if (absl::StatusOr<std::string> wire = alpnWire(*options.alpn); wire.ok()) alpn = *std::move(wire);
  }
  if (!alpn.empty()) {
    SSL_set_alpn_protos(ssl, reinterpret_cast<const uint8_t*>(alpn.data()), static_cast<unsigned>(alpn.size()));
  }
  transport->expectPeer(options.verify_san);
  if (impl.sessions.on()) {
    // What was checked for one name is not good for another.
    transport->sessionKey() = base::strCat(options.session_key.size(), ":", options.session_key, ";", name.size(), ":",
                                           name, ";", options.verify_san.size(), ":", options.verify_san, ";", alpn);
    if (const SslOwned<ssl_session_st> session = impl.sessions.get(transport->sessionKey())) {
      SSL_set_session(ssl, session.get());
    }
  }
  ERR_clear_error();
  return transport;
}

}  // namespace sluice::tls
