#include "source/route/table.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <new>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "source/base/arena.h"
#include "source/base/ascii.h"
#include "source/base/host_port.h"
#include "source/route/host_index.h"
#include "source/route/path_index.h"
#include "source/route/route_tree.h"

namespace sluice::route {
namespace {

// Up to here a linear search is cheaper than the index, and much smaller.
constexpr size_t kLinearRoutes = 3;

// `index`: of these routes, or null.
template <class... Steps>
uint32_t firstRoute(std::span<const Route> routes, const PathIndex* index, const RequestView& request,
                    Steps&... steps) {
  if (request.headers.path.empty()) {  // CONNECT: rare, and not in the index
    for (uint32_t i = 0; i < routes.size(); ++i) {
      const RouteMatcher& matcher = routes[i].matcher;
      if (matcher.kind != PathKind::kConnect) continue;
      if (matcher.conditions == nullptr || matcher.conditions->hold(request)) return i;
    }
    return kNone;
  }
  if (index != nullptr) return index->find(request, steps...);
  for (uint32_t i = 0; i < routes.size(); ++i) {
    (steps.add(1), ...);
    if (routes[i].matcher.matches(request)) return i;
  }
  return kNone;
}

// Those that the tree leads to; null: it leads to none.
const RouteTree::List* listFor(const RouteTree& tree, const http::RequestHeaders& request,
                               const stream::StreamInfo* info) {
  const match::Result result = evaluate(*tree.matcher, request, info);
  return result.state == match::Result::State::kMatched ? &tree.lists[result.action] : nullptr;
}

// A whole number and nothing else, in the only field of that name.
std::optional<uint64_t> numberIn(const http::RequestHeaders& request, std::string_view name) {
  const std::optional<std::string_view> text = request.getAll(name);
  if (!text) return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  return error == std::errc() && end == text->data() + text->size() ? std::optional(number) : std::nullopt;
}

}  // namespace

// --- matching ------------------------------------------------------------------------------------------------------

bool RouteMatcher::pathMatches(std::string_view text) const {
  const auto beginsWith = [&](std::string_view begin) {
    if (text.size() < begin.size()) return false;
    const std::string_view head = text.substr(0, begin.size());
    return case_sensitive ? head == begin : base::equalsLowered(head, begin);
  };
  switch (kind) {
    case PathKind::kPrefix:
      return beginsWith(path);
    case PathKind::kExact:
      return text.size() == path.size() && beginsWith(path);
    case PathKind::kSeparatedPrefix:
      return beginsWith(path) && (text.size() == path.size() || text[path.size()] == '/');
    case PathKind::kRegex:
      return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex);
    case PathKind::kConnect:
      return false;  // there is none
  }
  return false;
}

bool RouteMatcher::matches(const RequestView& request) const {
  return pathMatches(request.path) && (conditions == nullptr || conditions->hold(request));
}

bool VirtualHost::sendsToTls(const http::RequestHeaders& request) const {
  const std::string_view spoken = request.get(http::Name::kXForwardedProto).value_or(request.scheme);
  if (base::equalsIgnoringCase(spoken, "https")) return false;
  return !internal_without_tls || request.get(http::Name::kXEnvoyInternal) != "true";
}

ClusterId Match::cluster() const {
  if (choice != nullptr) return choice->cluster;
  return route != nullptr && route->forward != nullptr ? route->forward->cluster : kNoCluster;
}

std::string_view Match::clusterName() const {
  const ClusterId id = cluster();
  if (id == kNoCluster) return own == nullptr ? std::string_view() : own->cluster;
  return table->clusterName(id);
}

const PerFilterConfig* Match::filterEntry(FilterSlot slot) const {
  if (table == nullptr || slot >= table->slotCount()) return nullptr;
  const PerFilterConfigs configs = choice != nullptr         ? choice->per_filter
                                   : route != nullptr        ? route->per_filter
                                   : virtual_host != nullptr ? virtual_host->per_filter
                                                             : nullptr;
  return configs == nullptr ? nullptr : configs[slot];
}

PerFilterLevels Match::perFilterLevels(FilterSlot slot) const {
  PerFilterLevels out;
  if (table == nullptr || slot >= table->slotCount()) return out;
  const PerFilterConfigs levels[] = {table->perFilter(), virtual_host == nullptr ? nullptr : virtual_host->per_filter,
                                     route == nullptr ? nullptr : route->per_filter,
                                     choice == nullptr ? nullptr : choice->per_filter};
  const PerFilterConfig* above = nullptr;
  for (const PerFilterConfigs level : levels) {
    // A level without an entry of its own shows that of the level above.
    if (level == nullptr || level[slot] == above) continue;
    above = level[slot];
    if (above->hasSettings()) out.add(above);
  }
  return out;
}

const PerFilterConfig* Match::belowSwitch(FilterSlot slot) const {
  const PerFilterLevels levels = perFilterLevels(slot);
  return levels.size() == 0 ? nullptr : *(levels.end() - 1);
}

std::string_view Table::hostOf(const http::RequestHeaders& request) const {
  std::string_view name = request.authority;
  if (!vhost_header_.empty()) name = request.lookup(vhost_header_).value_or("");
  if (ignore_port_) name = base::splitHostPort(name).host;
  return name;
}

const VirtualHost* Table::virtualHostOf(const http::RequestHeaders& request) const {
  const uint32_t host = hosts_->find(hostOf(request), request.arena());
  return host == kNoHost ? nullptr : &virtual_hosts_[host];
}

template <class... Steps>
Match Table::matchRoute(const http::RequestHeaders& request, const Asker& asker, Steps&... steps) const {
  Match out{.table = this};
  out.virtual_host = virtualHostOf(request);
  if (out.virtual_host == nullptr) return out;
  if (request.path.empty() && request.method != "CONNECT") return out;
  if (out.virtual_host->tls_redirect != nullptr && out.virtual_host->sendsToTls(request)) {
    out.route = out.virtual_host->tls_redirect;
    return out;
  }

  std::span<const Route> routes = out.virtual_host->routes;
  const PathIndex* index = out.virtual_host->index.get();
  if (out.virtual_host->tree != nullptr) [[unlikely]] {
    const RouteTree::List* const list = listFor(*out.virtual_host->tree, request, asker.info);
    if (list == nullptr) return out;
    routes = list->routes;
    index = list->index.get();
  }
  RequestView view = RequestView::of(request, {asker.random, asker.info});
  if (ignore_path_parameters_) view.path = withoutParameters(view.path, request.arena());
  const uint32_t route = firstRoute(routes, index, view, steps...);
  if (route == kNone) return out;
  out.route = &routes[route];
  if (out.route->forward != nullptr && out.route->forward->choice != nullptr) {
    choose(*out.route->forward->choice, request, asker, out);
  }
  return out;
}

void Table::choose(const ClusterChoice& choice, const http::RequestHeaders& request, const Asker& asker, Match& out) {
  if (choice.tree != nullptr) return chooseByTree(*choice.tree, request, asker.info, out);
  OwnWords own;
  std::string_view named_by = choice.cluster_header;
  if (named_by.empty()) {
    const uint64_t total = choice.weighted.back().end;
    uint64_t drawn = 0;
    if (choice.split != nullptr) {
      const StickySplit::Place place =
          choice.split->placeOf(request, asker.remote_address, asker.random, asker.metadata);
      own.set_cookie = place.set_cookie;
      drawn = static_cast<uint64_t>((static_cast<unsigned __int128>(place.point) * total) >> 64);
    } else if (choice.hash != nullptr && asker.info != nullptr) {
      drawn = hashOf(*choice.hash, request, *asker.info, *asker.cookies).value_or(asker.random) % total;
    } else if (choice.random_header.empty()) {
      drawn = asker.random % total;
    } else {
      drawn = numberIn(request, choice.random_header).value_or(asker.random) % total;
    }
    out.choice = &*std::upper_bound(choice.weighted.begin(), choice.weighted.end(), drawn,
                                    [](uint64_t value, const WeightedCluster& cluster) { return value < cluster.end; });
    named_by = out.choice->cluster_header;
  }
  if (!named_by.empty()) own.cluster = request.lookup(named_by).value_or("");
  if (named_by.empty() && own.set_cookie.empty()) return;
  out.own = new (request.arena().allocateArray<OwnWords>(1)) OwnWords(own);
}

void Table::chooseByTree(const ClusterTree& tree, const http::RequestHeaders& request, const stream::StreamInfo* info,
                         Match& out) {
  const match::Result result = evaluate(*tree.matcher, request, info);
  const bool matched = result.state == match::Result::State::kMatched;
  out.choice = matched ? &tree.clusters[result.action] : &tree.clusters.back();
}

Match Table::match(const http::RequestHeaders& request, uint64_t random, std::string_view remote_address) const {
  return matchRoute(request, {random, remote_address});
}

Match Table::match(const http::RequestHeaders& request, uint64_t random, const stream::StreamInfo& info,
                   CookieSink& cookies) const {
  const Asker asker{random, info.downstream_remote_address, &info, &cookies, info.dynamic_metadata.get()};
  return matchRoute(request, asker);
}

void Table::chooseByMetadata(const http::RequestHeaders& request, const stream::StreamInfo& info, Match& match) {
  const ClusterChoice& choice = *match.route->forward->choice;
  if (choice.tree != nullptr) return chooseByTree(*choice.tree, request, &info, match);
  const stream::DynamicMetadata* const metadata = info.dynamic_metadata.get();
  if (choice.split == nullptr || metadata == nullptr || !choice.split->knowsUserBy(*metadata)) return;
  match.own = nullptr;  // the cookie of a user that nobody knew
  choose(choice, request, {.remote_address = info.downstream_remote_address, .metadata = metadata}, match);
}

Match Table::match(const http::RequestHeaders& request, uint64_t random, CountedSteps& steps,
                   const stream::StreamInfo* info) const {
  struct NoCookies final : CookieSink {
    void addCookie(std::string_view) override {}
  } cookies;
  return matchRoute(request, {.random = random, .info = info, .cookies = &cookies}, steps);
}

std::string_view Table::clusterName(ClusterId id) const {
  const auto at = std::lower_bound(clusters_.begin(), clusters_.end(), id);
  if (at == clusters_.end() || *at != id) return {};
  return cluster_names_[static_cast<size_t>(at - clusters_.begin())];
}

// --- building ------------------------------------------------------------------------------------------------------

struct Table::Storage {
  base::Arena texts;
  std::vector<Route> routes;      // of all virtual hosts, one after the other
  std::vector<Forward> forwards;  // reserved: pointers into it stay good
  std::deque<ClusterChoice> choices;
  std::deque<ClusterTree> cluster_trees;
  std::vector<std::shared_ptr<const StickySplit>> splits;
  std::deque<std::vector<UpgradeSpec>> upgrades;
  std::deque<MaxStreamDuration> max_stream_durations;
  std::deque<MaxGrpcTimeout> max_grpc_timeouts;
  std::vector<std::shared_ptr<const RetryPolicy>> retry_policies;  // each once for neighbours that share it
  std::vector<std::shared_ptr<const MirrorPolicies>> mirrors;      // same
  std::vector<std::shared_ptr<const InternalRedirectPolicy>> internal_redirects;
  std::deque<HashPolicy> hash_policies;
  std::deque<Redirect> redirects;
  std::deque<Route> tls_redirects;
  std::deque<DirectResponse> direct_responses;
  std::deque<Conditions> conditions;
  std::deque<Mutations> mutations;
  std::deque<RegexRewrite> rewrites;
  std::deque<HostSource> host_sources;
  std::vector<std::shared_ptr<const ValueFormatter>> formats;
  std::vector<Regex> regexes;
  std::deque<std::vector<const PerFilterConfig*>> per_filter;
  std::vector<std::shared_ptr<const PerFilterConfig>> filter_configs;
  std::vector<stream::FixedMetadata> metadata;
  std::vector<std::string> internal_only_headers;
  std::vector<std::shared_ptr<const RequestStats>> request_stats;
  std::vector<std::shared_ptr<const stream::MetadataCriteria>> criteria;
};

class Table::Builder {
 public:
  explicit Builder(Table& table) : table_(table), storage_(*table.storage_) {}

  absl::Status build(TableSpec& spec) {
    countSlots(spec);
    table_.name_ = storage_.texts.copy(spec.name);
    table_.most_specific_wins_ = spec.most_specific_header_mutations_wins;
    table_.ignore_port_ = spec.ignore_port_in_host_matching;
    table_.hosts_on_demand_ = spec.hosts_on_demand;
    table_.ignore_path_parameters_ = spec.ignore_path_parameters;
    table_.vhost_header_ = storage_.texts.copy(spec.vhost_header);
    table_.mutations_ = mutations(spec.mutations);
    table_.metadata_ = metadata(spec.metadata);
    storage_.internal_only_headers = std::move(spec.internal_only_headers);
    table_.per_filter_ = perFilter(spec.per_filter, nullptr);
    reserve(spec);
    for (uint32_t i = 0; i < spec.virtual_hosts.size(); ++i) {
      if (absl::Status status = addHost(spec.virtual_hosts[i], i); !status.ok()) return status;
    }
    for (const auto& [id, name] : clusters_) {
      table_.clusters_.push_back(id);
      table_.cluster_names_.push_back(name);
    }
    return absl::OkStatus();
  }

 private:
  void countSlots(const TableSpec& spec) {
    const auto count = [this](const PerFilterSpec& level) {
      for (const auto& [slot, config] : level) table_.slot_count_ = std::max(table_.slot_count_, slot + 1);
    };
    count(spec.per_filter);
    for (const VirtualHostSpec& host : spec.virtual_hosts) {
      count(host.per_filter);
      for (const RouteSpec& route : host.routes) {
        count(route.per_filter);
        if (const auto* forward = std::get_if<ForwardSpec>(&route.action)) {
          for (const WeightedClusterSpec& cluster : forward->weighted) count(cluster.per_filter);
        }
      }
    }
  }

  void reserve(const TableSpec& spec) {
    size_t routes = 0, forwards = 0;
    for (const VirtualHostSpec& host : spec.virtual_hosts) {
      routes += host.routes.size();
      for (const RouteSpec& route : host.routes) forwards += std::holds_alternative<ForwardSpec>(route.action);
    }
    storage_.routes.reserve(routes);
    storage_.forwards.reserve(forwards);
    table_.virtual_hosts_.reserve(spec.virtual_hosts.size());
  }

  absl::Status addHost(VirtualHostSpec& spec, uint32_t number) {
    for (const std::string& domain : spec.domains) {
      if (const std::optional<uint32_t> other = table_.hosts_->add(domain, number)) {
        const std::string_view name = *other == number ? spec.name : table_.virtual_hosts_[*other].name;
        return absl::InvalidArgumentError(
            absl::StrCat("domain \"", domain, "\" of virtual host \"", spec.name, "\" is taken by virtual host \"",
                         absl::string_view(name.data(), name.size()), "\"; a domain belongs to one virtual host"));
      }
    }
    VirtualHost& host = table_.virtual_hosts_.emplace_back();
    host.name = storage_.texts.copy(spec.name);
    host.mutations = mutations(spec.mutations);
    host.per_filter = perFilter(spec.per_filter, table_.per_filter_);
    host.attempt_headers = spec.attempt_headers;
    host.metadata = metadata(spec.metadata);
    host.virtual_clusters = std::move(spec.virtual_clusters);
    for (VirtualCluster& cluster : host.virtual_clusters) {
      for (HeaderMatcher& header : cluster.headers) header.setName(header.name);
    }
    if (spec.require_tls != TlsRequirement::kNone) requireTls(spec, host);
    const size_t first = storage_.routes.size();
    for (RouteSpec& route : spec.routes) {
      if (absl::Status status = addRoute(route, host); !status.ok()) return status;
    }
    host.routes = {storage_.routes.data() + first, spec.routes.size()};
    if (spec.tree.matcher != nullptr) {
      host.tree = tree(std::move(spec.tree), host.routes);
    } else {
      host.index = index(host.routes);
    }
    return absl::OkStatus();
  }

  // Null for a few routes.
  std::unique_ptr<const PathIndex> index(std::span<const Route> routes) {
    if (routes.size() <= kLinearRoutes) return nullptr;
    return std::make_unique<const PathIndex>(routes, storage_.texts);
  }

  std::unique_ptr<const RouteTree> tree(RouteTreeSpec spec, std::span<const Route> routes) {
    auto out = std::make_unique<RouteTree>();
    out->matcher = std::move(spec.matcher);
    for (const auto& [first, count] : spec.lists) {
      const std::span<const Route> list = routes.subspan(first, count);
      out->lists.push_back({list, index(list)});
    }
    return out;
  }

  void requireTls(const VirtualHostSpec& spec, VirtualHost& host) {
    Route& route = storage_.tls_redirects.emplace_back();
    route.redirect = &storage_.redirects.emplace_back(Redirect{.scheme = "https"});
    route.per_filter = host.per_filter;
    host.tls_redirect = &route;
    host.internal_without_tls = spec.require_tls == TlsRequirement::kExternalOnly;
  }

  const stream::MetadataFields* metadata(stream::FixedMetadata& spec) {
    return spec ? storage_.metadata.emplace_back(std::move(spec)).fields() : nullptr;
  }

  absl::Status addRoute(RouteSpec& spec, const VirtualHost& host) {
    Route& route = storage_.routes.emplace_back();
    route.name = storage_.texts.copy(spec.name);
    route.matcher = matcher(spec);
    route.mutations = mutations(spec.mutations);
    route.per_filter = perFilter(spec.per_filter, host.per_filter);
    route.metadata = metadata(spec.metadata);
    route.fingerprint = spec.fingerprint;
    if (spec.stats) route.stats = storage_.request_stats.emplace_back(std::move(spec.stats)).get();
    if (auto* forward = std::get_if<ForwardSpec>(&spec.action)) return addForward(*forward, route);
    if (auto* redirect = std::get_if<RedirectSpec>(&spec.action)) {
      route.redirect =
          &storage_.redirects.emplace_back(Redirect{.status = redirect->status,
                                                    .port = static_cast<uint16_t>(redirect->port),
                                                    .strip_query = redirect->strip_query,
                                                    .scheme = storage_.texts.copy(redirect->scheme),
                                                    .host = storage_.texts.copy(redirect->host),
                                                    .path = storage_.texts.copy(redirect->path),
                                                    .prefix_rewrite = storage_.texts.copy(redirect->prefix_rewrite),
                                                    .regex_rewrite = rewrite(redirect->regex_rewrite),
                                                    .path_format = format(std::move(redirect->path_format))});
      return absl::OkStatus();
    }
    auto& response = std::get<DirectResponseSpec>(spec.action);
    route.direct_response = &storage_.direct_responses.emplace_back(
        DirectResponse{.status = response.status,
                       .body = storage_.texts.copy(response.body),
                       .body_format = format(std::move(response.body_format)),
                       .content_type = storage_.texts.copy(response.content_type)});
    return absl::OkStatus();
  }

  RouteMatcher matcher(RouteSpec& spec) {
    RouteMatcher out{.kind = spec.path_kind,
                     .case_sensitive = spec.case_sensitive,
                     .ignores_parameters = table_.ignore_path_parameters_};
    if (spec.path_kind == PathKind::kRegex) {
      out.case_sensitive = true;
      out.path = spec.regex->pattern();
      out.regex = spec.regex.get();
      storage_.regexes.push_back(std::move(spec.regex));
    } else {
      out.path = storage_.texts.copy(spec.case_sensitive ? spec.path : base::lowered(spec.path));
    }
    if (!spec.conditions.empty()) {
      for (HeaderMatcher& header : spec.conditions.headers) header.setName(header.name);
      out.conditions = &storage_.conditions.emplace_back(std::move(spec.conditions));
    }
    return out;
  }

  absl::Status addForward(ForwardSpec& spec, Route& route) {
    Forward& forward = storage_.forwards.emplace_back();
    route.forward = &forward;
    const bool chosen = !spec.weighted.empty() || !spec.cluster_header.empty() || spec.tree.matcher != nullptr;
    forward.cluster = chosen ? kNoCluster : cluster(spec.cluster, spec.cluster_name);
    forward.cluster_not_found_status = spec.cluster_not_found_status;
    forward.auto_host_rewrite = spec.auto_host_rewrite;
    forward.high_priority = spec.high_priority;
    forward.timeout = spec.timeout;
    forward.idle_timeout = spec.idle_timeout;
    forward.flush_timeout = spec.flush_timeout;
    forward.prefix_rewrite = storage_.texts.copy(spec.prefix_rewrite);
    forward.host_rewrite = storage_.texts.copy(spec.host_rewrite);
    forward.regex_rewrite = rewrite(spec.regex_rewrite);
    forward.path_format = format(std::move(spec.path_format));
    if (spec.host_source) forward.host_source = &storage_.host_sources.emplace_back(*std::move(spec.host_source));
    forward.append_x_forwarded_host = spec.append_x_forwarded_host;
    if (!spec.upgrades.empty()) forward.upgrades = &storage_.upgrades.emplace_back(std::move(spec.upgrades));
    if (spec.max_stream_duration) {
      forward.max_stream_duration = &storage_.max_stream_durations.emplace_back(*spec.max_stream_duration);
    }
    if (spec.max_grpc_timeout) {
      forward.max_grpc_timeout = &storage_.max_grpc_timeouts.emplace_back(*spec.max_grpc_timeout);
    }
    forward.retry_policy = retryPolicy(std::move(spec.retry_policy));
    forward.hedge_on_per_try_timeout = spec.hedge_on_per_try_timeout;
    forward.request_buffer_limit = spec.request_buffer_limit;
    forward.mirrors = mirrors(std::move(spec.mirrors));
    if (spec.internal_redirects) {
      forward.internal_redirects = storage_.internal_redirects.emplace_back(std::move(spec.internal_redirects)).get();
    }
    if (!spec.hash_policy.empty())
      forward.hash_policy = &storage_.hash_policies.emplace_back(std::move(spec.hash_policy));
    forward.metadata_match = criteria(spec.metadata_match);
    return chosen ? addChoice(spec, route, forward) : absl::OkStatus();
  }

  absl::Status addChoice(ForwardSpec& spec, const Route& route, Forward& forward) {
    ClusterChoice& choice = storage_.choices.emplace_back();
    forward.choice = &choice;
    choice.cluster_header = storage_.texts.copy(spec.cluster_header);
    if (!choice.cluster_header.empty()) return absl::OkStatus();
    if (spec.tree.matcher != nullptr) {
      choice.tree = clusterTree(std::move(spec.tree), route, forward);
      return absl::OkStatus();
    }
    choice.random_header = storage_.texts.copy(spec.random_header);
    if (spec.chosen_by_hash) choice.hash = forward.hash_policy;
    if (spec.split) {
      choice.split = spec.split.get();
      storage_.splits.push_back(std::move(spec.split));
    }
    uint64_t total = 0;
    for (WeightedClusterSpec& part : spec.weighted) {
      total += part.weight;
      const bool named = !part.cluster_header.empty();
      choice.weighted.push_back({.cluster = named ? kNoCluster : cluster(part.cluster, part.cluster_name),
                                 .cluster_header = storage_.texts.copy(part.cluster_header),
                                 .end = total,
                                 .host_rewrite = storage_.texts.copy(part.host_rewrite),
                                 .metadata_match = criteria(part.metadata_match),
                                 .mutations = mutations(part.mutations),
                                 .per_filter = perFilter(part.per_filter, route.per_filter),
                                 .fingerprint = part.fingerprint});
    }
    if (total == 0 || total > UINT32_MAX) {
      return absl::InvalidArgumentError(absl::StrCat("the weights of the clusters of route \"",
                                                     absl::string_view(route.name.data(), route.name.size()),
                                                     "\" sum to ", total, "; the sum has to be 1 to 4294967295"));
    }
    return absl::OkStatus();
  }

  const ClusterTree* clusterTree(ClusterTreeSpec spec, const Route& route, const Forward& forward) {
    ClusterTree& out = storage_.cluster_trees.emplace_back();
    out.matcher = std::move(spec.matcher);
    const WeightedCluster none{.metadata_match = forward.metadata_match, .per_filter = route.per_filter};
    out.clusters.assign(spec.clusters.size() + 1, none);
    for (size_t i = 0; i < spec.clusters.size(); ++i) {
      out.clusters[i].cluster = cluster(spec.clusters[i].first, spec.clusters[i].second);
    }
    return &out;
  }

  ClusterId cluster(ClusterId id, const std::string& name) {
    if (clusters_.find(id) == clusters_.end()) clusters_.emplace(id, storage_.texts.copy(name));
    return id;
  }

  const stream::MetadataCriteria* criteria(std::shared_ptr<const stream::MetadataCriteria>& spec) {
    return spec == nullptr ? nullptr : storage_.criteria.emplace_back(std::move(spec)).get();
  }

  const Mutations* mutations(Mutations& spec) {
    return spec.empty() ? nullptr : &storage_.mutations.emplace_back(std::move(spec));
  }

  const MirrorPolicies* mirrors(std::shared_ptr<const MirrorPolicies> policies) {
    auto& kept = storage_.mirrors;
    const MirrorPolicies* const out = policies.get();
    if (out == nullptr || (!kept.empty() && kept.back().get() == out)) return out;
    kept.push_back(std::move(policies));
    for (const MirrorPolicy& policy : *out) {
      if (policy.cluster_header.empty()) cluster(policy.cluster, policy.cluster_name);
    }
    return out;
  }

  const RetryPolicy* retryPolicy(std::shared_ptr<const RetryPolicy> policy) {
    auto& kept = storage_.retry_policies;
    const RetryPolicy* const out = policy.get();
    if (out != nullptr && (kept.empty() || kept.back().get() != out)) kept.push_back(std::move(policy));
    return out;
  }

  const RegexRewrite* rewrite(std::optional<RegexRewrite>& spec) {
    return spec ? &storage_.rewrites.emplace_back(std::move(*spec)) : nullptr;
  }

  const ValueFormatter* format(std::shared_ptr<const ValueFormatter> spec) {
    return spec == nullptr ? nullptr : storage_.formats.emplace_back(std::move(spec)).get();
  }

  // The array of a level: that of the level above it with its own settings laid over; the same one if it has none.
  PerFilterConfigs perFilter(PerFilterSpec& spec, PerFilterConfigs above) {
    if (spec.empty()) return above;
    std::vector<const PerFilterConfig*>& configs = storage_.per_filter.emplace_back(table_.slot_count_, nullptr);
    if (above != nullptr) std::copy(above, above + table_.slot_count_, configs.begin());
    for (auto& [slot, config] : spec) {
      configs[slot] = config.get();
      storage_.filter_configs.push_back(std::move(config));
    }
    return configs.data();
  }

  Table& table_;
  Storage& storage_;
  std::map<ClusterId, std::string_view> clusters_;
};

VirtualHost::VirtualHost() = default;
VirtualHost::VirtualHost(VirtualHost&&) noexcept = default;
VirtualHost::~VirtualHost() = default;

Table::Table() : hosts_(std::make_unique<HostIndex>()), storage_(std::make_unique<Storage>()) {}
Table::~Table() = default;

std::span<const std::string> Table::internalOnlyHeaders() const {
  return storage_->internal_only_headers;
}

absl::StatusOr<std::shared_ptr<const Table>> Table::build(TableSpec spec) {
  struct Owned : Table {};
  auto table = std::make_shared<Owned>();
  if (absl::Status status = Builder(*table).build(spec); !status.ok()) return status;
  return std::shared_ptr<const Table>(std::move(table));
}

}  // namespace sluice::route
