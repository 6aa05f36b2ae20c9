#include "source/tls/spiffe.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "source/base/text.h"
#include "source/tls/certificate.h"

namespace sluice::tls {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr size_t kMaxId = 2048;          // bytes
constexpr size_t kMaxTrustDomain = 255;  // bytes

bool isMark(char c) {
  return c == '.' || c == '-' || c == '_';
}

bool isSegment(std::string_view text) {
  return !text.empty() && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isalnum(c) || isMark(c); });
}

// "/a/b"
bool isPath(std::string_view path) {
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    if (!isSegment(path.substr(0, end))) return false;
    path.remove_prefix(end);
    if (path.empty()) return true;
  }
  return false;
}

}  // namespace

bool isTrustDomain(std::string_view name) {
  return !name.empty() && name.size() <= kMaxTrustDomain && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || isMark(c);
  });
}

std::string_view trustDomainOf(std::string_view id) {
  if (id.size() > kMaxId || !id.starts_with(kScheme)) return {};
  id.remove_prefix(kScheme.size());
  const std::string_view domain = id.substr(0, std::min(id.find('/'), id.size()));
  return isTrustDomain(domain) && isPath(id.substr(domain.size())) ? domain : std::string_view();
}

absl::StatusOr<std::string> workloadDomainOf(x509_st& leaf) {
  const uint32_t flags = X509_get_extension_flags(&leaf);
  if ((flags & EXFLAG_INVALID) != 0) return absl::InvalidArgumentError("its extensions cannot be read");
  if ((flags & EXFLAG_CA) != 0) return absl::InvalidArgumentError("it is of an authority, not of a workload");
  if ((flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(&leaf) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0) {
    return absl::InvalidArgumentError("its key may sign certificates or lists of revoked ones");
  }
  const SubjectNames names = namesOf(leaf);
  if (names.uri_count != 1) {
    return absl::InvalidArgumentError(
        base::strCat("it has ", names.uri_count, " URI names, and a SPIFFE ID has to be the only one"));
  }
  const std::string_view domain = names.uri.empty() ? std::string_view() : trustDomainOf(names.uri.front());
  if (domain.empty()) return absl::InvalidArgumentError("its URI name is no SPIFFE ID of a workload");
  return std::string(domain);
}

}  // namespace sluice::tls
