// Finds which hosts of a set the endpoints of another assignment stand for. Quick for endpoints that come in the order
// of the set, with some left out or put in between: each costs a comparison; one that stood elsewhere is found by its
// address. Thread: main.
#pragma once

#include <cstddef>
#include <vector>

#include "source/upstream/cluster/host_set.h"

namespace sluice::upstream::cluster {

class HostMatcher {
 public:
  // `hosts` outlives it, and what it finds.
  explicit HostMatcher(const HostSet& hosts) : hosts_(hosts) {}

  // An endpoint with an address. Null: it stands for no host of the set.
  const HostPtr* find(const Endpoint& endpoint);

 private:
  // So far ahead the order is looked for again behind an endpoint that stood elsewhere.
  static constexpr size_t kAhead = 64;

  const HostPtr* taken(size_t entry);

  const HostSet& hosts_;
  size_t next_ = 0;    // of the entries: where the next endpoint is expected
  size_t missed_ = 0;  // endpoints in a row that stood for no host
};

// Of each endpoint with an address, in the order of the assignment.
std::vector<const HostPtr*> hostsOf(const Assignment& assignment, const HostSet* hosts);

}  // namespace sluice::upstream::cluster
