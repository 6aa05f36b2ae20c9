// One compiled route: what it matches and what it does. Made by Table::build, immutable, read by all workers.
//
// Everything here is a view or a pointer into the table, which outlives it. Small on purpose: tables of 10,000 routes
// are common, and most routes say a prefix and a cluster and nothing else.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "source/match/tree.h"
#include "source/route/cluster_id.h"
#include "source/route/filter_slots.h"
#include "source/route/matchers.h"
#include "source/route/mutation.h"
#include "source/route/spec.h"
#include "source/stream/metadata.h"

namespace sluice::route {

// By slot; null where nothing is configured. Null as a whole: nothing at any level.
using PerFilterConfigs = const PerFilterConfig* const*;

struct WeightedCluster {
  ClusterId cluster = kNoCluster;                            // kNoCluster if the request names it
  std::string_view cluster_header;                           // where; empty: it does not
  uint64_t end = 0;                                          // of its share of [0, total weight)
  std::string_view host_rewrite;                             // empty: the route's
  const stream::MetadataCriteria* metadata_match = nullptr;  // the route's included; null: none
  const Mutations* mutations = nullptr;                      // null: none
  PerFilterConfigs per_filter = nullptr;
  uint64_t fingerprint = 0;  // of what it adds to the route's
};

// A matcher that chooses the cluster. What its clusters have beside their ids is the route's.
struct ClusterTree {
  std::shared_ptr<const match::Matcher> matcher;
  std::vector<WeightedCluster> clusters;  // by the numbers of its actions; the last one where nothing matched: none
};

// How the cluster is found where it is not the same for all requests.
struct ClusterChoice {
  std::string_view cluster_header;        // the request names it there; empty: `weighted` are drawn from
  std::vector<WeightedCluster> weighted;  // ascending `end`; the last one is the total weight
  std::string_view random_header;         // a whole number there is drawn with; empty, or none there: chance
  const HashPolicy* hash = nullptr;       // the hash of what it names is drawn with, if there is one; null: none
  const StickySplit* split = nullptr;     // the user's place decides instead; null: none
  const ClusterTree* tree = nullptr;      // chooses; there is no `weighted` then. Null: none
};

struct Forward {
  ClusterId cluster = kNoCluster;  // kNoCluster if there is a choice
  uint16_t cluster_not_found_status = 503;
  bool auto_host_rewrite = false;
  bool append_x_forwarded_host = false;
  bool high_priority = false;
  std::optional<std::chrono::milliseconds> timeout;        // nullopt: 15 s; 0: none
  std::optional<std::chrono::milliseconds> idle_timeout;   // nullopt: the connection manager's; 0: none
  std::optional<std::chrono::milliseconds> flush_timeout;  // the same
  const ClusterChoice* choice = nullptr;                   // null: `cluster`
  std::string_view prefix_rewrite;                         // empty: none
  std::string_view host_rewrite;                           // empty: none
  const RegexRewrite* regex_rewrite = nullptr;
  const ValueFormatter* path_format = nullptr;         // makes the whole path; null: none
  const HostSource* host_source = nullptr;             // null: none
  const std::vector<UpgradeSpec>* upgrades = nullptr;  // null: none
  const MaxStreamDuration* max_stream_duration = nullptr;
  const MaxGrpcTimeout* max_grpc_timeout = nullptr;
  const RetryPolicy* retry_policy = nullptr;                   // null: none
  bool hedge_on_per_try_timeout = false;                       // proto: HedgePolicy
  std::optional<uint32_t> request_buffer_limit;                // bytes; nullopt: the cluster's
  const MirrorPolicies* mirrors = nullptr;                     // null: none
  const InternalRedirectPolicy* internal_redirects = nullptr;  // null: none are followed
  const HashPolicy* hash_policy = nullptr;                     // null: none
  const stream::MetadataCriteria* metadata_match = nullptr;    // of the host; null: none
};

struct Redirect {
  uint16_t status = 301;
  uint16_t port = 0;  // 0: as in the request
  bool strip_query = false;
  std::string_view scheme, host, path, prefix_rewrite;  // empty: as in the request
  const RegexRewrite* regex_rewrite = nullptr;
  const ValueFormatter* path_format = nullptr;  // makes the whole path; null: none
};

struct DirectResponse {
  uint16_t status = 200;
  std::string_view body;
  const ValueFormatter* body_format = nullptr;  // makes the body, with `body` as %LOCAL_REPLY_BODY%; null: it is `body`
  std::string_view content_type;                // empty: text/plain
};

// The match of one route. matches() is the definition; the index finds the same route without asking each one.
struct RouteMatcher {
  std::string_view path;  // lower case if !case_sensitive; the pattern for kRegex
  const re2::RE2* regex = nullptr;
  const Conditions* conditions = nullptr;  // null: none
  PathKind kind = PathKind::kPrefix;
  bool case_sensitive = true;
  bool ignores_parameters = false;  // the path it is asked about is withoutParameters()

  bool matches(const RequestView& request) const;
  bool pathMatches(std::string_view path_without_query) const;
  bool unconditional() const { return regex == nullptr && conditions == nullptr; }
};

struct Route {
  std::string_view name;
  RouteMatcher matcher;
  // Exactly one is set.
  const Forward* forward = nullptr;
  const Redirect* redirect = nullptr;
  const DirectResponse* direct_response = nullptr;
  const Mutations* mutations = nullptr;  // null: none
  PerFilterConfigs per_filter = nullptr;
  const stream::MetadataFields* metadata = nullptr;  // null: none
  const RequestStats* stats = nullptr;               // null: nothing is counted of it alone
  uint64_t fingerprint = 0;                          // of what it makes of requests; RouteSpec::fingerprint
};

}  // namespace sluice::route
