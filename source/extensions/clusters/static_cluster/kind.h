// STATIC: the endpoints stand in the configuration.
#pragma once

#include <memory>
#include <utility>

#include "source/upstream/cluster/host_source.h"

namespace sluice::extensions::clusters::static_cluster {

class Kind final : public upstream::cluster::ClusterKind {
 public:
  explicit Kind(upstream::cluster::Assignment endpoints)
      : endpoints_(std::make_shared<const upstream::cluster::Assignment>(std::move(endpoints))) {}

  std::unique_ptr<upstream::cluster::HostSource> makeSource(
      const upstream::cluster::HostSource::World&, upstream::cluster::HostSource::Owner,
      upstream::cluster::HostSource::Receiver& receiver) const override {
    return std::make_unique<upstream::cluster::FixedHosts>(endpoints_, receiver);
  }
  const upstream::cluster::Assignment& endpoints() const { return *endpoints_; }

 private:
  const upstream::cluster::AssignmentPtr endpoints_;
};

}  // namespace sluice::extensions::clusters::static_cluster
