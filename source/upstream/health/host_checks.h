// The checks of one host by all health_checks of its cluster. Each has its own times and thresholds; the host is as
// well as the worst of them says, and known once each has had its first result. Thread: main.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "source/upstream/health/host_check.h"

namespace sluice::upstream::health {

class HostChecks {
 public:
  // The first check of each is on the way when this returns. `owner` outlives it.
  HostChecks(cluster::HostPtr host, const cluster::EndpointCheck& endpoint, CheckOwner& owner);
  HostChecks(const HostChecks&) = delete;
  HostChecks& operator=(const HostChecks&) = delete;

  const cluster::HostPtr& host() const { return host_; }
  const cluster::EndpointCheck& endpoint() const { return endpoint_; }
  // One of them had no result yet.
  bool pending() const;
  // The worst, and the reasons of all that have one.
  cluster::Health health() const;
  std::string reason() const;
  // The host asked for it in an answer to a request: each of them has to let it in again.
  void failNow();
  // The owner has another configuration. Checks go on by their place in it; those beyond its end say nothing any more,
  // further ones nothing before their first result. True if there are more or fewer: the host's health may be another.
  bool configChanged();

 private:
  void add(cluster::Health known);
  void onOutcome(const HostCheck::Outcome& outcome);

  const cluster::HostPtr host_;
  const cluster::EndpointCheck endpoint_;
  CheckOwner& owner_;
  std::vector<std::unique_ptr<HostCheck>> checks_;  // in the order of the configuration; never none
};

}  // namespace sluice::upstream::health
