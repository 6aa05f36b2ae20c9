// Rules of who may do what (proto: envoy.config.rbac.v3), compiled: shared by the network and the HTTP filter.
//
// Immutable, used by all workers. Policies are asked in the order of their names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "source/match/string.h"
#include "source/net/address.h"
#include "source/net/cidr.h"
#include "source/net/transport.h"

namespace sluice::filter::rbac {

// Who asks, and for what. Borrowed for one call.
struct Subject {
  const net::Address& remote;         // the client
  const net::Address& direct_remote;  // the socket's peer
  const net::Address& local;          // where the client wanted to go
  std::string_view server_name;
  const net::TlsInfo* tls = nullptr;  // null: plain
};

// One permission or principal.
struct Rule {
  enum class Kind : uint8_t {
    kAny,
    kAll,   // of `rules`
    kSome,  // of `rules`
    kNot,   // the only one of `rules`
    kRemote,
    kDirectRemote,
    kLocal,
    kLocalPort,      // first_port <= port <= last_port
    kServerName,     // by `text`
    kAuthenticated,  // a verified client certificate
    kPrincipal,      // one whose URI name, DNS name or subject `text` matches
  };

  bool matches(const Subject& subject) const;

  Kind kind = Kind::kAny;
  std::vector<Rule> rules;
  std::vector<net::Cidr> range;  // one, for the kinds that compare addresses
  uint32_t first_port = 0, last_port = 0;
  match::StringMatcher text;
};

struct Policy {
  std::string name;
  std::vector<Rule> permissions;  // one has to match
  std::vector<Rule> principals;   // and one of these

  bool matches(const Subject& subject) const;
};

struct Rules {
  bool allow = true;  // what a matching policy means; without one the opposite holds
  std::vector<Policy> policies;

  struct Decision {
    bool allowed;
    const Policy* policy;  // that matched, or null
  };
  Decision decide(const Subject& subject) const;
};

}  // namespace sluice::filter::rbac
