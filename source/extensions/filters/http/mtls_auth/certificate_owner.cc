#include "source/extensions/filters/http/mtls_auth/certificate_owner.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace sluice::extensions::http_filters::mtls_auth {
namespace {

using filter::Consumers;
using filter::CredentialKind;
using filter::KnownConsumer;
using Certificate = net::TlsInfo::Certificate;

const KnownConsumer* byHash(const Consumers& consumers, const Certificate& peer) {
  const auto digest = filter::digestFrom(absl::HexStringToBytes(peer.sha256));
  return digest ? consumers.find(CredentialKind::kCertificate, *digest) : nullptr;
}

struct Named {
  const KnownConsumer* known = nullptr;
  std::string_view name;
  bool several = false;  // consumers
};

void look(const Consumers& consumers, CredentialKind kind, const std::string& name, Named& out) {
  const KnownConsumer* const known =
      kind == CredentialKind::kDnsName ? consumers.find(kind, absl::AsciiStrToLower(name)) : consumers.find(kind, name);
  if (known == nullptr) return;
  if (out.known != nullptr && &out.known->consumer() != &known->consumer()) out.several = true;
  if (out.known == nullptr) out = {known, name, out.several};
}

Named byName(const Consumers& consumers, const Certificate& peer) {
  Named out;
  for (const std::string& uri : peer.uri_sans) look(consumers, CredentialKind::kUriName, uri, out);
  for (const std::string& dns : peer.dns_sans) look(consumers, CredentialKind::kDnsName, dns, out);
  for (const std::string& email : peer.email_sans) look(consumers, CredentialKind::kEmailName, email, out);
  look(consumers, CredentialKind::kSubject, peer.subject, out);
  return out;
}

}  // namespace

std::shared_ptr<const CertificateOwner> findOwner(const net::TlsInfo& tls, std::shared_ptr<const Consumers> consumers,
                                                  bool accept_unverified_hashes) {
  const auto out = std::make_shared<CertificateOwner>();
  out->consumers = std::move(consumers);
  const auto found = [&out](const KnownConsumer& known, std::string_view subject) {
    out->known = &known;
    out->identity = known.identityOf(std::string(subject), {});
    return out;
  };
  if (!tls.peer_validated && !accept_unverified_hashes) {
    out->refusal = "unverified_certificate";
    return out;
  }
  if (const KnownConsumer* const known = byHash(*out->consumers, tls.peer)) return found(*known, tls.peer.principal());
  if (!tls.peer_validated) {
    out->refusal = "unverified_certificate";
    return out;
  }
  const Named named = byName(*out->consumers, tls.peer);
  if (named.known != nullptr && !named.several) return found(*named.known, named.name);
  out->refusal = named.several ? "ambiguous_certificate" : "unknown_certificate";
  return out;
}

}  // namespace sluice::extensions::http_filters::mtls_auth
