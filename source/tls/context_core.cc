#include "source/tls/context_core.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "source/base/text.h"
#include "source/tls/failure.h"
#include "source/tls/transport.h"

namespace sluice::tls {
namespace {

constexpr char kDefaultCiphers[] =
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:"
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr char kDefaultCurves[] = "X25519:P-256";

uint16_t wireVersion(Version version, uint16_t automatic) {
  switch (version) {
    case Version::kTls10:
      return TLS1_VERSION;
    case Version::kTls11:
      return TLS1_1_VERSION;
    case Version::kTls12:
      return TLS1_2_VERSION;
    case Version::kTls13:
      return TLS1_3_VERSION;
    default:
      return automatic;
  }
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) base::strAppend(out, out.empty() ? "" : ":", part);
  return out;
}

bool isTls13Suite(std::string_view name) {
  return name.starts_with("TLS_AES_") || name == "TLS_CHACHA20_POLY1305_SHA256" || name.starts_with("TLS13-");
}

// The single suites of "A", "[A|B]" or "A:B".
std::vector<std::string> suitesIn(const std::string& entry) {
  std::vector<std::string> out(1);
  for (const char c : entry) {
    if (c == '[' || c == ']' || c == '|' || c == ':') {
      out.emplace_back();
    } else {
      out.back().push_back(c);
    }
  }
  std::erase(out, std::string());
  return out;
}

absl::Status setCiphers(SSL_CTX& ctx, const std::vector<std::string>& entries) {
  if (entries.empty()) {
    SSL_CTX_set_strict_cipher_list(&ctx, kDefaultCiphers);
    return absl::OkStatus();
  }
  for (const std::string& entry : entries) {
    for (const std::string& suite : suitesIn(entry)) {
      if (isTls13Suite(suite)) {
        return absl::InvalidArgumentError(
            base::strCat("tls_params.cipher_suites: '", suite,
                         "' is a TLS 1.3 suite; the TLS library chooses these by itself: leave it out, or limit "
                         "tls_maximum_protocol_version to TLSv1_2"));
      }
      const bool operation = suite[0] == '-' || suite[0] == '!' || suite[0] == '+' || suite[0] == '@';
      if (!operation && SSL_CTX_set_strict_cipher_list(&ctx, suite.c_str()) != 1) {
        ERR_clear_error();
        return absl::InvalidArgumentError(
            base::strCat("tls_params.cipher_suites: unknown cipher suite '", suite,
                         "'; names are those of OpenSSL, such as ECDHE-ECDSA-AES128-GCM-SHA256"));
      }
    }
  }
  if (SSL_CTX_set_strict_cipher_list(&ctx, joined(entries).c_str()) == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(base::strCat("tls_params.cipher_suites: the list '", joined(entries),
                                                 "' is not well-formed: ", errorQueueText()));
}

absl::Status setCurves(SSL_CTX& ctx, const std::vector<std::string>& curves) {
  const std::string list = curves.empty() ? kDefaultCurves : joined(curves);
  if (SSL_CTX_set1_curves_list(&ctx, list.c_str()) == 1) return absl::OkStatus();
  ERR_clear_error();
  for (const std::string& curve : curves) {
    if (SSL_CTX_set1_curves_list(&ctx, curve.c_str()) == 1) continue;
    ERR_clear_error();
    const bool hybrid = curve.find("MLKEM") != std::string::npos;
    return absl::InvalidArgumentError(
        base::strCat("tls_params.ecdh_curves: ", hybrid ? "the TLS library has no '" : "unknown curve '", curve,
                     "'; known are X25519, P-256, P-384 and P-521"));
  }
  return absl::InvalidArgumentError(base::strCat("tls_params.ecdh_curves: the list '", list, "' cannot be used"));
}

void describeEcKey(Certificate& certificate) {
  const EC_KEY* key = EVP_PKEY_get0_EC_KEY(certificate.key.get());
  if (key == nullptr) return;
  certificate.ecdsa = true;
  switch (EC_GROUP_get_curve_name(EC_KEY_get0_group(key))) {
    case NID_X9_62_prime256v1:
      certificate.curve = SSL_CURVE_SECP256R1;
      certificate.signature = SSL_SIGN_ECDSA_SECP256R1_SHA256;
      break;
    case NID_secp384r1:
      certificate.curve = SSL_CURVE_SECP384R1;
      certificate.signature = SSL_SIGN_ECDSA_SECP384R1_SHA384;
      break;
    case NID_secp521r1:
      certificate.curve = SSL_CURVE_SECP521R1;
      certificate.signature = SSL_SIGN_ECDSA_SECP521R1_SHA512;
      break;
    default:
      break;
  }
}

std::string dateOf(int64_t seconds) {
  const time_t time = static_cast<time_t>(seconds);
  tm calendar{};
  char text[32];
  gmtime_r(&time, &calendar);
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &calendar);
  return text;
}

void logKeys(const SSL* ssl, const char* line) {
  SslTransport::of(*ssl).logKeys(line);
}

}  // namespace

absl::StatusOr<std::string> alpnWire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return absl::InvalidArgumentError(
          base::strCat("alpn_protocols: '", protocol, "' has ", protocol.size(), " bytes; it must have 1 to 255"));
    }
    wire.push_back(static_cast<char>(protocol.size()));
    wire += protocol;
  }
  if (wire.size() > 65535) return absl::InvalidArgumentError("alpn_protocols: more than 65535 bytes in all");
  return wire;
}

std::vector<std::string_view> Certificate::chainDer() const {
  std::vector<std::string_view> out;
  for (const SslOwned<crypto_buffer_st>& buffer : chain) {
    out.emplace_back(reinterpret_cast<const char*>(CRYPTO_BUFFER_data(buffer.get())), CRYPTO_BUFFER_len(buffer.get()));
  }
  return out;
}

absl::StatusOr<std::unique_ptr<const KeyLog>> KeyLog::open(const KeyLogConfig& config) {
  std::unique_ptr<KeyLog> log(new KeyLog());
  log->config_ = config;
  log->file_ = net::Fd(::open(config.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log->file_.valid()) {
    return absl::InvalidArgumentError(
        base::strCat("key_log.path: cannot write '", config.path, "': ", strerror(errno)));
  }
  return std::unique_ptr<const KeyLog>(std::move(log));
}

void KeyLog::write(int fd, std::string_view line) const {
  if (config_.wanted) {
    sockaddr_storage local{}, remote{};
    socklen_t local_size = sizeof(local), remote_size = sizeof(remote);
    auto* local_address = reinterpret_cast<sockaddr*>(&local);
    auto* remote_address = reinterpret_cast<sockaddr*>(&remote);
    if (getsockname(fd, local_address, &local_size) != 0 || getpeername(fd, remote_address, &remote_size) != 0) return;
    if (!config_.wanted(net::Address::fromSockaddr(local_address, local_size),
                        net::Address::fromSockaddr(remote_address, remote_size))) {
      return;
    }
  }
  const std::string whole = base::strCat(line, "\n");
  // Best effort: a full disk must not break connections.
  [[maybe_unused]] const ssize_t written = ::write(file_.get(), whole.data(), whole.size());
}

absl::Status ContextCore::setUp(const CommonConfig& config, const TlsStats& counters, Validator::Peer peer) {
  ERR_clear_error();
  stats = counters;
  pool.reset(CRYPTO_BUFFER_POOL_new());
  ctx.reset(SSL_CTX_new(TLS_with_buffers_method()));
  SSL_CTX_set0_buffer_pool(ctx.get(), pool.get());
  SSL_CTX_set_early_data_enabled(ctx.get(), 0);
  SSL_CTX_set_reverify_on_resume(ctx.get(), 1);
  if (absl::Status status = setUpParameters(config); !status.ok()) return status;
  absl::StatusOr<std::string> wire = alpnWire(config.alpn);
  if (!wire.ok()) return wire.status();
  alpn = *std::move(wire);
  for (const CertificateConfig& certificate : config.certificates) {
    if (absl::Status status = addCertificate(certificate); !status.ok()) return status;
  }
  if (config.validation) {
    absl::StatusOr<std::unique_ptr<const Validator>> made = Validator::create(*config.validation, peer);
    if (!made.ok()) {
      return absl::InvalidArgumentError(base::strCat("validation_context.", base::toStd(made.status().message())));
    }
    validator = *std::move(made);
    for (size_t i = 0; i < validator->authorities().size(); ++i) {
      const std::string& name = validator->authorityName(i);
      facts.authorities.push_back(factsOf(*validator->authorities()[i], name));
      if (facts.authorities.back().daysUntilExpiration(time(nullptr)) == 0) {
        facts.warnings.push_back(base::strCat("authority '", facts.authorities.back().subject, "' of '", name,
                                              "' expired on ", dateOf(facts.authorities.back().valid_to)));
      }
    }
  }
  if (!config.key_log.path.empty()) {
    absl::StatusOr<std::unique_ptr<const KeyLog>> opened = KeyLog::open(config.key_log);
    if (!opened.ok()) return opened.status();
    key_log = *std::move(opened);
    SSL_CTX_set_keylog_callback(ctx.get(), logKeys);
  }
  return absl::OkStatus();
}

absl::Status ContextCore::setUpParameters(const CommonConfig& config) {
  const uint16_t min = wireVersion(config.min_version, TLS1_2_VERSION);
  const uint16_t max = wireVersion(config.max_version, TLS1_3_VERSION);
  if (min > max) {
    return absl::InvalidArgumentError(
        "tls_params: tls_minimum_protocol_version is above tls_maximum_protocol_version (TLS_AUTO stands for TLSv1_2 "
        "as the minimum and TLSv1_3 as the maximum)");
  }
  SSL_CTX_set_min_proto_version(ctx.get(), min);
  SSL_CTX_set_max_proto_version(ctx.get(), max);
  if (absl::Status status = setCiphers(*ctx, config.cipher_suites); !status.ok()) return status;
  if (absl::Status status = setCurves(*ctx, config.curves); !status.ok()) return status;
  if (!config.signature_algorithms.empty() &&
      SSL_CTX_set1_sigalgs_list(ctx.get(), joined(config.signature_algorithms).c_str()) != 1) {
    return absl::InvalidArgumentError(base::strCat("tls_params.signature_algorithms: '",
                                                   joined(config.signature_algorithms),
                                                   "' cannot be used: ", errorQueueText()));
  }
  return absl::OkStatus();
}

absl::Status ContextCore::addCertificate(const CertificateConfig& config) {
  const auto wrong = [&config](std::string_view what, std::string_view why) {
    return absl::InvalidArgumentError(base::strCat("tls_certificate '", config.name, "': ", what, ": ", why));
  };
  Certificate certificate;
  absl::StatusOr<std::vector<SslOwned<x509_st>>> chain = parsePemCertificates(config.chain_pem);
  if (!chain.ok()) return wrong("certificate_chain", base::toStd(chain.status().message()));
  absl::StatusOr<SslOwned<evp_pkey_st>> key = parsePemKey(config.key_pem, config.password);
  if (!key.ok()) return wrong("private_key", base::toStd(key.status().message()));
  certificate.key = *std::move(key);
  for (const SslOwned<x509_st>& part : *chain) {
    const std::string der = derOf(*part);
    certificate.chain.emplace_back(
        CRYPTO_BUFFER_new(reinterpret_cast<const uint8_t*>(der.data()), der.size(), pool.get()));
  }
  certificate.leaf = std::move(chain->front());
  if (X509_check_private_key(certificate.leaf.get(), certificate.key.get()) != 1) {
    ERR_clear_error();
    return wrong("private_key", base::strCat("it is not the key of the certificate '", subjectOf(*certificate.leaf),
                                             "'", config.key_name.empty() ? "" : " (" + config.key_name + ")",
                                             "; both must be of one pair and be replaced together"));
  }
  describeEcKey(certificate);
  if (EVP_PKEY_id(certificate.key.get()) == EVP_PKEY_RSA && EVP_PKEY_bits(certificate.key.get()) < 2048) {
    return wrong("private_key", "an RSA key needs 2048 bits or more");
  }
  if (certificate.ecdsa && certificate.curve == 0)
    return wrong("private_key", "an ECDSA key needs P-256, P-384 or P-521");
  CertificateFacts about = factsOf(*certificate.leaf, config.name);
  certificate.names = about.dns_sans;
  if (X509_get_ext_by_NID(certificate.leaf.get(), NID_subject_alt_name, -1) < 0) {
    if (std::string name = commonNameOf(*certificate.leaf); !name.empty()) certificate.names.push_back(std::move(name));
  }
  certificate.must_staple = mustStaple(*certificate.leaf);
  if (!config.ocsp_staple.empty()) {
    absl::StatusOr<OcspStaple> staple = parseOcspStaple(config.ocsp_staple, *certificate.leaf);
    if (!staple.ok()) return wrong("staple", base::toStd(staple.status().message()));
    certificate.staple = *std::move(staple);
    about.ocsp_valid_from = certificate.staple->this_update;
    about.ocsp_valid_to = certificate.staple->next_update;
  }
  const int64_t now = time(nullptr);
  if (about.valid_to <= now) {
    facts.warnings.push_back(base::strCat("certificate '", config.name, "' (", about.subject, ") expired on ",
                                          dateOf(about.valid_to), "; peers will refuse it: replace it"));
  } else if (about.valid_from > now) {
    facts.warnings.push_back(base::strCat("certificate '", config.name, "' (", about.subject, ") is valid only from ",
                                          dateOf(about.valid_from)));
  }
  facts.certificates.push_back(std::move(about));
  certificates.push_back(std::move(certificate));
  return absl::OkStatus();
}

}  // namespace sluice::tls
