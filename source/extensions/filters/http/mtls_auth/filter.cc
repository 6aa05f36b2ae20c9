#include "source/extensions/filters/http/mtls_auth/filter.h"

#include <memory>

#include "source/extensions/filters/http/mtls_auth/certificate_owner.h"
#include "source/filter/context.h"

namespace sluice::extensions::http_filters::mtls_auth {
namespace {

// Looked for once a connection, and again when there are other consumers.
const CertificateOwner& ownerOf(const net::TlsInfo& tls, const std::shared_ptr<const filter::Consumers>& consumers,
                                const Settings& settings) {
  const auto* const kept = dynamic_cast<const CertificateOwner*>(tls.finding.get());
  if (kept != nullptr && kept->consumers == consumers) return *kept;
  auto owner = findOwner(tls, consumers, settings.accept_unverified_hashes);
  const CertificateOwner& found = *owner;
  tls.finding = std::move(owner);
  return found;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const filter::ConsumerGate& gate = settings_.gate;
  const net::TlsInfo* const tls = context.info().downstreamTls();
  if (tls == nullptr || !tls->peer_presented) return gate.admitAnonymous("missing_certificate", headers, context);
  const CertificateOwner& owner = ownerOf(*tls, gate.consumers(context), settings_);
  if (owner.known == nullptr) return gate.unauthorized(owner.refusal, context);
  return gate.admit(*owner.known, owner.identity, headers, context);
}

}  // namespace sluice::extensions::http_filters::mtls_auth
