#include "source/extensions/filters/http/oauth2_server/clients.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "source/base/base64_url.h"
#include "source/base/percent.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

constexpr std::string_view kLoopback[] = {"http://127.0.0.1", "http://[::1]"};

// What stands behind the host of a loopback address, without its port; nullopt: it is none, or has no port that could
// be one.
std::optional<std::string_view> behindPort(std::string_view uri, std::string_view host) {
  if (!uri.starts_with(host)) return std::nullopt;
  uri.remove_prefix(host.size());
  if (uri.starts_with(':')) {
    uri.remove_prefix(1);
    const size_t digits = std::min(uri.find_first_not_of("0123456789"), uri.size());
    if (digits == 0 || digits > 5) return std::nullopt;
    uri.remove_prefix(digits);
  }
  if (!uri.empty() && uri[0] != '/' && uri[0] != '?') return std::nullopt;
  return uri;
}

bool isUriText(char c) {
  return c > 0x20 && c < 0x7f && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
}

}  // namespace

bool Client::hasSecret(std::string_view secret, WallTime now) const {
  const Digest shown = filter::digestOf(secret);
  bool out = false;
  for (const ClientSecret& one : secrets) {
    const bool same = filter::sameDigest(one.digest, shown);
    out |= same && (!one.expires || now < *one.expires);
  }
  return out;
}

bool Client::hasCertificate(const net::TlsInfo* tls) const {
  if (tls == nullptr || !tls->peer_presented || !certificate) return false;
  const net::TlsInfo::Certificate& peer = tls->peer;
  const std::string& name = certificate->name;
  if (certificate->kind == CertificateName::Kind::kSha256) return peer.sha256 == name;
  if (!tls->peer_validated) return false;
  const auto holds = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  switch (certificate->kind) {
    case CertificateName::Kind::kSubject:
      return peer.subject == name;
    case CertificateName::Kind::kDns:
      return holds(peer.dns_sans);
    case CertificateName::Kind::kUri:
      return holds(peer.uri_sans);
    case CertificateName::Kind::kIp:
      return holds(peer.ip_sans);
    case CertificateName::Kind::kEmail:
      return holds(peer.email_sans);
    case CertificateName::Kind::kSha256:
      break;
  }
  return false;
}

bool Client::mayReturnTo(std::string_view redirect_uri) const {
  return std::any_of(redirect_uris.begin(), redirect_uris.end(), [&](const std::string& known) {
    if (known == redirect_uri) return true;
    if (!isPublic()) return false;
    return std::any_of(std::begin(kLoopback), std::end(kLoopback), [&](std::string_view host) {
      const auto rest = behindPort(known, host);
      return rest && behindPort(redirect_uri, host) == rest;
    });
  });
}

bool Clients::add(Client client) {
  if (by_id_.contains(client.id)) return false;
  const Client& added = clients_.emplace_back(std::move(client));
  by_id_.emplace(added.id, &added);
  return true;
}

const Client* Clients::find(std::string_view id) const {
  const auto found = by_id_.find(base::toAbsl(id));
  return found == by_id_.end() ? nullptr : found->second;
}

std::string_view redirectProblem(std::string_view uri, bool is_public) {
  if (!std::all_of(uri.begin(), uri.end(), isUriText)) return "holds what no URI does";
  if (uri.find('#') != std::string_view::npos) return "has a fragment; remove it";
  const size_t colon = uri.find(':');
  const std::string_view scheme = uri.substr(0, colon == std::string_view::npos ? 0 : colon);
  const bool is_name = !scheme.empty() && absl::ascii_islower(static_cast<unsigned char>(scheme[0])) &&
                       scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") == std::string_view::npos;
  if (!is_name) return "is not absolute; write all of it, with its scheme in lower case";
  const std::string_view rest = uri.substr(colon + 1);
  if (scheme == "https" || scheme == "http") {
    if (!rest.starts_with("//")) return "has no host";
    const std::string_view authority = rest.substr(2, std::min(rest.find_first_of("/?", 2), rest.size()) - 2);
    if (authority.empty()) return "has no host";
    if (authority.find('@') != std::string_view::npos) return "has a user in it; remove it";
    if (scheme == "https") return {};
    const std::string_view host = authority.starts_with('[') ? authority.substr(0, authority.find(']') + 1)
                                                             : authority.substr(0, authority.find(':'));
    if (host == "127.0.0.1" || host == "[::1]" || host == "localhost") return {};
    return "is sent in the clear; use https, or http to a loopback address";
  }
  if (scheme.find('.') == std::string_view::npos) {
    return "has a scheme that may be anybody's; use https, or a domain of your own turned around (com.example.app)";
  }
  return is_public ? "" : "has a scheme of an app, which cannot keep a secret; use https, or remove the secret";
}

std::string boundTo(const net::TlsInfo* tls) {
  if (tls == nullptr || !tls->peer_presented) return {};
  std::string bytes;
  const std::string& hex = tls->peer.sha256;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(base::hexValue(hex[i]) << 4 | base::hexValue(hex[i + 1]));
  }
  return base::toBase64Url(bytes);
}

}  // namespace sluice::extensions::http_filters::oauth2_server
