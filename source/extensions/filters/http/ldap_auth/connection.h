// One connection to a directory server, by libldap. Thread: any, one at a time; calls wait for the server, each for a
// time of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/timer.h"
#include "source/extensions/filters/http/ldap_auth/dial.h"

struct ldap;
struct ldapmsg;

namespace sluice::extensions::http_filters::ldap_auth {

// A socket, and until when whoever reads or writes there waits.
struct Wire {
  int fd;
  event::TimePoint deadline;
};

struct Server {
  std::string host;  // without brackets
  uint16_t port;
  bool tls_first;    // ldaps
  std::string text;  // "host:port", for logs; brackets around IPv6
};

struct TlsOptions {
  bool start = false;   // StartTLS, where TLS does not come first. (RFC 4511 section 4.14)
  std::string ca_file;  // PEM; read at each connection
  bool verify = true;   // the certificate, and that it is for the host
};

struct Timeouts {
  std::chrono::milliseconds connect;    // with TLS
  std::chrono::milliseconds operation;  // from a request to its whole answer
};

// What a server said of an operation.
struct Result {
  enum class Kind : uint8_t {
    kSuccess,
    kRefused,  // name or password are wrong, or of no use. (of a bind)
    kError,
    kDown,  // it does not answer, or says that it cannot for now: the connection is of no use any more
  };
  Kind kind = Kind::kSuccess;
  std::string text = {};  // for logs

  bool ok() const { return kind == Kind::kSuccess; }
};

struct Entry {
  using Values = std::vector<std::string>;

  // Null: it has none. By its name in any case, without options.
  const Values* find(std::string_view attribute) const;

  std::string dn;
  std::vector<std::pair<std::string, Values>> attributes;
};

struct SearchResult {
  Result result;
  std::vector<Entry> entries;
  bool has_more = false;  // than max_entries
};

struct Search {
  enum class Scope : uint8_t { kBase, kOneLevel, kSubtree };
  std::string base;
  Scope scope;
  std::string filter;                   // (RFC 4515)
  std::vector<std::string> attributes;  // not empty names; none: none of them
  size_t max_entries;
};

class Connection {
 public:
  // An error is kDown's, without the server's name.
  static absl::StatusOr<std::unique_ptr<Connection>> open(const Server& server, const TlsOptions& tls,
                                                          const Timeouts& timeouts, OpenSockets& sockets);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Neither is empty: a bind without one of them is let in as nobody's. (RFC 4513 section 5.1)
  Result bind(const std::string& dn, std::string_view password);
  SearchResult search(const Search& search);

 private:
  Connection(int fd, event::TimePoint deadline, std::chrono::milliseconds timeout, OpenSockets& sockets)
      : wire_{fd, deadline}, timeout_(timeout), sockets_(sockets) {}

  absl::Status begin(const Server& server, const TlsOptions& tls);
  absl::Status beginTls(const TlsOptions& tls, bool start);
  absl::Status checkTlsVersion() const;
  // The answer to a request: a chain of its messages, or the next of them. Null, and why, after an error.
  ldapmsg* await(int id, bool whole, Result& result) const;
  Result read(ldapmsg* message) const;
  Entry readEntry(ldapmsg* message) const;

  Wire wire_;
  const std::chrono::milliseconds timeout_;
  OpenSockets& sockets_;
  ldap* handle_ = nullptr;
};

// Whether it is a DN; of one that is "": no.
bool isDn(const std::string& text);
// The name of a group by its DN: where `base` is empty that DN, else the value that names it right below `base`.
// nullopt: it is no group of these.
std::optional<std::string> groupName(const std::string& dn, const std::string& base);

}  // namespace sluice::extensions::http_filters::ldap_auth
