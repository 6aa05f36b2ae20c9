#include "source/session/client_cert.h"

#include <string>
#include <string_view>

#include "source/route/route_tree.h"

namespace sluice::session {
namespace {

using http::Name;

void addKey(std::string& element, std::string_view key) {
  if (!element.empty()) element += ';';
  element += key;
  element += '=';
}

// In double quotes, so that no name in a certificate begins a key or an element of its own. A quote that stands
// escaped already (RFC 2253) stays so.
void addQuoted(std::string& element, std::string_view value) {
  element += '"';
  bool escaped = false;
  for (const char c : value) {
    if (c == '"' && !escaped) element += '\\';
    escaped = c == '\\' && !escaped;
    element += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  if (escaped) element += '\\';
  element += '"';
}

void addName(std::string& element, std::string_view key, std::string_view value) {
  addKey(element, key);
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == ',' || c == ';' || c == '"' || c == '=') return addQuoted(element, value);
  }
  element += value;
}

}  // namespace

std::string clientCertElement(const ClientCertSettings& settings, const net::TlsInfo& tls) {
  std::string element;
  for (const std::string& uri : tls.local.uri_sans) addName(element, "By", uri);
  if (!tls.peer.sha256.empty()) addName(element, "Hash", tls.peer.sha256);
  if (settings.cert && !tls.peer.pem.empty()) {
    addKey(element, "Cert");
    addQuoted(element, tls.peer.pem);
  }
  if (settings.chain && !tls.peer.chain_pem.empty()) {
    addKey(element, "Chain");
    addQuoted(element, tls.peer.chain_pem);
  }
  if (settings.subject) {  // named even if it is empty
    addKey(element, "Subject");
    addQuoted(element, tls.peer.subject);
  }
  if (settings.issuer) {
    addKey(element, "Issuer");
    addQuoted(element, tls.peer.issuer);
  }
  if (settings.uri) {
    if (tls.peer.uri_sans.empty()) addKey(element, "URI");
    for (const std::string& uri : tls.peer.uri_sans) addName(element, "URI", uri);
  }
  if (settings.dns) {
    for (const std::string& dns : tls.peer.dns_sans) addName(element, "DNS", dns);
  }
  return element;
}

void applyClientCert(const ClientCertSettings& settings, net::Transport* transport, http::RequestHeaders& headers) {
  using Forward = ForwardClientCert;
  if (settings.forward == Forward::kAlwaysForwardOnly) return;
  const net::TlsInfo* tls =
      settings.forward == Forward::kSanitize || transport == nullptr ? nullptr : transport->tlsInfo();
  if (tls == nullptr || !tls->peer_presented) {
    if (headers.has(Name::kXForwardedClientCert)) headers.remove(Name::kXForwardedClientCert);
    return;
  }
  if (settings.forward == Forward::kForwardOnly) return;
  const std::string element = clientCertElement(settings, *tls);
  const std::optional<std::string_view> before = headers.getAll("x-forwarded-client-cert");
  if (settings.forward == Forward::kAppendForward && before && !before->empty()) {
    headers.set(Name::kXForwardedClientCert, headers.arena().concat(*before, ",", element));
  } else {
    headers.set(Name::kXForwardedClientCert, headers.arena().concat(element));
  }
}

const ClientCertSettings& clientCertFor(const HttpSettings& settings, const http::RequestHeaders& headers,
                                        const stream::StreamInfo& info) {
  if (settings.client_cert_choice == nullptr) return settings.client_cert;
  const ClientCertChoice& choice = *settings.client_cert_choice;
  const match::Result result = route::evaluate(*choice.matcher, headers, &info);
  return result.state == match::Result::State::kMatched ? choice.settings[result.action] : settings.client_cert;
}

}  // namespace sluice::session
