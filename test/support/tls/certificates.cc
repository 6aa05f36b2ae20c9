#include "test/support/tls/certificates.h"

#include <openssl/asn1.h>
#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <ctime>

namespace sluice::test {
namespace {

template <typename Write>
std::string pemBy(Write write) {
  bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
  write(out.get());
  const uint8_t* data;
  size_t size;
  BIO_mem_contents(out.get(), &data, &size);
  return {reinterpret_cast<const char*>(data), size};
}

bssl::UniquePtr<EVP_PKEY> makeKey(CertificateOptions::Key type) {
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (type == CertificateOptions::Key::kEcdsa) {
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    EC_KEY_generate_key(ec.get());
    EVP_PKEY_set1_EC_KEY(key.get(), ec.get());
  } else {
    bssl::UniquePtr<RSA> rsa(RSA_new());
    bssl::UniquePtr<BIGNUM> exponent(BN_new());
    BN_set_word(exponent.get(), RSA_F4);
    RSA_generate_key_ex(rsa.get(), 2048, exponent.get(), nullptr);
    EVP_PKEY_set1_RSA(key.get(), rsa.get());
  }
  return key;
}

void addExtension(X509& certificate, int nid, const std::string& value) {
  bssl::UniquePtr<X509_EXTENSION> extension(X509V3_EXT_nconf_nid(nullptr, nullptr, nid, value.c_str()));
  if (!extension || X509_add_ext(&certificate, extension.get(), -1) != 1) std::abort();
}

void addNames(X509& certificate, const CertificateOptions& options) {
  bssl::UniquePtr<GENERAL_NAMES> names(sk_GENERAL_NAME_new_null());
  const auto add = [&](int type, const std::string& bytes) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_STRING* text = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    ASN1_STRING_set(text, bytes.data(), static_cast<int>(bytes.size()));
    GENERAL_NAME_set0_value(name, type, text);
    sk_GENERAL_NAME_push(names.get(), name);
  };
  for (const std::string& name : options.dns_sans) add(GEN_DNS, name);
  for (const std::string& name : options.uri_sans) add(GEN_URI, name);
  for (const std::string& name : options.email_sans) add(GEN_EMAIL, name);
  for (const std::string& name : options.ip_sans) {
    bssl::UniquePtr<ASN1_OCTET_STRING> bytes(a2i_IPADDRESS(name.c_str()));
    if (!bytes) std::abort();
    add(GEN_IPADD, {reinterpret_cast<const char*>(ASN1_STRING_get0_data(bytes.get())),
                    static_cast<size_t>(ASN1_STRING_length(bytes.get()))});
  }
  for (const auto& [oid, text] : options.other_sans) {
    GENERAL_NAME* const name = GENERAL_NAME_new();
    ASN1_TYPE* const value = ASN1_TYPE_new();
    ASN1_STRING* const utf8 = ASN1_STRING_type_new(V_ASN1_UTF8STRING);
    ASN1_STRING_set(utf8, text.data(), static_cast<int>(text.size()));
    ASN1_TYPE_set(value, V_ASN1_UTF8STRING, utf8);
    GENERAL_NAME_set0_othername(name, OBJ_txt2obj(oid.c_str(), 1), value);
    sk_GENERAL_NAME_push(names.get(), name);
  }
  if (sk_GENERAL_NAME_num(names.get()) == 0) return;
  if (X509_add1_ext_i2d(&certificate, NID_subject_alt_name, names.get(), 0, 0) != 1) std::abort();
}

void addMustStaple(X509& certificate) {
  static constexpr uint8_t kValue[] = {0x30, 0x03, 0x02, 0x01, 0x05};
  bssl::UniquePtr<ASN1_OBJECT> feature(OBJ_txt2obj("1.3.6.1.5.5.7.1.24", 1));
  bssl::UniquePtr<ASN1_OCTET_STRING> value(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(value.get(), kValue, sizeof(kValue));
  bssl::UniquePtr<X509_EXTENSION> extension(X509_EXTENSION_create_by_OBJ(nullptr, feature.get(), 0, value.get()));
  X509_add_ext(&certificate, extension.get(), -1);
}

std::string generalized(int64_t from_now) {
  const time_t time = ::time(nullptr) + static_cast<time_t>(from_now);
  tm calendar{};
  gmtime_r(&time, &calendar);
  char text[16];
  strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &calendar);
  return text;
}

void addBytes(CBB& out, unsigned tag, std::string_view bytes) {
  CBB child;
  CBB_add_asn1(&out, &child, tag);
  CBB_add_bytes(&child, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  CBB_flush(&out);
}

std::string sha1(std::string_view bytes) {
  std::string out(SHA_DIGEST_LENGTH, '\0');
  SHA1(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

}  // namespace

struct TestAuthority::Impl {
  std::string name;
  std::string pem;
  bssl::UniquePtr<EVP_PKEY> key;
  bssl::UniquePtr<X509> certificate;
  uint64_t next_serial = 100;

  bssl::UniquePtr<X509> sign(const CertificateOptions& options, EVP_PKEY& subject_key, uint64_t serial);
};

// By this authority; by itself while it has no certificate yet.
bssl::UniquePtr<X509> TestAuthority::Impl::sign(const CertificateOptions& options, EVP_PKEY& subject_key,
                                                uint64_t serial) {
  bssl::UniquePtr<X509> out(X509_new());
  X509_set_version(out.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), serial);
  const time_t now = ::time(nullptr);
  ASN1_TIME_set(X509_getm_notBefore(out.get()), now + static_cast<time_t>(options.valid_from));
  ASN1_TIME_set(X509_getm_notAfter(out.get()), now + static_cast<time_t>(options.valid_to));
  X509_NAME* subject = X509_get_subject_name(out.get());
  if (!options.common_name.empty()) {
    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                               reinterpret_cast<const uint8_t*>(options.common_name.data()),
                               static_cast<int>(options.common_name.size()), -1, 0);
  }
  X509_set_issuer_name(out.get(), certificate ? X509_get_subject_name(certificate.get()) : subject);
  X509_set_pubkey(out.get(), &subject_key);
  addExtension(*out, NID_basic_constraints, options.authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!options.key_usage.empty()) {
    addExtension(*out, NID_key_usage, options.key_usage);
  } else if (options.authority) {
    addExtension(*out, NID_key_usage, "critical,keyCertSign,cRLSign");
  }
  if (options.usage == CertificateOptions::Usage::kServer) addExtension(*out, NID_ext_key_usage, "serverAuth");
  if (options.usage == CertificateOptions::Usage::kClient) addExtension(*out, NID_ext_key_usage, "clientAuth");
  if (options.must_staple) addMustStaple(*out);
  addNames(*out, options);
  if (X509_sign(out.get(), key.get(), EVP_sha256()) == 0) std::abort();
  return out;
}

TestAuthority::TestAuthority(const std::string& name) : impl_(std::make_unique<Impl>()) {
  impl_->name = name;
  impl_->key = makeKey(CertificateOptions::Key::kEcdsa);
  CertificateOptions options;
  options.common_name = name;
  options.authority = true;
  impl_->certificate = impl_->sign(options, *impl_->key, 1);
  impl_->pem = pemBy([&](BIO* out) { PEM_write_bio_X509(out, impl_->certificate.get()); });
}

TestAuthority::TestAuthority(const std::string& name, TestAuthority& parent) : impl_(std::make_unique<Impl>()) {
  impl_->name = name;
  impl_->key = makeKey(CertificateOptions::Key::kEcdsa);
  CertificateOptions options;
  options.common_name = name;
  options.authority = true;
  impl_->certificate = parent.impl_->sign(options, *impl_->key, parent.impl_->next_serial++);
  impl_->pem = pemBy([&](BIO* out) { PEM_write_bio_X509(out, impl_->certificate.get()); });
}

TestAuthority::~TestAuthority() = default;

const std::string& TestAuthority::pem() const {
  return impl_->pem;
}

TestCertificate TestAuthority::issue(const CertificateOptions& options) {
  bssl::UniquePtr<EVP_PKEY> key = makeKey(options.key);
  TestCertificate out;
  out.serial = impl_->next_serial++;
  bssl::UniquePtr<X509> certificate = impl_->sign(options, *key, out.serial);
  out.chain_pem = pemBy([&](BIO* bio) { PEM_write_bio_X509(bio, certificate.get()); });
  out.key_pem =
      pemBy([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  uint8_t* der = nullptr;
  int size = i2d_X509(certificate.get(), &der);
  out.der.assign(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(out.der.data()), out.der.size(), digest);
  for (const uint8_t byte : digest) {
    out.sha256_hex.push_back("0123456789abcdef"[byte >> 4]);
    out.sha256_hex.push_back("0123456789abcdef"[byte & 15]);
  }
  der = nullptr;
  size = i2d_PUBKEY(key.get(), &der);
  SHA256(der, static_cast<size_t>(size), digest);
  OPENSSL_free(der);
  uint8_t base64[64];
  out.spki_sha256_base64.assign(reinterpret_cast<char*>(base64), EVP_EncodeBlock(base64, digest, sizeof(digest)));
  return out;
}

std::string TestAuthority::revoke(const std::vector<uint64_t>& serials) {
  bssl::UniquePtr<X509_CRL> crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(impl_->certificate.get()));
  bssl::UniquePtr<ASN1_TIME> time(ASN1_TIME_set(nullptr, ::time(nullptr) - 60));
  X509_CRL_set1_lastUpdate(crl.get(), time.get());
  for (const uint64_t serial : serials) {
    X509_REVOKED* revoked = X509_REVOKED_new();
    bssl::UniquePtr<ASN1_INTEGER> number(ASN1_INTEGER_new());
    ASN1_INTEGER_set_uint64(number.get(), serial);
    X509_REVOKED_set_serialNumber(revoked, number.get());
    X509_REVOKED_set_revocationDate(revoked, time.get());
    X509_CRL_add0_revoked(crl.get(), revoked);
  }
  ASN1_TIME_set(time.get(), ::time(nullptr) + 86400);
  X509_CRL_set1_nextUpdate(crl.get(), time.get());
  if (X509_CRL_sign(crl.get(), impl_->key.get(), EVP_sha256()) == 0) std::abort();
  return pemBy([&](BIO* out) { PEM_write_bio_X509_CRL(out, crl.get()); });
}

std::string TestAuthority::staple(const TestCertificate& certificate, int64_t next_update, bool revoked) {
  static constexpr std::string_view kSha1("\x2b\x0e\x03\x02\x1a", 5);
  static constexpr std::string_view kBasic("\x2b\x06\x01\x05\x05\x07\x30\x01\x01", 9);
  constexpr unsigned kContext = CBS_ASN1_CONTEXT_SPECIFIC, kMade = CBS_ASN1_CONSTRUCTED;
  uint8_t* issuer = nullptr;
  const int issuer_size = i2d_X509_NAME(X509_get_subject_name(impl_->certificate.get()), &issuer);
  const std::string issuer_hash = sha1({reinterpret_cast<char*>(issuer), static_cast<size_t>(issuer_size)});
  OPENSSL_free(issuer);
  bssl::ScopedCBB all;
  CBB response, holder, bytes, octets, basic, data, responder, list, single, id, algorithm, status, next;
  CBB_init(all.get(), 512);
  CBB_add_asn1(all.get(), &response, CBS_ASN1_SEQUENCE);
  addBytes(response, CBS_ASN1_ENUMERATED, std::string_view("\0", 1));
  CBB_add_asn1(&response, &holder, kContext | kMade | 0);
  CBB_add_asn1(&holder, &bytes, CBS_ASN1_SEQUENCE);
  addBytes(bytes, CBS_ASN1_OBJECT, kBasic);
  CBB_add_asn1(&bytes, &octets, CBS_ASN1_OCTETSTRING);
  CBB_add_asn1(&octets, &basic, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&basic, &data, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&data, &responder, kContext | kMade | 2);
  addBytes(responder, CBS_ASN1_OCTETSTRING, std::string(20, 'k'));
  addBytes(data, CBS_ASN1_GENERALIZEDTIME, generalized(0));
  CBB_add_asn1(&data, &list, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&list, &single, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&single, &id, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&id, &algorithm, CBS_ASN1_SEQUENCE);
  addBytes(algorithm, CBS_ASN1_OBJECT, kSha1);
  addBytes(id, CBS_ASN1_OCTETSTRING, issuer_hash);
  addBytes(id, CBS_ASN1_OCTETSTRING, std::string(20, 'k'));
  CBB_add_asn1_uint64(&id, certificate.serial);
  if (revoked) {
    CBB_add_asn1(&single, &status, kContext | kMade | 1);
    addBytes(status, CBS_ASN1_GENERALIZEDTIME, generalized(-60));
  } else {
    addBytes(single, kContext | 0, "");
  }
  addBytes(single, CBS_ASN1_GENERALIZEDTIME, generalized(-60));
  CBB_add_asn1(&single, &next, kContext | kMade | 0);
  addBytes(next, CBS_ASN1_GENERALIZEDTIME, generalized(next_update));
  uint8_t* der = nullptr;
  size_t size = 0;
  if (CBB_finish(all.get(), &der, &size) != 1) std::abort();
  std::string out(reinterpret_cast<char*>(der), size);
  OPENSSL_free(der);
  return out;
}

}  // namespace sluice::test
