#include "source/tls/failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "absl/strings/str_cat.h"

namespace sluice::tls {
namespace {

const char* orNothing(const char* text) {
  return text == nullptr ? "unknown" : text;
}

std::string textOf(uint32_t error) {
  return absl::StrCat(error, ":", orNothing(ERR_lib_error_string(error)),
                      ":OPENSSL_internal:", orNothing(ERR_reason_error_string(error)));
}

// The reasons that operators meet. Null: the library's word is all there is.
const char* inWords(uint32_t error) {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return nullptr;
  switch (ERR_GET_REASON(error)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNEXPECTED_RECORD:
      return "the peer does not speak TLS here, or a version of it that was not agreed on";
    case SSL_R_HTTP_REQUEST:
      return "the peer speaks plain HTTP on a TLS port";
    case SSL_R_HTTPS_PROXY_REQUEST:
      return "the peer sent a plain CONNECT request on a TLS port";
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "the two sides have no TLS version in common";
    case SSL_R_NO_SHARED_CIPHER:
      return "the two sides have no cipher suite in common, or no certificate fits the client's algorithms";
    case SSL_R_NO_SHARED_GROUP:
      return "the two sides have no curve in common";
    case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS:
      return "no certificate fits the signature algorithms of the peer";
    case SSL_R_NO_CERTIFICATE_SET:
      return "no certificate can be used for this client";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "the client sent no certificate and one is required";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return "the peer's certificate was refused";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the peer does not know the authority that signed our certificate";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return "the peer refused our certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "the peer finds our certificate expired";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "the peer finds our certificate revoked";
    case SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED:
      return "the peer requires a client certificate";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the peer supports none of our TLS versions";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the peer found no cipher suite, curve or certificate that it can use";
    case SSL_R_TLSV1_ALERT_UNRECOGNIZED_NAME:
      return "the peer does not serve this server name";
    case SSL_R_NO_RENEGOTIATION:
      return "the peer asked for renegotiation, which is not allowed";
    default:
      return nullptr;
  }
}

}  // namespace

std::string errorQueueText() {
  std::string out;
  while (const uint32_t error = ERR_get_error()) absl::StrAppend(&out, out.empty() ? "" : "|", textOf(error));
  return out;
}

Failure takeFailure() {
  Failure failure;
  const char* words = nullptr;
  while (const uint32_t error = ERR_get_error()) {
    absl::StrAppend(&failure.text, failure.text.empty() ? "TLS_error:|" : "|", textOf(error));
    if (words == nullptr) words = inWords(error);
    if (ERR_GET_LIB(error) != ERR_LIB_SSL) continue;
    failure.no_peer_certificate |= ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
    failure.verification |= ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  }
  if (words != nullptr) absl::StrAppend(&failure.text, " (", words, ")");
  return failure;
}

}  // namespace sluice::tls
