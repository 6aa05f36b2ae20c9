// Turns host names into addresses, asynchronously, over c-ares.
//
// Thread: the loop's, main mostly. A result never arrives inside resolve(), and never after its handle is gone.
// The system's resolv.conf and hosts file are read when the resolver starts and again after a failed lookup, so that a
// changed resolver configuration is noticed; once a second at most.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/dns_lookup_family.h"

namespace sluice::net {

struct DnsResult {
  enum class Status : uint8_t {
    kOk,          // at least one address
    kNoSuchName,  // the DNS says that there is no such name, or that it has no address of this family
    kFailed,      // nothing is known: timeout, refused, server failure, not a host name
  };
  Status status = Status::kFailed;
  std::vector<Address> addresses;  // port 0, sorted, each once
  std::chrono::seconds ttl{0};     // the smallest of the chain, aliases included; 0: unknown (hosts file, literal)
  std::string detail;              // why there is no address
};

// One lookup under way. Destruction cancels it.
class DnsQuery {
 public:
  virtual ~DnsQuery() = default;
};

class DnsResolver {
 public:
  using OnResult = std::function<void(DnsResult)>;

  virtual ~DnsResolver() = default;

  // A literal IP address is its own result, whatever the family, without asking anyone.
  [[nodiscard]] virtual std::unique_ptr<DnsQuery> resolve(std::string_view name, DnsLookupFamily family,
                                                          OnResult on_result) = 0;
};

struct DnsResolverOptions {
  std::vector<Address> servers;             // empty: those of resolv.conf
  std::chrono::milliseconds timeout{2000};  // of the first try; doubles with each further one
  int tries = 3;
  bool use_hosts_file = true;
};

// `loop` outlives the resolver, the resolver its queries.
std::unique_ptr<DnsResolver> makeDnsResolver(event::Loop& loop, DnsResolverOptions options = {});

}  // namespace sluice::net
