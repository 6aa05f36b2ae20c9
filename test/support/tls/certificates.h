// Certificates for tests, made in memory when the test runs: nothing in the tree expires.
//
//   test::TestAuthority authority;
//   const test::TestCertificate server = authority.issue({.dns_sans = {"a.example.com"}});
//   config.common.certificates.push_back({server.chain_pem, server.key_pem});
//   client.common.validation.emplace().trusted_ca_pem = authority.pem();
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

struct CertificateOptions {
  std::string common_name = "test";
  std::vector<std::string> dns_sans, uri_sans, ip_sans, email_sans;
  std::vector<std::pair<std::string, std::string>> other_sans;  // object identifiers with texts
  enum class Key { kEcdsa, kRsa };
  Key key = Key::kEcdsa;  // P-256, RSA 2048
  // Seconds from now.
  int64_t valid_from = -3600;
  int64_t valid_to = 30 * 86400;
  enum class Usage { kAny, kServer, kClient };
  Usage usage = Usage::kAny;  // extended key usage
  std::string key_usage;      // empty: without that extension
  bool must_staple = false;
  bool authority = false;
};

struct TestCertificate {
  std::string chain_pem;  // this one alone
  std::string key_pem;
  std::string der;
  uint64_t serial = 0;
  std::string sha256_hex;
  std::string spki_sha256_base64;
};

// Signs certificates and lists; itself self-signed, or signed by another.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "test authority");
  TestAuthority(const std::string& name, TestAuthority& parent);
  ~TestAuthority();

  const std::string& pem() const;
  TestCertificate issue(const CertificateOptions& options);
  // A PEM revocation list of these serial numbers, current for a day.
  std::string revoke(const std::vector<uint64_t>& serials);
  // A DER OCSP response about `certificate`: good, current from now until `next_update` seconds from now. Not signed.
  std::string staple(const TestCertificate& certificate, int64_t next_update = 3600, bool revoked = false);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::test
