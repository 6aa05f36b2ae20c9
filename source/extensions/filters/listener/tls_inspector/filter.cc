#include "source/extensions/filters/listener/tls_inspector/filter.h"

#include "source/tls/client_hello.h"

namespace sluice::extensions::listener_filters::tls_inspector {
namespace {

constexpr char kHandshakeRecord = 22;  // RFC 8446, 5.1

}  // namespace

filter::ListenerFilter::Result Filter::inspect(std::string_view bytes, filter::Accepted& accepted,
                                               observability::StatsCells& cells) const {
  tls::ClientHello hello;
  switch (tls::sniffClientHello(bytes, hello)) {
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
  return {Verdict::kDone};
}

}  // namespace sluice::extensions::listener_filters::tls_inspector
