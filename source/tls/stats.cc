#include "source/tls/stats.h"

namespace sluice::tls {

TlsStats::TlsStats(observability::Scope& scope)
    : handshake(scope.counter("ssl.handshake")),
      session_reused(scope.counter("ssl.session_reused")),
      no_certificate(scope.counter("ssl.no_certificate")),
      connection_error(scope.counter("ssl.connection_error")),
      fail_verify_no_cert(scope.counter("ssl.fail_verify_no_cert")),
      fail_verify_error(scope.counter("ssl.fail_verify_error")),
      fail_verify_san(scope.counter("ssl.fail_verify_san")),
      fail_verify_cert_hash(scope.counter("ssl.fail_verify_cert_hash")),
      ocsp_staple_responses(scope.counter("ssl.ocsp_staple_responses")),
      ocsp_staple_omitted(scope.counter("ssl.ocsp_staple_omitted")),
      ocsp_staple_requests(scope.counter("ssl.ocsp_staple_requests")),
      ocsp_staple_failed(scope.counter("ssl.ocsp_staple_failed")),
      tls10(scope.counter("ssl.versions.TLSv1")),
      tls11(scope.counter("ssl.versions.TLSv1.1")),
      tls12(scope.counter("ssl.versions.TLSv1.2")),
      tls13(scope.counter("ssl.versions.TLSv1.3")) {}

}  // namespace sluice::tls
