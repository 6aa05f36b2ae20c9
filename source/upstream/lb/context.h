// On whose behalf a host is chosen: what a policy may look at. Everything may be missing.
//
// A caller makes one on the stack for each choice. What costs something to find out is a function, which only a policy
// that needs it calls; the others are members. Thread: the worker's; nothing of it outlives the call.
#pragma once

#include <cstdint>
#include <optional>

#include "source/base/priority_set.h"
#include "source/http/headers.h"
#include "source/net/address.h"
#include "source/redis/key_slot.h"
#include "source/stream/metadata.h"
#include "source/stream/metadata_criteria.h"
#include "source/upstream/cluster/host.h"

namespace sluice::dns_cache {
struct ResolvedHost;
}

namespace sluice::upstream::lb {

// Where the client's connection was going to.
struct Destination {
  net::Address address;     // none: it is no IP address, or there is no connection
  bool redirected = false;  // `address` is not where the connection was accepted
};

// A host that is to be taken whatever the policy would say, if it may get requests.
struct OverrideHost {
  net::Address address;
  bool strict = false;  // no other host will do
};

class LbContext {
 public:
  virtual ~LbContext() = default;

  // Equal for what shall go to the same host. Not set: nothing says so.
  virtual std::optional<uint64_t> hash() const { return std::nullopt; }
  virtual Destination destination() const { return {}; }
  // What the host's metadata shall be; null: nothing says so.
  virtual const stream::MetadataCriteria* metadataCriteria() const { return nullptr; }
  // What filters left; null: nothing.
  virtual const stream::DynamicMetadata* dynamicMetadata() const { return nullptr; }
  // The host by its name, as a filter has found it; null: none has looked.
  virtual const dns_cache::ResolvedHost* resolvedHost() const { return nullptr; }

  const http::RequestHeaders* headers = nullptr;  // null: there is no request
  const OverrideHost* override_host = nullptr;
  const redis::Target* redis = nullptr;  // of a command; null: it is none
  // How many attempts of the request were made before.
  uint32_t attempts = 0;
  // While the policy gives a host that is refused it is asked again, at most `repicks` times; then its last choice
  // holds. 0: nothing is refused.
  uint32_t repicks = 0;
  virtual bool refuses(const cluster::Host&) const { return false; }
  // Priorities whose hosts are passed over while another one has a host. Null: none.
  const base::PrioritySet* passed_over = nullptr;
  // How often the policy was asked before in this choice.
  mutable uint32_t repicked = 0;
  // The choice fell to hosts in panic: it was among all of them, healthy or not, or was for none (host_set.h).
  mutable bool panicked = false;
};

}  // namespace sluice::upstream::lb
