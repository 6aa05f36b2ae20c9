#include <openssl/aes.h>
#include <openssl/bytestring.h>
#include <openssl/cipher.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pool.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "source/base/text.h"
#include "source/tls/context.h"
#include "source/tls/context_core.h"
#include "source/tls/transport.h"

namespace sluice::tls {
namespace {

constexpr size_t kTicketKeySize = 80;
constexpr size_t kTicketNameSize = 16;

// Certificates for one name: places in ContextCore::certificates, -1: none of this kind.
struct Choice {
  int ecdsa = -1;
  int rsa = -1;
  void add(const Certificate& certificate, int index) {
    int& place = certificate.ecdsa ? ecdsa : rsa;
    if (place < 0) place = index;
  }
};

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// What of a ClientHello decides on the certificate.
struct ClientAbilities {
  bool tls13 = false;
  bool staples = false;  // asked for an OCSP staple
  bool ecdsa_suite = false;
  std::vector<uint16_t> signatures, groups;

  bool canUse(const Certificate& certificate) const {
    if (!certificate.ecdsa) return true;
    const auto has = [](const std::vector<uint16_t>& list, uint16_t value) {
      return std::find(list.begin(), list.end(), value) != list.end();
    };
    if (tls13) return has(signatures, certificate.signature);
    return ecdsa_suite && has(groups, certificate.curve) &&
           std::any_of(signatures.begin(), signatures.end(), [](uint16_t signature) {
             return signature == SSL_SIGN_ECDSA_SECP256R1_SHA256 || signature == SSL_SIGN_ECDSA_SECP384R1_SHA384 ||
                    signature == SSL_SIGN_ECDSA_SECP521R1_SHA512;
           });
  }
};

std::chrono::seconds monotonicSeconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::seconds(now.tv_sec);
}

bool extensionOf(const SSL_CLIENT_HELLO& hello, uint16_t type, CBS& out) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  if (SSL_early_callback_ctx_extension_get(&hello, type, &data, &size) != 1) return false;
  CBS_init(&out, data, size);
  return true;
}

std::vector<uint16_t> numbersOf(CBS list) {
  std::vector<uint16_t> out;
  uint16_t value;
  while (CBS_get_u16(&list, &value)) out.push_back(value);
  return out;
}

// `choice`: there is more than one certificate to choose from.
ClientAbilities abilitiesOf(const SSL_CLIENT_HELLO& hello, bool choice) {
  ClientAbilities out;
  CBS extension, list;
  out.staples = extensionOf(hello, TLSEXT_TYPE_status_request, extension);
  if (!choice) return out;
  if (extensionOf(hello, TLSEXT_TYPE_supported_versions, extension) && CBS_get_u8_length_prefixed(&extension, &list)) {
    const std::vector<uint16_t> versions = numbersOf(list);
    out.tls13 = std::find(versions.begin(), versions.end(), TLS1_3_VERSION) != versions.end() &&
                SSL_get_max_proto_version(hello.ssl) >= TLS1_3_VERSION;
  }
  if (extensionOf(hello, TLSEXT_TYPE_signature_algorithms, extension) &&
      CBS_get_u16_length_prefixed(&extension, &list)) {
    out.signatures = numbersOf(list);
  }
  if (extensionOf(hello, TLSEXT_TYPE_supported_groups, extension) && CBS_get_u16_length_prefixed(&extension, &list)) {
    out.groups = numbersOf(list);
  }
  CBS ciphers;
  CBS_init(&ciphers, hello.cipher_suites, hello.cipher_suites_len);
  uint16_t id;
  while (CBS_get_u16(&ciphers, &id)) {
    const SSL_CIPHER* cipher = SSL_get_cipher_by_value(id);
    if (cipher != nullptr && SSL_CIPHER_get_auth_nid(cipher) == NID_auth_ecdsa) out.ecdsa_suite = true;
  }
  return out;
}

}  // namespace

struct ServerContext::Impl {
  ContextCore core;
  TicketKeyList ticket_keys;            // configured; null: those of the ring
  std::shared_ptr<TicketKeyRing> ring;  // null: the library's, of this context only
  std::unordered_map<std::string, Choice, TextHash, std::equal_to<>> exact;     // "www.a.com"
  std::unordered_map<std::string, Choice, TextHash, std::equal_to<>> wildcard;  // ".a.com" of "*.a.com"
  Choice first;                                                                 // of the first certificate's first name
  ServerConfig::OcspPolicy ocsp_policy = ServerConfig::OcspPolicy::kLenientStapling;
  bool full_scan = false;
  bool require_sni = false;

  absl::Status setUp(const ServerConfig& config, const TlsStats& stats);
  absl::Status setUpCertificates();
  absl::Status setUpTickets(const ServerConfig& config);
  void setUpPeerChecks(const ServerConfig& config);
  std::string sessionContext(const ServerConfig& config) const;

  int choose(std::string_view server_name, const ClientAbilities& client) const;
  int scan(const ClientAbilities& client) const;
  bool staple(SslTransport& transport, const Certificate& certificate) const;
  bool selectCertificate(const SSL_CLIENT_HELLO& hello) const;

  static const Impl& of(const SSL* ssl) {
    return *static_cast<const Impl*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
  }
};

namespace {

enum ssl_select_cert_result_t onClientHello(const SSL_CLIENT_HELLO* hello) {
  return ServerContext::Impl::of(hello->ssl).selectCertificate(*hello) ? ssl_select_cert_success
                                                                       : ssl_select_cert_error;
}

enum ssl_verify_result_t onVerify(SSL* ssl, uint8_t* alert) {
  return SslTransport::of(*ssl).verifyPeer(*alert) ? ssl_verify_ok : ssl_verify_invalid;
}

int onAlpn(SSL* ssl, const uint8_t** out, uint8_t* out_size, const uint8_t* in, unsigned in_size, void*) {
  const std::string& ours = ServerContext::Impl::of(ssl).core.alpn;
  uint8_t* chosen = nullptr;
  // The server's order decides. (Of Envoy: nothing in common is no protocol, not a failure.)
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const uint8_t*>(ours.data()),
                            static_cast<unsigned>(ours.size()), in, in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int onTicket(SSL* ssl, uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, HMAC_CTX* hmac, int encrypt) {
  const ServerContext::Impl& impl = ServerContext::Impl::of(ssl);
  const TicketKeyList list = impl.ticket_keys ? impl.ticket_keys : impl.ring->keys(monotonicSeconds());
  const std::vector<TicketKey>& keys = *list;
  const auto bytes = [](const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); };
  if (encrypt == 1) {
    const TicketKey& key = keys.front();
    std::memcpy(name, key.name.data(), kTicketNameSize);
    RAND_bytes(iv, EVP_CIPHER_iv_length(EVP_aes_256_cbc()));
    const bool ok = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, bytes(key.aes), iv) == 1 &&
                    HMAC_Init_ex(hmac, key.hmac.data(), key.hmac.size(), EVP_sha256(), nullptr) == 1;
    return ok ? 1 : -1;
  }
  for (const TicketKey& key : keys) {
    if (std::memcmp(name, key.name.data(), kTicketNameSize) != 0) continue;
    const bool ok = HMAC_Init_ex(hmac, key.hmac.data(), key.hmac.size(), EVP_sha256(), nullptr) == 1 &&
                    EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, bytes(key.aes), iv) == 1;
    if (!ok) return -1;
    return &key == &keys.front() ? 1 : 2;  // 2: the client gets a ticket of the first key
  }
  return 0;
}

}  // namespace

absl::Status ServerContext::Impl::setUp(const ServerConfig& config, const TlsStats& stats) {
  if (absl::Status status = core.setUp(config.common, stats, Validator::Peer::kClient); !status.ok()) return status;
  ocsp_policy = config.ocsp_policy;
  full_scan = config.full_scan_certs_on_sni_mismatch;
  require_sni = config.require_sni;
  SSL_CTX* const ctx = core.ctx.get();
  SSL_CTX_set_ex_data(ctx, 0, this);
  if (!config.prefer_client_ciphers) SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (!core.alpn.empty()) SSL_CTX_set_alpn_select_cb(ctx, onAlpn, nullptr);
  if (absl::Status status = setUpCertificates(); !status.ok()) return status;
  if (absl::Status status = setUpTickets(config); !status.ok()) return status;
  setUpPeerChecks(config);
  SSL_CTX_set_select_certificate_cb(ctx, onClientHello);
  return absl::OkStatus();
}

absl::Status ServerContext::Impl::setUpCertificates() {
  if (core.certificates.empty()) {
    return absl::InvalidArgumentError("tls_certificates: a server needs at least one certificate");
  }
  for (size_t i = 0; i < core.certificates.size(); ++i) {
    const Certificate& certificate = core.certificates[i];
    const std::string& name = core.facts.certificates[i].name;
    const bool needed = certificate.must_staple || ocsp_policy == ServerConfig::OcspPolicy::kMustStaple;
    if (needed && !certificate.staple) {
      return absl::InvalidArgumentError(base::strCat("tls_certificate '", name, "': ",
                                                     certificate.must_staple
                                                         ? "the certificate says that it must be stapled"
                                                         : "ocsp_staple_policy is MUST_STAPLE",
                                                     " and there is no ocsp_staple; give one in DER form"));
    }
    for (const std::string& given : certificate.names) {
      const std::string lower = absl::AsciiStrToLower(given);
      const bool wild = lower.starts_with("*.");
      (wild ? wildcard[lower.substr(1)] : exact[lower]).add(certificate, static_cast<int>(i));
    }
  }
  // What is served without a matching name: the first certificate, or one of another key type for the same name.
  const Certificate& default_certificate = core.certificates.front();
  first.add(default_certificate, 0);
  for (size_t i = 1; i < core.certificates.size(); ++i) {
    const std::vector<std::string>& names = core.certificates[i].names;
    if (!default_certificate.names.empty() &&
        std::find(names.begin(), names.end(), default_certificate.names.front()) != names.end()) {
      first.add(core.certificates[i], static_cast<int>(i));
    }
  }
  return absl::OkStatus();
}

absl::Status ServerContext::Impl::setUpTickets(const ServerConfig& config) {
  SSL_CTX* const ctx = core.ctx.get();
  std::vector<TicketKey> configured;
  for (const std::string& key : config.session_ticket_keys) {
    if (key.size() != kTicketKeySize) {
      return absl::InvalidArgumentError(
          base::strCat("session_ticket_keys: key ", configured.size() + 1, " has ", key.size(),
                       " bytes; it must have 80 (16 name, 32 HMAC, 32 AES), as 'openssl rand 80' makes them"));
    }
    configured.push_back({key.substr(0, 16), key.substr(16, 32), key.substr(48)});
  }
  if (!configured.empty()) ticket_keys = std::make_shared<const std::vector<TicketKey>>(std::move(configured));
  ring = config.ticket_key_ring;
  if (ticket_keys || ring) SSL_CTX_set_tlsext_ticket_key_cb(ctx, onTicket);
  if (config.disable_stateless_session_resumption) SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(
      ctx, config.disable_stateful_session_resumption ? SSL_SESS_CACHE_OFF : SSL_SESS_CACHE_SERVER);
  if (config.session_timeout) {
    const auto seconds = static_cast<uint32_t>(std::clamp<int64_t>(config.session_timeout->count(), 0, UINT32_MAX));
    SSL_CTX_set_timeout(ctx, seconds);
    SSL_CTX_set_session_psk_dhe_timeout(ctx, seconds);
  }
  const std::string session_context = sessionContext(config);
  SSL_CTX_set_session_id_context(ctx, reinterpret_cast<const uint8_t*>(session_context.data()), session_context.size());
  return absl::OkStatus();
}

// A session is resumed only where the same rules for client certificates hold: a ticket of one virtual host opens
// nothing at another.
std::string ServerContext::Impl::sessionContext(const ServerConfig& config) const {
  std::string all = base::strCat(config.require_client_certificate ? "required;" : "optional;",
                                 config.session_scope.size(), ":", config.session_scope, ";");
  if (core.validator) all += core.validator->digest();
  for (const CertificateFacts& certificate : core.facts.certificates) {
    base::strAppend(all, ";", certificate.subject, ";", certificate.issuer);
    for (const std::string& name : certificate.dns_sans) base::strAppend(all, ",", name);
  }
  return sha256(all);
}

void ServerContext::Impl::setUpPeerChecks(const ServerConfig& config) {
  int mode = SSL_VERIFY_NONE;
  if (core.validator || config.require_client_certificate) mode = SSL_VERIFY_PEER;
  if (config.require_client_certificate) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_custom_verify(core.ctx.get(), mode, onVerify);
  if (!core.validator || config.common.validation->suppress_client_ca_list) return;
  STACK_OF(CRYPTO_BUFFER)* names = sk_CRYPTO_BUFFER_new_null();
  for (const SslOwned<x509_st>& authority : core.validator->authorities()) {
    uint8_t* der = nullptr;
    const int size = i2d_X509_NAME(X509_get_subject_name(authority.get()), &der);
    if (size > 0) sk_CRYPTO_BUFFER_push(names, CRYPTO_BUFFER_new(der, static_cast<size_t>(size), core.pool.get()));
    OPENSSL_free(der);
  }
  SSL_CTX_set0_client_CAs(core.ctx.get(), names);
}

// Any certificate that the client can use, ECDSA before RSA, in the configured order.
int ServerContext::Impl::scan(const ClientAbilities& client) const {
  int rsa = -1;
  for (size_t i = 0; i < core.certificates.size(); ++i) {
    if (core.certificates[i].ecdsa && client.canUse(core.certificates[i])) return static_cast<int>(i);
    if (!core.certificates[i].ecdsa && rsa < 0) rsa = static_cast<int>(i);
  }
  return rsa;
}

int ServerContext::Impl::choose(std::string_view server_name, const ClientAbilities& client) const {
  if (core.certificates.size() == 1) return 0;
  const auto pick = [&](const Choice& choice) {
    if (choice.ecdsa >= 0 && client.canUse(core.certificates[static_cast<size_t>(choice.ecdsa)])) return choice.ecdsa;
    return choice.rsa >= 0 ? choice.rsa : choice.ecdsa;
  };
  if (!server_name.empty()) {
    const std::string name = absl::AsciiStrToLower(base::toAbsl(server_name));
    if (const auto found = exact.find(name); found != exact.end()) return pick(found->second);
    const size_t dot = name.find('.');
    if (dot != std::string::npos && dot > 0) {
      const auto found = wildcard.find(std::string_view(name).substr(dot));
      if (found != wildcard.end()) return pick(found->second);
    }
    if (full_scan) {
      if (const int any = scan(client); any >= 0) return any;
    }
  }
  const int chosen = pick(first);
  if (client.canUse(core.certificates[static_cast<size_t>(chosen)])) return chosen;
  const int any = scan(client);
  return any >= 0 ? any : chosen;
}

// False: the policy refuses the handshake.
bool ServerContext::Impl::staple(SslTransport& transport, const Certificate& certificate) const {
  const TlsStats& stats = core.stats;
  transport.count(stats.ocsp_staple_requests);
  const bool current = certificate.staple && certificate.staple->currentAt(time(nullptr));
  if (current) {
    transport.count(stats.ocsp_staple_responses);
    const std::string& der = certificate.staple->der;
    SSL_set_ocsp_response(&transport.ssl(), reinterpret_cast<const uint8_t*>(der.data()), der.size());
    return true;
  }
  const bool must = certificate.must_staple || ocsp_policy == ServerConfig::OcspPolicy::kMustStaple;
  if (must || (certificate.staple && ocsp_policy == ServerConfig::OcspPolicy::kStrictStapling)) {
    transport.count(stats.ocsp_staple_failed);
    transport.refuse("the OCSP staple has expired and ocsp_staple_policy refuses to go without; deliver a new one");
    return false;
  }
  transport.count(stats.ocsp_staple_omitted);
  return true;
}

bool ServerContext::Impl::selectCertificate(const SSL_CLIENT_HELLO& hello) const {
  SslTransport& transport = SslTransport::of(*hello.ssl);
  const std::string_view server_name = transport.serverName();
  if (require_sni && server_name.empty()) {
    transport.refuse("the client sent no server name and require_sni is on");
    return false;
  }
  const ClientAbilities client = abilitiesOf(hello, core.certificates.size() > 1);
  const int index = choose(server_name, client);
  const Certificate& certificate = core.certificates[static_cast<size_t>(index)];
  transport.setLocalCertificate(index);
  std::vector<CRYPTO_BUFFER*> chain;
  for (const SslOwned<crypto_buffer_st>& buffer : certificate.chain) chain.push_back(buffer.get());
  if (SSL_set_chain_and_key(hello.ssl, chain.data(), chain.size(), certificate.key.get(), nullptr) != 1) return false;
  return !client.staples || staple(transport, certificate);
}

ServerContext::ServerContext() : impl_(std::make_unique<Impl>()) {}
ServerContext::~ServerContext() = default;

absl::StatusOr<std::shared_ptr<const ServerContext>> ServerContext::create(const ServerConfig& config,
                                                                           const TlsStats& stats) {
  std::shared_ptr<ServerContext> context(new ServerContext());
  if (absl::Status status = context->impl_->setUp(config, stats); !status.ok()) return status;
  return std::shared_ptr<const ServerContext>(std::move(context));
}

const ContextFacts& ServerContext::facts() const {
  return impl_->core.facts;
}

net::TransportPtr ServerContext::makeTransport(std::shared_ptr<const ServerContext> context) {
  const ContextCore& core = context->impl_->core;
  return std::make_unique<SslTransport>(std::move(context), core, /*server=*/true);
}

}  // namespace sluice::tls
