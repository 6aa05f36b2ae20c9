// Counters of a TLS context, under "listener.ADDR.ssl." or "cluster.NAME.ssl.". Made on main, counted by workers in the
// cells that net::WorkerBuffers names.
#pragma once

#include "source/observability/stats.h"

namespace sluice::tls {

struct TlsStats {
  TlsStats() = default;  // counts nothing
  explicit TlsStats(observability::Scope& scope);

  observability::Counter handshake;                   // completed
  observability::Counter session_reused;              // of these
  observability::Counter no_certificate;              // of these: the peer showed none
  observability::Counter connection_error;            // broken by anything but certificates
  observability::Counter fail_verify_no_cert;         // a required client certificate was not sent
  observability::Counter fail_verify_error;           // the authority or the dates refuse the peer
  observability::Counter fail_verify_san;             // no name of the peer's matches
  observability::Counter fail_verify_cert_hash;       // no hash of the peer's matches
  observability::Counter ocsp_staple_responses;       // sent
  observability::Counter ocsp_staple_omitted;         // asked for and not there, or expired
  observability::Counter ocsp_staple_requests;        // asked for
  observability::Counter ocsp_staple_failed;          // handshakes refused for want of a staple
  observability::Counter tls10, tls11, tls12, tls13;  // ssl.versions.TLSv1.x
  observability::StatsHold hold;                      // for contexts, which may outlive the scope
};

}  // namespace sluice::tls
