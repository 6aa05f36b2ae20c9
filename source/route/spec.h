// What a route table is built from: plain values, filled by the compiler of RouteConfiguration (or a test).
//
// Thread: the one that compiles (main, or a control plane). A spec is consumed by Table::build and keeps nothing.
// What build() does not check is the compiler's to check: bytes of header names and values, combinations of rewrites.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "source/match/tree.h"
#include "source/route/cluster_id.h"
#include "source/route/filter_slots.h"
#include "source/route/hash_policy.h"
#include "source/route/internal_redirect.h"
#include "source/route/matchers.h"
#include "source/route/mirror_policy.h"
#include "source/route/mutation.h"
#include "source/route/retry_policy.h"
#include "source/route/sticky_split.h"
#include "source/route/virtual_cluster.h"
#include "source/stream/metadata.h"
#include "source/stream/metadata_criteria.h"

namespace sluice::route {

// kConnect: CONNECT requests, which have no path; no other kind matches those.
enum class PathKind : uint8_t { kPrefix, kExact, kSeparatedPrefix, kRegex, kConnect };

using PerFilterSpec = std::vector<std::pair<FilterSlot, std::shared_ptr<const PerFilterConfig>>>;

// A path rewrite by regular expression: every match is replaced (proto: type.matcher.v3.RegexMatchAndSubstitute).
struct RegexRewrite {
  Regex pattern;
  std::string substitution;  // RE2's form: \1 is the first group
  // The path is rewritten as it was matched, so without its parameters where those are ignored. (proto:
  // path_rewrite_policy)
  bool as_matched = false;
};

// Where the authority of a request comes from instead: exactly one is set. What says nothing leaves it as it is.
// (proto: RouteAction.host_rewrite_specifier)
struct HostSource {
  std::string header;                            // in lower case; its first value
  std::optional<RegexRewrite> of_path;           // what becomes of the path without its query
  std::shared_ptr<const ValueFormatter> format;  // text with %OPERATORS%
};

struct WeightedClusterSpec {
  ClusterId cluster = kNoCluster;  // kNoCluster if the request names it
  std::string cluster_name;
  std::string cluster_header;  // in lower case; the request names the cluster there. Empty: it is `cluster`
  uint32_t weight = 0;
  std::string host_rewrite;                                        // empty: the route's
  std::shared_ptr<const stream::MetadataCriteria> metadata_match;  // of the host, those of the route included
  Mutations mutations;
  PerFilterSpec per_filter;
  uint64_t fingerprint = 0;  // as the route's, of what the share adds
};

// A matcher that chooses the cluster. (proto: MatcherClusterSpecifier)
struct ClusterTreeSpec {
  std::shared_ptr<const match::Matcher> matcher;            // null: none
  std::vector<std::pair<ClusterId, std::string>> clusters;  // with their names; by the numbers of its actions
};

// What a route says of upgrades, before the connection manager. (proto: RouteAction.UpgradeConfig)
struct UpgradeSpec {
  std::string type;  // in lower case; "connect" for CONNECT
  bool enabled = true;
  // CONNECT is not passed on: its bytes go to the cluster as they are. (proto: connect_config)
  bool ends_here = false;
  bool allow_post = false;  // POST requests too
};

// How long a stream of a route may live. (proto: RouteAction.MaxStreamDuration)
struct MaxStreamDuration {
  std::optional<std::chrono::milliseconds> duration;         // nullopt: the connection manager's; 0: for ever
  std::optional<std::chrono::milliseconds> grpc_header_max;  // nullopt: grpc-timeout does not count; 0: as it is
  std::chrono::milliseconds grpc_header_offset{0};           // taken off the header's
};

// What of the client's grpc-timeout becomes the route's timeout. (proto: RouteAction.max_grpc_timeout)
struct MaxGrpcTimeout {
  std::chrono::milliseconds max{0};  // 0: as it is
  std::chrono::milliseconds offset{0};
};

// proto: RouteAction
struct ForwardSpec {
  ClusterId cluster = kNoCluster;  // if weighted and cluster_header are empty
  std::string cluster_name;
  std::string cluster_header;  // in lower case; the request names the cluster there
  std::vector<WeightedClusterSpec> weighted;
  std::string random_header;    // in lower case; a number there chooses among `weighted`. Empty: chance does
  bool chosen_by_hash = false;  // that of hash_policy chooses among `weighted`
  std::shared_ptr<const StickySplit> split;  // chooses instead, by the user; null: none
  ClusterTreeSpec tree;                      // chooses the cluster; without `weighted`
  std::string prefix_rewrite;                // empty: none
  std::optional<RegexRewrite> regex_rewrite;
  std::shared_ptr<const ValueFormatter> path_format;  // makes the whole path; null: none
  std::string host_rewrite;                           // empty: none
  std::optional<HostSource> host_source;              // not with host_rewrite
  bool auto_host_rewrite = false;        // the authority becomes the upstream host's name; done by the router
  bool append_x_forwarded_host = false;  // hosts are told the authority that another one took the place of
  bool high_priority = false;            // proto: RoutingPriority
  uint16_t cluster_not_found_status = 503;
  std::optional<std::chrono::milliseconds> timeout;        // nullopt: the default (15 s); 0: none
  std::optional<std::chrono::milliseconds> idle_timeout;   // nullopt: the connection manager's; 0: none
  std::optional<std::chrono::milliseconds> flush_timeout;  // of an answer that its client holds back; the same
  std::vector<UpgradeSpec> upgrades;
  std::optional<MaxStreamDuration> max_stream_duration;
  std::optional<MaxGrpcTimeout> max_grpc_timeout;                    // not with max_stream_duration
  std::shared_ptr<const RetryPolicy> retry_policy;                   // null: none
  bool hedge_on_per_try_timeout = false;                             // proto: HedgePolicy
  std::optional<uint32_t> request_buffer_limit;                      // bytes; nullopt: the cluster's
  std::shared_ptr<const MirrorPolicies> mirrors;                     // null: none
  std::shared_ptr<const InternalRedirectPolicy> internal_redirects;  // null: none are followed
  HashPolicy hash_policy;
  std::shared_ptr<const stream::MetadataCriteria> metadata_match;  // of the host; null: none
};

// proto: RedirectAction. Empty or 0: as in the request.
struct RedirectSpec {
  uint16_t status = 301;
  std::string scheme;  // lower case
  std::string host;
  uint32_t port = 0;
  std::string path;  // may hold a query, which then replaces the request's
  std::string prefix_rewrite;
  std::optional<RegexRewrite> regex_rewrite;
  std::shared_ptr<const ValueFormatter> path_format;  // makes the whole path; null: none
  bool strip_query = false;
};

// proto: DirectResponseAction
struct DirectResponseSpec {
  uint16_t status = 200;
  std::string body;
  std::shared_ptr<const ValueFormatter> body_format;  // makes the body, of `body` among others; null: it is `body`
  std::string content_type;                           // empty: text/plain
};

struct RouteSpec {
  std::string name;
  PathKind path_kind = PathKind::kPrefix;
  bool case_sensitive = true;  // not for kRegex
  std::string path;            // the pattern for kRegex
  Regex regex;                 // kRegex only: the whole path (without the query) has to match
  Conditions conditions;
  std::variant<ForwardSpec, RedirectSpec, DirectResponseSpec> action;
  Mutations mutations;
  PerFilterSpec per_filter;
  stream::FixedMetadata metadata;
  std::shared_ptr<const RequestStats> stats;  // null: nothing is counted of it alone
  // Equal for routes that make the same of requests beside their path and cluster. For caches.
  uint64_t fingerprint = 0;
};

// A matcher that leads to routes. (proto: VirtualHost.matcher)
struct RouteTreeSpec {
  std::shared_ptr<const match::Matcher> matcher;  // null: none
  // By the numbers of its actions: the first of the routes that it leads to, and how many they are.
  std::vector<std::pair<size_t, size_t>> lists;
};

// What hosts and clients are told of attempts. (proto: VirtualHost.include_...)
struct AttemptHeaders {
  bool count_in_request = false;
  bool count_in_response = false;
  bool is_timeout_retry = false;
};

// Who has to come by TLS, and is led there otherwise. (proto: VirtualHost.TlsRequirementType)
enum class TlsRequirement : uint8_t { kNone, kExternalOnly, kAll };

struct VirtualHostSpec {
  std::string name;
  std::vector<std::string> domains;
  std::vector<RouteSpec> routes;
  RouteTreeSpec tree;  // where there is one, it leads to all of `routes`
  Mutations mutations;
  PerFilterSpec per_filter;
  AttemptHeaders attempt_headers;
  TlsRequirement require_tls = TlsRequirement::kNone;
  VirtualClusters virtual_clusters;  // none, or one that takes all at the end
  stream::FixedMetadata metadata;
};

struct TableSpec {
  std::string name;
  std::vector<VirtualHostSpec> virtual_hosts;
  Mutations mutations;
  PerFilterSpec per_filter;
  bool most_specific_header_mutations_wins = false;
  bool ignore_port_in_host_matching = false;
  bool ignore_path_parameters = false;
  bool hosts_on_demand = false;
  std::string vhost_header;                        // in lower case; empty: the authority
  std::vector<std::string> internal_only_headers;  // in lower case
  stream::FixedMetadata metadata;
};

}  // namespace sluice::route
