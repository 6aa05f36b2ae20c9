// Where the hosts of a cluster come from.
//
//   ClusterKind  part of the cluster's configuration: STATIC, EDS, one of an extension; immutable
//   HostSource   of one generation of a cluster, on main: it watches whatever there is to watch and gives endpoints
//
// A kind whose hosts come from those who ask (ORIGINAL_DST) has a load-balancing policy of its own, whose pickers make
// them on the workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "source/event/loop.h"
#include "source/upstream/cluster/assignment.h"
#include "source/upstream/cluster/host_set.h"
#include "source/upstream/lb/policy.h"

namespace sluice::dns_cache {
class DnsCache;
}
namespace sluice::net {
class DnsResolver;
}

namespace sluice::upstream::cluster {

using AssignmentPtr = std::shared_ptr<const Assignment>;

// Endpoints by name, as a control plane or a file gives them. Implemented by the server. Thread: main.
class Endpoints {
 public:
  // Told whenever the endpoints change or come again, but not inside watch().
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void onEndpoints(AssignmentPtr endpoints) = 0;
    // None will come for now.
    virtual void onNoEndpoints() = 0;
  };
  // Interest, until it is destroyed.
  class Watch {
   public:
    virtual ~Watch() = default;
    // Null: they did not come yet.
    virtual AssignmentPtr known() const = 0;
    // None have come, and none will for now.
    virtual bool givenUp() const = 0;
  };

  virtual ~Endpoints() = default;
  // `source`: the bytes of the message that says where they come from. (proto: envoy.config.core.v3.ConfigSource)
  // `cluster`: for whom, in stats. `watcher` outlives the watch.
  virtual std::unique_ptr<Watch> watch(std::string_view cluster, const std::string& source, const std::string& name,
                                       Watcher& watcher) = 0;
};

class HostSource {
 public:
  // Its owner. A call may destroy the source.
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // The endpoints of now, with addresses. The cluster is warm from the first on.
    virtual void onEndpoints(AssignmentPtr endpoints) = 0;
    // None can be had for now: a cluster that waits for the first of them goes on with the hosts that it has. `why`:
    // for the log, behind the cluster's name.
    virtual void onNoEndpoints(std::string_view why) = 0;
  };
  // What sources work with. All of it outlives them.
  struct World {
    event::Loop& loop;
    net::DnsResolver& resolver;
    Endpoints& endpoints;
  };
  // For whom.
  struct Owner {
    std::string_view cluster;  // its name; lives as long as the kind
    uint64_t seed = 0;
    HostSetPtr previous;  // hosts of the cluster before its configuration changed; null: it is new
  };
  // Counts since the start, of a source that asks again and again. (stats: cluster.NAME.update_*)
  struct Updates {
    uint64_t attempts = 0;
    uint64_t successes = 0;
    uint64_t failures = 0;
    uint64_t empty = 0;       // there is nothing by that name
    uint64_t no_rebuild = 0;  // answered, but nothing changed
  };

  // What a cluster waits for, if start() did not bring it.
  struct Wait {
    std::string what;                       // as the log and the admin pages say it: "endpoints 'web'"
    std::chrono::milliseconds deadline{0};  // after it the cluster goes on with the hosts that it has; 0: there is none
  };

  virtual ~HostSource() = default;
  // Called once. The receiver may be told inside the call.
  virtual void start() = 0;
  virtual Wait wait() const { return {"hosts"}; }
  // The cluster serves with the hosts that it has, and needs no news; until resume().
  virtual void suspend() {}
  virtual void resume() {}
  // Null: it does not ask.
  virtual const Updates* updates() const { return nullptr; }
};

class ClusterKind {
 public:
  virtual ~ClusterKind() = default;

  // Main. `receiver` outlives the source. Unless a kind says otherwise main has no endpoints for it.
  virtual std::unique_ptr<HostSource> makeSource(const HostSource::World& world, HostSource::Owner owner,
                                                 HostSource::Receiver& receiver) const;
  // The policy that goes with it (proto: Cluster.LbPolicy CLUSTER_PROVIDED); null: any does.
  virtual std::shared_ptr<const lb::LbPolicy> policy() const { return nullptr; }
  // The clusters that one without hosts of its own stands for, the preferred first; empty: it has hosts.
  virtual std::span<const uint32_t> members() const { return {}; }
  // Where the hosts are found that requests name; null: they are not named. A filter in front asks it, and whoever
  // picks a host brings the answer (LbContext::resolvedHost).
  virtual const dns_cache::DnsCache* dnsCache() const { return nullptr; }
  // Hosts that are named have to show by TLS that they are those.
  virtual bool verifiesNames() const { return false; }
  // Its hosts have the slots of a Redis Cluster: whoever picks one says which (LbContext::redis).
  virtual bool hasSlots() const { return false; }
  // A command to one of them was answered with a redirection, or not at all. Any thread.
  virtual void noteRedirection() const {}
  virtual void noteFailure() const {}
  // A host is one address of many that stand for the same: it leaves when another one does, whatever checks find.
  virtual bool hostsStandForOne() const { return false; }
  // Its endpoints come by a subscription, which may need other clusters first.
  virtual bool subscribes() const { return false; }
  // By which they are subscribed to. (admin: eds_service_name)
  virtual std::string_view serviceName() const { return {}; }
};

// The endpoints are known and never change.
class FixedHosts final : public HostSource {
 public:
  FixedHosts(AssignmentPtr endpoints, Receiver& receiver) : endpoints_(std::move(endpoints)), receiver_(receiver) {}
  void start() override { receiver_.onEndpoints(endpoints_); }

 private:
  const AssignmentPtr endpoints_;
  Receiver& receiver_;
};

inline std::unique_ptr<HostSource> ClusterKind::makeSource(const HostSource::World&, HostSource::Owner,
                                                           HostSource::Receiver& receiver) const {
  return std::make_unique<FixedHosts>(std::make_shared<const Assignment>(), receiver);
}

}  // namespace sluice::upstream::cluster
