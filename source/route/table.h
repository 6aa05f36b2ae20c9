// The compiled route table: from a request to its route (proto: RouteConfiguration).
//
// Built on the main thread (or by a control plane), immutable, shared by all workers. Everything that a Match points to
// lives as long as the table: whoever keeps a Match keeps the table.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "source/http/headers.h"
#include "source/route/route.h"
#include "source/route/spec.h"

namespace sluice::route {

class HostIndex;
class PathIndex;
struct CountedSteps;
struct RouteTree;
class Table;

struct VirtualHost {
  VirtualHost();
  VirtualHost(VirtualHost&&) noexcept;
  ~VirtualHost();

  std::string_view name;
  std::span<const Route> routes;
  std::unique_ptr<const PathIndex> index;  // null where there are so few routes that asking each is cheaper
  std::unique_ptr<const RouteTree> tree;   // says which of `routes` are asked; null: all, in order
  const Mutations* mutations = nullptr;    // null: none
  PerFilterConfigs per_filter = nullptr;
  AttemptHeaders attempt_headers;
  // Takes requests that have to come by TLS and do not; null: all may come as they like.
  const Route* tls_redirect = nullptr;
  bool internal_without_tls = false;                 // those of internal callers may
  const stream::MetadataFields* metadata = nullptr;  // null: none
  VirtualClusters virtual_clusters;                  // empty, or with one that takes all at the end

  // Goes by what the client spoke, wherever its TLS ended.
  bool sendsToTls(const http::RequestHeaders& request) const;
};

// What a request itself says of where it goes, and what it is told of that. Text of its arena.
struct OwnWords {
  std::string_view cluster;     // the cluster's name, if Match::cluster() is none; may be none that there is
  std::string_view set_cookie;  // of the response; empty: none
};

// Where a request goes. False without a route; virtual_host is set if the host was known.
struct Match {
  const Table* table = nullptr;
  const VirtualHost* virtual_host = nullptr;
  const Route* route = nullptr;
  const WeightedCluster* choice = nullptr;  // the cluster drawn, if the route has weights
  const OwnWords* own = nullptr;            // null: the request has no say in it

  explicit operator bool() const { return route != nullptr; }
  // The cluster of a route that forwards; kNoCluster otherwise, and where the request names it.
  ClusterId cluster() const;
  // Its name; empty if there is none.
  std::string_view clusterName() const;
  // What the most specific level says of a filter, be it only whether it is there; null if none says anything.
  const PerFilterConfig* filterEntry(FilterSlot slot) const;
  // The settings of a filter at the most specific level that has some; null if none has.
  const PerFilterConfig* perFilter(FilterSlot slot) const {
    const PerFilterConfig* entry = filterEntry(slot);
    return entry == nullptr || entry->hasSettings() ? entry : belowSwitch(slot);
  }
  // Those of all levels.
  PerFilterLevels perFilterLevels(FilterSlot slot) const;
  // What the metadata of the host has to say; null: nothing.
  const stream::MetadataCriteria* metadataMatch() const {
    if (choice != nullptr) return choice->metadata_match;
    return route != nullptr && route->forward != nullptr ? route->forward->metadata_match : nullptr;
  }
  // What the configuration says of the route, or of its virtual host, under the names of filters; null: nothing.
  const stream::MetadataFields* metadata() const { return route == nullptr ? nullptr : route->metadata; }
  const stream::MetadataFields* hostMetadata() const {
    return virtual_host == nullptr ? nullptr : virtual_host->metadata;
  }

 private:
  const PerFilterConfig* belowSwitch(FilterSlot slot) const;
};

class Table {
 public:
  // Errors: a domain that two virtual hosts claim, weights whose sum is 0 or over 2^32 - 1.
  static absl::StatusOr<std::shared_ptr<const Table>> build(TableSpec spec);

  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // The route of a request: virtual host by authority (or `vhost_header`), first matching route, and for weighted
  // clusters the one that `random` falls on, or the one of the user, who may be known by the address. A request without
  // a path (CONNECT) has no route.
  Match match(const http::RequestHeaders& request, uint64_t random, std::string_view remote_address = {}) const;
  // The same, counting work. `info`: null where nothing is known but the head.
  Match match(const http::RequestHeaders& request, uint64_t random, CountedSteps& steps,
              const stream::StreamInfo* info = nullptr) const;
  // The same, where more of the request is known. `cookies`: those that the choice of a cluster has clients given.
  Match match(const http::RequestHeaders& request, uint64_t random, const stream::StreamInfo& info,
              CookieSink& cookies) const;
  // Chooses the cluster of a match with a `choice` anew, if filters left in `info` what tells the request's user, or if
  // a matcher chooses, which looks at what filters made of the request.
  static void chooseByMetadata(const http::RequestHeaders& request, const stream::StreamInfo& info, Match& match);

  std::string_view name() const { return name_; }
  std::span<const VirtualHost> virtualHosts() const { return virtual_hosts_; }
  // Every cluster that a route (not a request) names, ascending, each once.
  std::span<const ClusterId> clusters() const { return clusters_; }
  // The name of one of clusters(); empty for others.
  std::string_view clusterName(ClusterId id) const;

  // Headers that strangers may not send (proto: RouteConfiguration.internal_only_headers).
  std::span<const std::string> internalOnlyHeaders() const;
  const stream::MetadataFields* metadata() const { return metadata_; }  // null: none
  const Mutations* mutations() const { return mutations_; }             // null: none
  PerFilterConfigs perFilter() const { return per_filter_; }            // of the whole table
  bool mostSpecificMutationsWin() const { return most_specific_wins_; }
  FilterSlot slotCount() const { return slot_count_; }
  // Whether the paths of routes are compared with what withoutParameters() (matchers.h) leaves of a request's.
  // (proto: RouteConfiguration.ignore_path_parameters_in_path_matching)
  bool ignoresPathParameters() const { return ignore_path_parameters_; }
  // Whether there may be virtual hosts that are not here yet. (proto: RouteConfiguration.vhds)
  bool hostsOnDemand() const { return hosts_on_demand_; }
  // By which the virtual host of a request is found.
  std::string_view hostOf(const http::RequestHeaders& request) const;

 private:
  class Builder;
  Table();

  // Whose request it is, as far as other things than its head tell.
  struct Asker {
    uint64_t random = 0;
    std::string_view remote_address;
    const stream::StreamInfo* info = nullptr;  // null: not known
    CookieSink* cookies = nullptr;             // null if `info` is
    const stream::DynamicMetadata* metadata = nullptr;
  };
  static void choose(const ClusterChoice& choice, const http::RequestHeaders& request, const Asker& asker, Match& out);
  static void chooseByTree(const ClusterTree& tree, const http::RequestHeaders& request, const stream::StreamInfo* info,
                           Match& out);
  const VirtualHost* virtualHostOf(const http::RequestHeaders& request) const;
  template <class... Steps>
  Match matchRoute(const http::RequestHeaders& request, const Asker& asker, Steps&... steps) const;

  std::string_view name_;
  const std::unique_ptr<HostIndex> hosts_;
  std::vector<VirtualHost> virtual_hosts_;
  std::vector<ClusterId> clusters_;
  std::vector<std::string_view> cluster_names_;  // beside clusters_
  const Mutations* mutations_ = nullptr;
  const stream::MetadataFields* metadata_ = nullptr;
  PerFilterConfigs per_filter_ = nullptr;
  FilterSlot slot_count_ = 0;
  bool most_specific_wins_ = false;
  bool ignore_port_ = false;
  bool ignore_path_parameters_ = false;
  bool hosts_on_demand_ = false;
  std::string_view vhost_header_;  // empty: the authority

  // What the above points into.
  struct Storage;
  const std::unique_ptr<Storage> storage_;
};

}  // namespace sluice::route
