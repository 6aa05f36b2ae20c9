#include "source/tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/base/ascii.h"
#include "source/tls/failure.h"

namespace sluice::tls {

void SslFree::operator()(bio_st* object) const {
  BIO_free(object);
}
void SslFree::operator()(crypto_buffer_pool_st* object) const {
  CRYPTO_BUFFER_POOL_free(object);
}
void SslFree::operator()(crypto_buffer_st* object) const {
  CRYPTO_BUFFER_free(object);
}
void SslFree::operator()(evp_pkey_st* object) const {
  EVP_PKEY_free(object);
}
void SslFree::operator()(ssl_ctx_st* object) const {
  SSL_CTX_free(object);
}
void SslFree::operator()(ssl_session_st* object) const {
  SSL_SESSION_free(object);
}
void SslFree::operator()(ssl_st* object) const {
  SSL_free(object);
}
void SslFree::operator()(x509_st* object) const {
  X509_free(object);
}
void SslFree::operator()(x509_store_st* object) const {
  X509_STORE_free(object);
}

namespace {

std::string_view contentOf(BIO& bio) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  BIO_mem_contents(&bio, &data, &size);
  return {reinterpret_cast<const char*>(data), size};
}

SslOwned<bio_st> readerOf(std::string_view bytes) {
  return SslOwned<bio_st>(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string_view bytesOf(const ASN1_STRING& text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&text)), static_cast<size_t>(ASN1_STRING_length(&text))};
}

// Printable and without spaces: what is not could pass for another name where it is shown or compared.
bool plain(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

std::string ipText(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN];
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  return inet_ntop(family, bytes.data(), text, sizeof(text)) != nullptr ? text : "";
}

// RFC 5280 section 4.2.1.6: any type may stand there; those of names are texts (UPN, SRVName, SmtpUTF8Mailbox).
std::string_view otherText(const OTHERNAME& name) {
  if (name.value == nullptr) return {};
  switch (name.value->type) {
    case V_ASN1_UTF8STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_VISIBLESTRING:
    case V_ASN1_NUMERICSTRING:
      return bytesOf(*name.value->value.asn1_string);
    default:
      return {};
  }
}

std::string oidText(const ASN1_OBJECT& oid) {
  char text[128];
  const int size = OBJ_obj2txt(text, sizeof(text), &oid, 1);
  return size > 0 && size < static_cast<int>(sizeof(text)) ? std::string(text, static_cast<size_t>(size)) : "";
}

std::string nameText(const X509_NAME* name) {
  const SslOwned<bio_st> out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  return std::string(contentOf(*out));
}

int64_t secondsOf(const ASN1_TIME* time) {
  ASN1_TIME* const epoch = ASN1_TIME_set(nullptr, 0);
  int days = 0, seconds = 0;
  const bool valid = ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
  ASN1_TIME_free(epoch);
  return valid ? int64_t{days} * 86400 + seconds : 0;
}

size_t occurrences(std::string_view text, std::string_view word) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(word, at)) != std::string_view::npos; at += word.size()) ++count;
  return count;
}

int givePassword(char* to, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<size_t>(size)) return -1;
  std::memcpy(to, text.data(), text.size());
  return static_cast<int>(text.size());
}

std::string pemOf(std::string_view der) {
  const SslOwned<bio_st> out(BIO_new(BIO_s_mem()));
  PEM_write_bio(out.get(), "CERTIFICATE", "", reinterpret_cast<const uint8_t*>(der.data()),
                static_cast<long>(der.size()));
  return std::string(contentOf(*out));
}

std::string urlEncoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() * 5 / 4);
  for (const unsigned char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      out.push_back(static_cast<char>(c));
    } else {
      out.append({'%', kHex[c >> 4], kHex[c & 15]});
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<std::vector<SslOwned<x509_st>>> parsePemCertificates(std::string_view pem) {
  ERR_clear_error();
  std::vector<SslOwned<x509_st>> certificates;
  const SslOwned<bio_st> in = readerOf(pem);
  while (X509* certificate = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const size_t begun = occurrences(pem, "-----BEGIN CERTIFICATE-----");
  const std::string_view after_end = pem.substr(std::min(pem.size(), pem.rfind("-----END ")));
  const bool cut = occurrences(pem, "-----BEGIN ") > 0 && after_end.find("-----BEGIN") != std::string_view::npos;
  const std::string reason = errorQueueText();
  if (certificates.empty()) {
    return absl::InvalidArgumentError(
        begun == 0 ? "no PEM certificate in it; it needs a block '-----BEGIN CERTIFICATE-----'"
                   : absl::StrCat("the PEM certificate cannot be read (cut off or half written?): ", reason));
  }
  if (certificates.size() < begun || cut) {
    return absl::InvalidArgumentError(absl::StrCat("certificate ", certificates.size() + 1,
                                                   " of the PEM text cannot be read (cut off or half written?)"));
  }
  return certificates;
}

absl::StatusOr<SslOwned<evp_pkey_st>> parsePemKey(std::string_view pem, const std::string& password) {
  ERR_clear_error();
  const SslOwned<bio_st> in = readerOf(pem);
  SslOwned<evp_pkey_st> key(
      PEM_read_bio_PrivateKey(in.get(), nullptr, givePassword, const_cast<std::string*>(&password)));
  if (key) return key;
  const std::string reason = errorQueueText();
  if (pem.find("-----BEGIN") == std::string_view::npos) {
    return absl::InvalidArgumentError("no PEM private key in it; it needs a block '-----BEGIN PRIVATE KEY-----'");
  }
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    return absl::InvalidArgumentError(password.empty()
                                          ? "the private key is encrypted and no password is configured"
                                          : absl::StrCat("the private key does not open with the password: ", reason));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the PEM private key cannot be read (cut off or half written?): ", reason));
}

SslOwned<x509_st> parseDerCertificate(std::string_view der) {
  const auto* data = reinterpret_cast<const uint8_t*>(der.data());
  return SslOwned<x509_st>(d2i_X509(nullptr, &data, static_cast<long>(der.size())));
}

std::string derOf(x509_st& certificate) {
  uint8_t* der = nullptr;
  const int size = i2d_X509(&certificate, &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

SubjectNames namesOf(const x509_st& certificate) {
  SubjectNames names;
  auto* all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (size_t i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME& name = *sk_GENERAL_NAME_value(all, i);
    const auto addPlain = [](std::vector<std::string>& to, std::string_view text) {
      if (plain(text)) to.emplace_back(text);
    };
    if (name.type == GEN_DNS) addPlain(names.dns, bytesOf(*name.d.dNSName));
    if (name.type == GEN_URI) ++names.uri_count;
    if (name.type == GEN_URI) addPlain(names.uri, bytesOf(*name.d.uniformResourceIdentifier));
    if (name.type == GEN_EMAIL) addPlain(names.email, bytesOf(*name.d.rfc822Name));
    if (name.type == GEN_IPADD) addPlain(names.ip, ipText(bytesOf(*name.d.iPAddress)));
    if (name.type == GEN_OTHERNAME) {
      addPlain(names.other, otherText(*name.d.otherName));
      if (names.other.size() > names.other_oids.size()) names.other_oids.push_back(oidText(*name.d.otherName->type_id));
    }
  }
  GENERAL_NAMES_free(all);
  return names;
}

std::string commonNameOf(const x509_st& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  const std::string_view name = bytesOf(*X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  return plain(name) ? std::string(name) : std::string();
}

std::string subjectOf(const x509_st& certificate) {
  return nameText(X509_get_subject_name(&certificate));
}

std::string issuerOf(const x509_st& certificate) {
  return nameText(X509_get_issuer_name(&certificate));
}

std::string serialOf(const x509_st& certificate) {
  BIGNUM* const number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr);
  if (number == nullptr) return {};
  char* const hex = BN_bn2hex(number);
  std::string out = hex == nullptr ? "" : absl::AsciiStrToLower(hex);
  OPENSSL_free(hex);
  BN_free(number);
  return out;
}

int64_t validFromOf(const x509_st& certificate) {
  return secondsOf(X509_get0_notBefore(&certificate));
}

int64_t validToOf(const x509_st& certificate) {
  return secondsOf(X509_get0_notAfter(&certificate));
}

bool mustStaple(const x509_st& certificate) {
  ASN1_OBJECT* const feature = OBJ_txt2obj("1.3.6.1.5.5.7.1.24", 1);
  const int at = X509_get_ext_by_OBJ(&certificate, feature, -1);
  ASN1_OBJECT_free(feature);
  if (at < 0) return false;
  // SEQUENCE { INTEGER 5 }: status_request.
  const std::string_view value = bytesOf(*X509_EXTENSION_get_data(X509_get_ext(&certificate, at)));
  return value.find("\x02\x01\x05") != std::string_view::npos;
}

std::string sha256(std::string_view bytes) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

std::string sha1(std::string_view bytes) {
  std::string out(SHA_DIGEST_LENGTH, '\0');
  SHA1(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

std::string hexOf(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const unsigned char c : bytes) out.append({kHex[c >> 4], kHex[c & 15]});
  return out;
}

std::string spkiSha256Of(const x509_st& certificate) {
  uint8_t* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &der);
  if (size <= 0) return {};
  std::string out = sha256({reinterpret_cast<char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return out;
}

CertificateFacts factsOf(const x509_st& certificate, std::string_view name) {
  SubjectNames names = namesOf(certificate);
  CertificateFacts facts;
  facts.name = name;
  facts.serial = serialOf(certificate);
  facts.subject = subjectOf(certificate);
  facts.issuer = issuerOf(certificate);
  facts.dns_sans = std::move(names.dns);
  facts.uri_sans = std::move(names.uri);
  facts.ip_sans = std::move(names.ip);
  facts.email_sans = std::move(names.email);
  facts.valid_from = validFromOf(certificate);
  facts.valid_to = validToOf(certificate);
  return facts;
}

int64_t CertificateFacts::daysUntilExpiration(int64_t now) const {
  return valid_to <= now ? 0 : (valid_to - now) / 86400;
}

net::TlsInfo::Certificate describe(const std::vector<std::string_view>& chain_der) {
  net::TlsInfo::Certificate out;
  const SslOwned<x509_st> leaf = parseDerCertificate(chain_der.front());
  if (!leaf) return out;
  SubjectNames names = namesOf(*leaf);
  out.subject = subjectOf(*leaf);
  out.issuer = issuerOf(*leaf);
  out.serial = serialOf(*leaf);
  out.sha256 = hexOf(sha256(chain_der.front()));
  out.sha1 = hexOf(sha1(chain_der.front()));
  out.uri_sans = std::move(names.uri);
  out.dns_sans = std::move(names.dns);
  out.ip_sans = std::move(names.ip);
  out.email_sans = std::move(names.email);
  out.valid_from = validFromOf(*leaf);
  out.valid_to = validToOf(*leaf);
  out.pem = urlEncoded(pemOf(chain_der.front()));
  out.other_sans = std::move(names.other);
  out.other_san_oids = std::move(names.other_oids);
  for (const std::string_view der : chain_der) {
    out.chain_pem += urlEncoded(pemOf(der));
    out.chain_sha256.push_back(hexOf(sha256(der)));
    out.chain_sha1.push_back(hexOf(sha1(der)));
    const SslOwned<x509_st> certificate = parseDerCertificate(der);
    if (certificate) out.chain_serials.push_back(serialOf(*certificate));
  }
  return out;
}

bool dnsNameMatches(std::string_view pattern, std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || pattern.empty()) return false;
  if (base::equalsIgnoringCase(pattern, host)) return true;
  // One whole label, and never a top-level domain's: "*.com" is nobody's.
  if (!pattern.starts_with("*.") || pattern.find('.', 2) == std::string_view::npos) return false;
  const size_t dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 && base::equalsIgnoringCase(pattern.substr(1), host.substr(dot)) &&
         pattern.find('*', 1) == std::string_view::npos;
}

std::string canonicalIp(std::string_view text) {
  const std::string copy(text);
  char bytes[16];
  if (inet_pton(AF_INET, copy.c_str(), bytes) == 1) return ipText({bytes, 4});
  if (inet_pton(AF_INET6, copy.c_str(), bytes) == 1) return ipText({bytes, 16});
  return {};
}

}  // namespace sluice::tls
