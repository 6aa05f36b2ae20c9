// Rules of who may do what (proto: envoy.config.rbac.v3), compiled: shared by the network and the HTTP filter.
//
// Immutable, used by all workers. Policies are asked in the order of their names. Asking allocates nothing, but for
// what conditions make that are more than small ones (match/cel).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "source/match/cel/program.h"
#include "source/match/header.h"
#include "source/match/input.h"
#include "source/match/metadata.h"
#include "source/match/string.h"
#include "source/net/cidr.h"
#include "source/net/transport.h"

namespace sluice::filter::rbac {

// Who asks, and for what. Borrowed for one call. What the place does not have is null or empty: rules that ask for it
// are refused when they are compiled.
struct Subject {
  match::Data data;
  std::string_view path;              // of the request, without query, as routes see it
  std::string_view upstream = {};     // the host of the attempt, with port; empty: not chosen yet
  const net::TlsInfo* tls = nullptr;  // where there is no data.info, which knows it otherwise; null: plain

  // Null: plain. A name counts only if peer_validated.
  const net::TlsInfo* client() const;
};

// Ports of the destination: first <= port <= last.
struct Ports {
  uint32_t first = 0, last = 0;
};

// A name of a verified client certificate, by its type.
struct AlternativeName {
  std::vector<std::string> net::TlsInfo::Certificate::*type = &net::TlsInfo::Certificate::uri_sans;
  std::string oid = {};  // of other_sans: which of them
  match::StringMatcher text;
};

// Where the request is going: the host of the attempt, or before that what a filter has kept of it in the filter state
// kUpstreamAddress.
struct UpstreamAddress {
  std::optional<net::Cidr> range;  // nullopt: any
  std::optional<Ports> ports;      // the same
};
inline constexpr std::string_view kUpstreamAddress = "envoy.stream.upstream_address";

// One permission or principal.
struct Rule {
  enum class Kind : uint8_t {
    kAny,
    kAll,            // of `rules`
    kSome,           // of `rules`
    kNot,            // the only one of `rules`
    kRemote,         // Cidr
    kDirectRemote,   // Cidr
    kSource,         // Cidr: of the connection's client, whatever x-forwarded-for says
    kLocal,          // Cidr
    kLocalPort,      // Ports
    kServerName,     // StringMatcher
    kPath,           // StringMatcher
    kHeader,         // HeaderMatcher
    kMetadata,       // MetadataMatcher: what filters left
    kRouteMetadata,  // MetadataMatcher: what the configuration says of the route
    kFilterState,    // FilterStateMatcher
    kAuthenticated,  // a verified client certificate
    kPrincipal,      // StringMatcher: one whose URI name, DNS name or subject matches
    kName,           // AlternativeName
    kUpstream,       // UpstreamAddress
  };

  bool matches(const Subject& subject) const;

  Kind kind = Kind::kAny;
  std::vector<Rule> rules;
  // What the kind says.
  std::variant<std::monostate, net::Cidr, Ports, match::StringMatcher, match::HeaderMatcher, match::MetadataMatcher,
               match::FilterStateMatcher, AlternativeName, UpstreamAddress>
      what;
};

// What comes of asking a policy. kUnknown: its condition could not be evaluated, as one of an absent value cannot.
enum class Verdict : uint8_t { kNo, kYes, kUnknown };

struct Policy {
  std::string name;
  std::vector<Rule> permissions;                 // one has to match
  std::vector<Rule> principals;                  // and one of these
  match::cel::Program::Ptr condition = nullptr;  // and this has to hold, if there is one; needs data.info

  Verdict judge(const Subject& subject) const;
  bool matches(const Subject& subject) const { return judge(subject) == Verdict::kYes; }
};

enum class Action : uint8_t { kAllow, kDeny, kLog };

struct Audit;

struct Rules {
  Action action = Action::kAllow;                // what a matching policy means
  std::vector<Policy> policies;                  // by name
  uint8_t needs = 0;                             // bits of match::Part: what they look at
  std::shared_ptr<const Audit> audit = nullptr;  // null: nobody is told

  // The place of the first policy that matches; the number of them if none does.
  size_t find(const Subject& subject) const;
};

}  // namespace sluice::filter::rbac
