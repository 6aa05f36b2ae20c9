// Certificates of a peer and OCSP staples: DER elements one behind the other. The first is the leaf; the others are the
// rest of its chain, and each is tried as a staple for it. No crash, names that are safe to compare and log, and
// acceptance only of what the rules say.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/tls/certificate.h"
#include "source/tls/ocsp.h"
#include "source/tls/validator.h"

namespace sluice::tls {
namespace {

// Signed the seeds; its key is gone. What it signed stays acceptable: dates do not count below.
constexpr char kAuthority[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBlzCCAT2gAwIBAgIUNzcBftFcUwdNOtEpuWUggPikQYAwCgYIKoZIzj0EAwIw\n"
    "GTEXMBUGA1UEAwwOZnV6eiBhdXRob3JpdHkwHhcNMjYxMTIxMTM1NjQxWhcNMzYx\n"
    "MTE4MTM1NjQxWjAZMRcwFQYDVQQDDA5mdXp6IGF1dGhvcml0eTBZMBMGByqGSM49\n"
    "AgEGCCqGSM49AwEHA0IABAQIKZ3Okqt1Vhu4Y3QG0Tiqju4uOA5uKOlLQwxaEylP\n"
    "Gtu+2ps/j9vMrpnGGdx/G0j503HEeL/1WuP4k52cf7qjYzBhMB0GA1UdDgQWBBTS\n"
    "4xGFcIv2Iob/OEAdK1Tqe8lNATAfBgNVHSMEGDAWgBTS4xGFcIv2Iob/OEAdK1Tq\n"
    "e8lNATAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBhjAKBggqhkjOPQQD\n"
    "AgNIADBFAiEAwgwQzd47Ze64qbGmzjC4BK+YH5b6uu9O49lIClOp8ZACIAsiDVEm\n"
    "0ORPQ+T7cBCaqDPGgqOTMJDIDjZkqrL950pE\n"
    "-----END CERTIFICATE-----\n";

void check(bool holds) {
  if (!holds) std::abort();
}

// The elements by their outer lengths; what is behind the last whole one is an element, too.
std::vector<std::string> elementsOf(std::string_view bytes) {
  std::vector<std::string> out;
  while (!bytes.empty() && out.size() < 8) {
    size_t size = bytes.size();
    if (bytes.size() >= 4 && static_cast<uint8_t>(bytes[1]) == 0x82) {
      size = 4 + (static_cast<uint8_t>(bytes[2]) << 8 | static_cast<uint8_t>(bytes[3]));
    }
    out.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  return out;
}

std::unique_ptr<const Validator> validatorOf(bool untrusted, bool names) {
  ValidationConfig config;
  config.trusted_ca_pem = kAuthority;
  config.allow_expired_certificate = true;
  config.accept_untrusted = untrusted;
  if (names) {
    for (const char* name : {"a.example.com", "x.b.example.com"}) {
      config.san_matchers.push_back({.type = SanMatcher::Type::kDns, .exact = name, .description = name});
    }
    config.san_matchers.push_back({.type = SanMatcher::Type::kUri,
                                   .matches = [](std::string_view uri) { return uri.starts_with("spiffe://x/"); },
                                   .description = "x"});
  }
  auto made = Validator::create(config, Validator::Peer::kClient);
  check(made.ok());
  return *std::move(made);
}

void checkNames(const SubjectNames& names) {
  for (const auto* list : {&names.dns, &names.uri, &names.ip, &names.email}) {
    for (const std::string& name : *list) {
      for (const char c : name) check(static_cast<uint8_t>(c) >= 0x20 && c != 0x7f);
    }
  }
  for (const std::string& ip : names.ip) check(canonicalIp(ip) == ip);
  for (const std::string& name : names.dns) {
    if (!dnsNameMatches(name, "x.b.example.com")) continue;
    check(std::count(name.begin(), name.end(), '.') == 3);  // a wildcard is one label
  }
}

}  // namespace
}  // namespace sluice::tls

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::tls;
  static const std::unique_ptr<const Validator> strict = validatorOf(false, true);
  static const std::unique_ptr<const Validator> any_name = validatorOf(false, false);
  static const std::unique_ptr<const Validator> lenient = validatorOf(true, true);
  const std::vector<std::string> elements = elementsOf({reinterpret_cast<const char*>(data), size});
  if (elements.empty()) return 0;
  const std::vector<std::string_view> chain(elements.begin(), elements.end());

  const Validator::Verdict verdict = strict->check(chain, "");
  const Validator::Verdict named = any_name->check(chain, "a.example.com");
  const Validator::Verdict trusted = any_name->check(chain, "");
  check(lenient->check(chain, "").outcome == Validator::Outcome::kAccepted ||
        verdict.outcome == Validator::Outcome::kChain);
  if (verdict.outcome == Validator::Outcome::kAccepted || named.outcome == Validator::Outcome::kAccepted) {
    check(trusted.outcome == Validator::Outcome::kAccepted && trusted.validated);
  }
  const SslOwned<x509_st> leaf = parseDerCertificate(elements[0]);
  if (!leaf) {
    check(verdict.outcome != Validator::Outcome::kAccepted);
    return 0;
  }
  checkNames(namesOf(*leaf));
  describe(chain);
  factsOf(*leaf, "fuzz");
  mustStaple(*leaf);
  for (size_t i = 1; i < elements.size(); ++i) {
    const auto staple = parseOcspStaple(elements[i], *leaf);
    if (staple.ok()) check(staple->der == elements[i]);
  }
  return 0;
}
