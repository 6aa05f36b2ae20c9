// x-forwarded-client-cert: what the upstream is told of the client's certificate, and whether what the client says of
// others' is passed on. (proto: HttpConnectionManager.forward_client_cert_details, set_current_client_cert_details)
#pragma once

#include "source/http/headers.h"
#include "source/net/transport.h"
#include "source/session/http_settings.h"

namespace sluice::session {

// `transport`: of the connection; null: plain.
void applyClientCert(const ClientCertSettings& settings, net::Transport* transport, http::RequestHeaders& headers);

// Those for a request as it came.
const ClientCertSettings& clientCertFor(const HttpSettings& settings, const http::RequestHeaders& headers,
                                        const stream::StreamInfo& info);

// The element that tells of a connection whose client showed a certificate: By, Hash, and what `settings` names.
std::string clientCertElement(const ClientCertSettings& settings, const net::TlsInfo& tls);

}  // namespace sluice::session
