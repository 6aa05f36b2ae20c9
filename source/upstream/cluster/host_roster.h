// Who the hosts of a cluster are, by slot and by address, whatever else is known of them. Immutable; sets with the same
// hosts share one.
//
// What a new one costs beside a comparison of each endpoint follows the hosts that came: hosts that stay are found
// where they stood before, and nothing is hashed, sorted or allocated for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "source/upstream/cluster/assignment.h"
#include "source/upstream/cluster/host.h"

namespace sluice::upstream::cluster {

class HostMonitors;

using HostAtAddress = std::pair<size_t, HostSlot>;  // the hash of the address first

struct HostRoster {
  std::vector<HostPtr> by_slot;           // null: the slot is free
  std::vector<HostAtAddress> by_address;  // sorted
  size_t count = 0;

  // Null: there is none.
  const HostPtr* find(const HostIdentity& identity) const;
};
using HostRosterPtr = std::shared_ptr<const HostRoster>;

// Makes the roster of a new set, and gives its endpoints their hosts: those that stay keep Host and slot, others get
// free slots. One use; main.
class RosterBuilder {
 public:
  // `known`: the host of `previous` of each endpoint; null: it is a new one. `previous`: null: there are none.
  // `monitors`: null, or what knows the monitors of hosts that are new.
  RosterBuilder(std::vector<const HostPtr*> known, HostRosterPtr previous, HostMonitors* monitors);

  // Of each endpoint, in the order of `known`.
  HostPtr next(const Endpoint& endpoint);
  // After the last one.
  HostRosterPtr finish();

 private:
  struct IdentityHash {
    size_t operator()(const HostIdentity& identity) const { return identity.hash(); }
  };

  void keep(const Host& host);
  HostPtr add(const Endpoint& endpoint);
  void takeOver(HostRoster& out) const;

  const std::vector<const HostPtr*> known_;
  const HostRosterPtr previous_;
  HostMonitors* const monitors_;
  size_t at_ = 0;               // of known_
  std::vector<uint8_t> taken_;  // by slot of `previous_`: 1: of a host that stays
  size_t end_ = 0;              // behind the last of them
  size_t kept_ = 0;
  size_t next_free_ = 0;
  std::unordered_map<HostIdentity, HostPtr, IdentityHash> added_;
};

}  // namespace sluice::upstream::cluster
