// Ties what a compiled configuration uses of the process by number to the configuration's life.
//
//   Holding holding(services);                       // from here on
//   ... holding.stats().counter(...), services.cluster_names.idOf(...), factory.compile(message, holding.context(at))
//   ... return holding.tie(std::move(settings));
//
// A stat stays in the registry, and a removed cluster in service, until the last of those that were tied is gone:
// whatever workers, connections and streams hold. Thread: main; what was tied may go on any.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "source/config/services.h"

namespace sluice::config {

class Holding {
 public:
  // `init`: as in FactoryContext.
  explicit Holding(Services& services, InitTargets* init = nullptr)
      : services_(services), init_(init), stats_(newScope()), clusters_(services.cluster_names) {}
  // Of what a factory makes of parts.
  explicit Holding(const FactoryContext& context) : Holding(context.services, context.init) {}

  // For a factory whose product will be tied here.
  FactoryContext context(Context at, std::string owner = {}, std::string identity = {}) const {
    return {services_, std::move(at), stats_, std::move(owner), std::move(identity), init_};
  }
  observability::Scope& stats() const { return *stats_; }

  // `object`, which from now on holds what was asked for since the last time. Null stays null.
  template <typename T>
  std::shared_ptr<T> tie(std::shared_ptr<T> object) {
    struct Tied {
      observability::StatsScope stats;
      route::ClusterNames::Use clusters;
      std::shared_ptr<T> object;  // goes first
    };
    if (!object) return object;
    auto tied = std::make_shared<Tied>(Tied{std::exchange(stats_, newScope()), clusters_.take(), std::move(object)});
    return {tied, tied->object.get()};
  }
  // Clusters that were named so far.
  std::vector<route::ClusterId> clusters() const { return clusters_.seen(); }
  std::shared_ptr<const void> take() { return tie(std::shared_ptr<const void>(std::make_shared<const char>())); }

 private:
  observability::StatsScope newScope() const { return std::make_shared<observability::Scope>(services_.stats.root()); }

  Services& services_;
  InitTargets* const init_;
  observability::StatsScope stats_;
  route::ClusterNames::Recording clusters_;
};

}  // namespace sluice::config
