#include "source/extensions/filters/listener/tls_inspector/filter.h"

#include <memory>
#include <string>

#include "source/tls/client_hello.h"
#include "source/tls/fingerprint.h"

namespace sluice::extensions::listener_filters::tls_inspector {
namespace {

constexpr char kHandshakeRecord = 22;  // RFC 8446, 5.1

}  // namespace

filter::ListenerFilter::Result Filter::inspect(std::string_view bytes, filter::Accepted& accepted,
                                               observability::StatsCells& cells) const {
  tls::ClientHello hello;
  const bool fingerprints = settings_.ja3 || settings_.ja4;
  std::string body;
  switch (tls::sniffClientHello(bytes, hello, nullptr, fingerprints ? &body : nullptr)) {
    case tls::SniffResult::kNeedMore:
      if (bytes.size() < settings_.max_client_hello) return {Verdict::kMore};
      cells.add(settings_.client_hello_too_large);
      return {Verdict::kClose};
    case tls::SniffResult::kNotTls:
      cells.add(settings_.tls_not_found);
      return {settings_.close_on_errors && bytes.front() == kHandshakeRecord ? Verdict::kClose : Verdict::kDone};
    case tls::SniffResult::kFound:
      break;
  }
  cells.add(settings_.tls_found);
  cells.add(hello.server_name.empty() ? settings_.sni_not_found : settings_.sni_found);
  cells.add(hello.alpn.empty() ? settings_.alpn_not_found : settings_.alpn_found);
  accepted.transport_protocol = "tls";
  accepted.server_name = std::move(hello.server_name);
  accepted.application_protocols = std::move(hello.alpn);
  if (fingerprints) {
    accepted.fingerprints = std::make_unique<stream::TlsFingerprints>(
        stream::TlsFingerprints{settings_.ja3 ? tls::ja3Of(body) : "", settings_.ja4 ? tls::ja4Of(body) : ""});
  }
  return {Verdict::kDone};
}

}  // namespace sluice::extensions::listener_filters::tls_inspector
