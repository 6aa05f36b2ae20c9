// The clients of a token server: who they are, how they show it, and what they may have.
// Thread: made on main, then immutable.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/extensions/filters/http/oauth2_server/grants.h"
#include "source/net/transport.h"
#include "source/worker/exchanged.h"

namespace sluice::extensions::http_filters::oauth2_server {

struct ClientSecret {
  Digest digest;
  std::optional<WallTime> expires;
};

// A name that certificates of the client have.
struct CertificateName {
  enum class Kind : unsigned char { kSubject, kDns, kUri, kIp, kEmail, kSha256 };
  Kind kind;
  std::string name;  // of kSha256 in lower case
};

struct Client {
  std::string id;
  std::vector<ClientSecret> secrets;
  std::optional<CertificateName> certificate;
  std::vector<std::string> redirect_uris;
  bool uses_codes = false, refreshes = false, acts_itself = false;  // grant_types
  Grant most;                                                       // all its scopes and audiences; no subject
  std::vector<std::string> introspects;
  std::chrono::seconds access_lifetime{300}, refresh_lifetime{30 * 86'400};
  bool bound = false;  // its tokens are, to the certificate of its connection

  bool isPublic() const { return secrets.empty() && !certificate; }
  // One of its secrets that counts at that time; in time that tells nothing.
  bool hasSecret(std::string_view secret, WallTime now) const;
  bool hasCertificate(const net::TlsInfo* tls) const;
  // Byte for byte, but for the port of a loopback address of a public client. (RFC 8252 section 7.3)
  bool mayReturnTo(std::string_view redirect_uri) const;
};

class Clients {
 public:
  Clients() = default;
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  // False: there is one of that id.
  bool add(Client client);
  // Null: there is none.
  const Client* find(std::string_view id) const;
  bool empty() const { return clients_.empty(); }
  const std::deque<Client>& all() const { return clients_; }

 private:
  std::deque<Client> clients_;
  absl::flat_hash_map<std::string, const Client*> by_id_;
};

// Clients that main may exchange.
struct ClientSource {
  explicit ClientSource(const worker::LocalSlots& slots) : clients(slots) {}

  worker::Exchanged<Clients> clients;
  std::shared_ptr<const void> watch;  // null: they are read once
};

// Why users may not be sent back to `uri`; empty: they may. Static text.
std::string_view redirectProblem(std::string_view uri, bool is_public);

// x5t#S256 of the certificate of a connection (RFC 8705 section 3.1); empty: it has none.
std::string boundTo(const net::TlsInfo* tls);

}  // namespace sluice::extensions::http_filters::oauth2_server
