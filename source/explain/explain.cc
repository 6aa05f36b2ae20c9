#include "source/explain/explain.h"

#include <chrono>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/base/host_port.h"
#include "source/base/random.h"
#include "source/base/text.h"
#include "source/explain/connection.h"
#include "source/explain/describe.h"
#include "source/explain/filters.h"
#include "source/listener/chain_choice.h"
#include "source/listener/chain_guard.h"
#include "source/route/host_index.h"
#include "source/route/rewrite.h"
#include "source/router/timeout.h"
#include "source/session/last_hop.h"
#include "source/session/request_policy.h"
#include "source/session/tunnels.h"

namespace sluice::explain {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMaxPassed = 20;
constexpr int kDraws = 256;
constexpr milliseconds kDrawTime{100};  // main serves nobody else meanwhile
constexpr size_t kMaxBody = 1024;
constexpr size_t kMaxHosts = 1000;  // of all clusters

struct NoCookies final : route::CookieSink {
  void addCookie(std::string_view) override {}
};

// "0ms" stands for none.
std::optional<milliseconds> orNone(milliseconds limit) {
  return limit.count() > 0 ? std::optional(limit) : std::nullopt;
}

// A request on its way through a connection manager, as session::Stream leads it, but that nothing is sent.
class Walk {
 public:
  Walk(const Request& request, Served served, const Configuration& configuration)
      : asked_(request), served_(std::move(served)), configuration_(configuration) {}

  absl::StatusOr<Explanation> run() {
    const ListenerPart listener{.name = served_.listener.compiled->name,
                                .addresses = addresses(),
                                .why = served_.why,
                                .note = served_.listener.note,
                                .place = placeOf(configuration_, served_.listener.path)};
    out_.listener = listener;
    out_.chain = describeChain(served_, configuration_);
    if ((asked_.scheme == "https") != out_.chain.tls) {
      out_.notes.push_back(out_.chain.tls ? "the chain has a transport socket; ask for https if that is TLS"
                                          : "the chain has no transport socket: a client that speaks TLS fails");
    }
    makeHead();
    const bool goes_on = applyPolicy();
    tellHead();
    absl::Status status = goes_on ? findRoute() : absl::OkStatus();
    if (!status.ok()) return status;
    tellChanges();
    tellFilters();
    if (goes_on) tellAction();
    return std::move(out_);
  }

 private:
  const session::HttpSettings& settings() const { return *served_.settings; }
  stream::FormatContext format() const { return {.request = &head_, .info = info_}; }
  bool asksTunnel() const { return head_.wantsTunnel(); }

  std::vector<std::string> addresses() const {
    std::vector<std::string> out;
    for (const net::Address& address : served_.listener.addresses) out.push_back(address.toString());
    return out;
  }

  void makeHead() {
    head_.method = arena_.copy(asked_.method);
    head_.path = arena_.copy(asked_.path);
    head_.authority = arena_.copy(asked_.authority);
    head_.upgrade = arena_.copy(asked_.upgrade);
    for (const auto& [name, value] : asked_.headers) head_.add(name, value);
    remote_ = served_.accepted.remote.toString();
    remote_ip_ = served_.accepted.remote.ip();
    local_ = served_.accepted.local.toString();
    info_.has_protocol = true;
    info_.downstream_remote_address = info_.downstream_direct_remote_address = remote_;
    info_.downstream_local_address = local_;
    info_.requested_server_name = asked_.scheme == "https" ? std::string_view(asked_.sni) : std::string_view();
    info_.listener_name = settings().listener_name;
    info_.filter_chain_name = settings().filter_chain_name;
    info_.listener_metadata = settings().listener_metadata.get();
  }

  // False: the request is answered before it has a route.
  bool applyPolicy() {
    const auto& internal = settings().internal_addresses;
    const net::Address& remote = served_.accepted.remote;
    const session::PeerText peer{.remote = remote_,
                                 .remote_ip = remote_ip_,
                                 .local = local_,
                                 .local_port = served_.accepted.local.port(),
                                 .direct_remote = remote_,
                                 .trusted_tls = asked_.scheme == "https",
                                 .near = internal ? internal->contains(remote) : remote.isInternal()};
    base::Random random(1);
    if (auto refusal = session::applyRequestPolicy(settings(), peer, random, head_, info_)) return answer(*refusal);
    if (misdirected()) return answer({421, "", "misdirected_request"});
    if (auto refusal = session::answerAsLast(head_)) return answer(*refusal);
    return true;
  }

  bool misdirected() const {
    const std::string& name = served_.accepted.server_name;
    const auto guard = listener::guardOf(*served_.listener.compiled, served_.accepted);
    if (guard == nullptr || name.empty()) return false;
    const std::string host = absl::AsciiStrToLower(base::toAbsl(base::splitHostPort(head_.authority).host));
    return host != name && guard->misdirected(host, listener::ServerNameGuard::handleOf(served_.chain));
  }

  bool answer(const filter::Reply& reply) {
    Answer& out = out_.answer.emplace();
    out.status = reply.status;
    out.details = reply.details;
    for (const auto& [name, value] : reply.headers) {
      if (name == "location") out.location = value;
    }
    return false;
  }

  void tellHead() {
    out_.request = {.method = std::string(head_.method),
                    .scheme = std::string(head_.scheme),
                    .authority = std::string(head_.authority),
                    .path = std::string(head_.path),
                    .host = {},
                    .client = std::string(info_.downstream_remote_address)};
  }

  // The table of the request, or why none is known.
  absl::StatusOr<std::shared_ptr<const route::Table>> findTable() {
    const std::string& rds = served_.manager->rds().route_config_name();
    if (served_.manager->has_scoped_routes()) {
      const auto index = settings().scopes == nullptr ? nullptr : configuration_.scopesOf(*settings().scopes);
      if (index == nullptr) {
        return absl::FailedPreconditionError(
            "the routes are chosen by scopes, which are not known here: ask the proxy that has them, or give the "
            "routes "
            "in route_config");
      }
      const auto key = settings().scopes->builder.keyOf(head_, arena_);
      const route::Scope* const scope = key ? index->find(*key) : nullptr;
      scope_ = scope == nullptr ? "no scope has the request's key" : "by the scope of the request";
      if (scope == nullptr || scope->table == nullptr) return std::shared_ptr<const route::Table>();
      return configuration_.tableOf(*scope->table);
    }
    auto table = configuration_.tableOf(*settings().route_slot);
    if (table == nullptr && !configuration_.knowsAllRoutes()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the routes '", rds, "' come from a control plane and are not in the file: ask the proxy that has them"));
    }
    return table;
  }

  void findProtos() {
    config::ErrorList ignored;
    config::Context at(ignored, nullptr, served_.manager_path);
    if (served_.manager->has_route_config()) {
      protos_.table = &served_.manager->route_config();
      at = at.child("route_config");
    } else if (table_->name().size() > 0) {
      dynamic_ = configuration_.routesByName(std::string(table_->name()));
      protos_.table = dynamic_ ? &*dynamic_ : nullptr;
      at = config::Context(ignored);
    }
    protos_.table_path = at.path();
    if (match_.virtual_host == nullptr) return;
    const size_t host = static_cast<size_t>(match_.virtual_host - table_->virtualHosts().data());
    const config::Context of_host = at.child("virtual_hosts", host);
    protos_.virtual_host_path = of_host.path();
    const bool known = protos_.table != nullptr && host < static_cast<size_t>(protos_.table->virtual_hosts_size()) &&
                       protos_.table->virtual_hosts(static_cast<int>(host)).name() == match_.virtual_host->name;
    if (known) protos_.virtual_host = &protos_.table->virtual_hosts(static_cast<int>(host));
    const std::optional<size_t> route = routeIndex();
    if (!route) return;
    const bool in_tree = match_.virtual_host->tree != nullptr;
    const config::Context of_route = in_tree ? of_host.child("matcher") : of_host.child("routes", *route);
    protos_.route_path = of_route.path();
    const bool in_list = known && !in_tree && *route < static_cast<size_t>(protos_.virtual_host->routes_size());
    if (in_list) protos_.route = &protos_.virtual_host->routes(static_cast<int>(*route));
    findShare(of_route);
  }

  void findShare(const config::Context& of_route) {
    if (match_.choice == nullptr) return;
    // Those of extensions stand in the extension's message, and say nothing of filters.
    const route::ClusterChoice& choice = *match_.route->forward->choice;
    if (choice.tree != nullptr || choice.split != nullptr) return;
    const size_t share = static_cast<size_t>(match_.choice - choice.weighted.data());
    protos_.share_path = of_route.child("route").child("weighted_clusters").child("clusters", share).path();
    if (protos_.route == nullptr) return;
    const auto& clusters = protos_.route->route().weighted_clusters().clusters();
    if (share < static_cast<size_t>(clusters.size())) protos_.share = &clusters[static_cast<int>(share)];
  }

  std::optional<size_t> routeIndex() const {
    if (match_.route == nullptr || match_.route == match_.virtual_host->tls_redirect) return std::nullopt;
    return static_cast<size_t>(match_.route - match_.virtual_host->routes.data());
  }

  absl::Status findRoute() {
    absl::StatusOr<std::shared_ptr<const route::Table>> table = findTable();
    if (!table.ok()) return table.status();
    table_ = *std::move(table);
    if (table_ == nullptr) {
      out_.notes.push_back(scope_.empty() ? "no route table has come yet" : scope_);
      return absl::OkStatus();
    }
    route::removeInternalOnly(*table_, head_);
    match_ = table_->match(head_, 0, info_, cookies_);
    findProtos();
    out_.request.host = table_->hostOf(head_);
    if (match_.virtual_host != nullptr) tellHost();
    if (match_.virtual_host == nullptr && table_->hostsOnDemand()) {
      out_.notes.push_back(
          "a request may have the virtual host of its host brought (vhds); nobody was asked for it now");
    }
    if (match_.route != nullptr) tellRoute();
    if (match_.virtual_host != nullptr && match_.route == nullptr) {
      out_.near_misses = passed(match_.virtual_host->routes.size());
    }
    draw();
    noteMatch();
    return absl::OkStatus();
  }

  // What formats know from here on.
  void noteMatch() {
    if (match_.virtual_host != nullptr) info_.virtual_host_name = match_.virtual_host->name;
    if (match_.route != nullptr) info_.route_name = match_.route->name;
    info_.route_metadata = match_.metadata();
    info_.virtual_host_metadata = match_.hostMetadata();
    const bool forwards = match_.route != nullptr && match_.route->forward != nullptr;
    if (forwards && !by_chance_) info_.upstream_cluster = clusterName();
  }

  std::string_view clusterName() const {
    const bool own = match_.own != nullptr && !match_.own->cluster.empty();
    return own ? std::string_view(match_.own->cluster) : match_.clusterName();
  }

  void tellHost() {
    VirtualHostPart& out = out_.virtual_host.emplace();
    out.name = match_.virtual_host->name;
    out.table = table_->name();
    out.scope = scope_;
    out.place = placeOf(configuration_, protos_.virtual_host_path);
    if (protos_.virtual_host == nullptr) return;
    // The index of the table, with this host's domains alone, tells which of them it is.
    route::HostIndex index;
    const auto& domains = protos_.virtual_host->domains();
    for (int i = 0; i < domains.size(); ++i) index.add(domains[i], static_cast<uint32_t>(i));
    const uint32_t found = index.find(out_.request.host, arena_);
    if (found != route::kNoHost) out.domain = domains[static_cast<int>(found)];
  }

  void tellRoute() {
    RoutePart& out = out_.route.emplace();
    out.name = match_.route->name;
    out.index = routeIndex();
    out.matched = out.index ? describeMatch(match_.route->matcher) : "require_tls of the virtual host";
    out.place = placeOf(configuration_, out.index ? protos_.route_path : protos_.virtual_host_path);
    if (out.index) out.passed = passed(*out.index);
  }

  // Of the first `count` routes those that take the path, and why they do not take the request.
  std::vector<PassedRoute> passed(size_t count) {
    std::vector<PassedRoute> out;
    if (match_.virtual_host->tree != nullptr || head_.path.empty()) return out;
    route::RequestView view = route::RequestView::of(head_, {0, &info_});
    if (table_->ignoresPathParameters()) view.path = route::withoutParameters(view.path, arena_);
    for (size_t i = 0; i < count && out.size() < kMaxPassed; ++i) {
      const route::Route& each = match_.virtual_host->routes[i];
      const bool takes_path = each.matcher.kind != route::PathKind::kConnect && each.matcher.pathMatches(view.path);
      if (!takes_path || each.matcher.conditions == nullptr) continue;
      out.push_back({i, std::string(each.name), failedOf(*each.matcher.conditions, view)});
    }
    return out;
  }

  // What other numbers than the one that was matched with lead to.
  void draw() {
    std::set<std::string> others;
    base::Random random(7);
    const auto look = [&](uint64_t number) {
      const route::Match other = table_->match(head_, number, info_, cookies_);
      if (other.route == match_.route) {
        by_chance_ |= other.choice != match_.choice;
      } else if (other.route != nullptr) {
        const size_t index = static_cast<size_t>(other.route - other.virtual_host->routes.data());
        others.insert(other.route->name.empty() ? absl::StrCat("#", index) : std::string(other.route->name));
      } else {
        others.insert("none");
      }
    };
    const auto end = std::chrono::steady_clock::now() + kDrawTime;
    bool in_time = true;
    const auto lookInTime = [&](uint64_t number) {
      in_time = in_time && std::chrono::steady_clock::now() <= end;
      if (in_time) look(number);
    };
    for (int i = 0; i < kDraws; ++i) lookInTime(random.next());
    if (match_.route != nullptr && match_.route->forward != nullptr && match_.route->forward->choice != nullptr) {
      for (const route::WeightedCluster& share : match_.route->forward->choice->weighted) lookInTime(share.end);
    }
    if (!in_time) out_.notes.push_back("matching takes long here: what else may come of it by chance is not all told");
    if (out_.route) out_.route->others_by_chance.assign(others.begin(), others.end());
  }

  std::string sourceOf(const route::Mutations* level) const {
    if (match_.choice != nullptr && level == match_.choice->mutations) {
      return quoted("cluster", table_->clusterName(match_.choice->cluster));
    }
    if (match_.route != nullptr && level == match_.route->mutations) return quoted("route", match_.route->name);
    if (match_.virtual_host != nullptr && level == match_.virtual_host->mutations) {
      return quoted("virtual host", match_.virtual_host->name);
    }
    return quoted("table", table_->name());
  }

  void tellChanges() {
    for (const route::HeaderMutations& each : settings().early_mutations) {
      describeChanges(each, "connection manager", format(), out_.request_changes);
    }
    if (table_ == nullptr || match_.route == nullptr) return;
    for (const route::Mutations* level : route::mutationLevels(match_)) {
      if (level == nullptr) continue;
      const std::string source = sourceOf(level);
      if (match_.route->forward != nullptr) describeChanges(level->request, source, format(), out_.request_changes);
      describeChanges(level->response, source, format(), out_.response_changes);
    }
  }

  void tellFilters() {
    const session::UpgradeChain* const own =
        asksTunnel() ? session::ownChain(settings(), session::tunnelType(head_)) : nullptr;
    const filter::ChainConfig& chain = own == nullptr ? settings().chain->first() : own->chain->first();
    out_.filters = describeFilters(served_, chain, match_, protos_, configuration_);
  }

  void tellAction() {
    if (asksTunnel() && !session::mayTunnel(settings(), match_, session::tunnelType(head_))) {
      answer({403, "", "upgrade_failed"});
    } else if (match_.route == nullptr) {
      answer({404, "", "route_not_found"});
    } else if (match_.route->redirect != nullptr) {
      tellRedirect(*match_.route->redirect);
    } else if (match_.route->direct_response != nullptr) {
      const route::DirectResponse& direct = *match_.route->direct_response;
      answer({direct.status, "", "direct_response"});
      if (direct.body_format == nullptr) out_.answer->body = direct.body.substr(0, kMaxBody);
    } else {
      tellForward(*match_.route->forward);
    }
  }

  void tellRedirect(const route::Redirect& redirect) {
    if (!route::hasTarget(redirect, head_)) {
      answer({400, "", "missing_host_header"});
      return;
    }
    answer({redirect.status, "", "direct_response"});
    out_.answer->location = route::redirectLocation(match_, head_, format());
  }

  void tellForward(const route::Forward& forward) {
    ForwardPart out;
    tellCluster(forward, out);
    if (forward.high_priority) out.priority = "high";
    out.timeout = orNone(router::chooseTimeout(forward, head_).duration);
    out.idle_timeout = orNone(forward.idle_timeout.value_or(settings().stream_idle_timeout));
    milliseconds longest = settings().max_stream_duration;
    if (forward.max_stream_duration != nullptr) longest = forward.max_stream_duration->duration.value_or(longest);
    out.max_stream_duration = orNone(longest);
    if (forward.retry_policy != nullptr) out.retry = describeRetries(*forward.retry_policy);
    if (forward.hash_policy != nullptr) {
      for (const route::HashTerm& term : *forward.hash_policy) out.hash_policy.push_back(describeTerm(term));
    }
    if (forward.mirrors != nullptr) {
      for (const route::MirrorPolicy& each : *forward.mirrors) {
        const std::string header = absl::StrCat("header ", each.cluster_header);
        out.mirrors.push_back({each.cluster_header.empty() ? each.cluster_name : header,
                               100.0 * each.fraction.numerator / each.fraction.denominator});
      }
    }
    if (forward.auto_host_rewrite) out_.notes.push_back("the host gets its own name as authority (auto_host_rewrite)");
    const route::Rewritten rewritten = route::finalizeRequest(match_, head_, format());
    out.authority = head_.authority;
    out.path = head_.path;
    if (!rewritten) answer({400, "", std::string(rewritten.refusal)});
    out_.forward = std::move(out);
    tellClusters();
  }

  // In front of what changes the head: who is named in it is named by the client.
  void tellCluster(const route::Forward& forward, ForwardPart& out) const {
    out.decided_by = "route";
    out.cluster = clusterName();
    if (forward.choice == nullptr) return;
    const route::ClusterChoice& choice = *forward.choice;
    if (!choice.cluster_header.empty()) {
      out.decided_by = base::strCat("header ", choice.cluster_header);
    } else if (choice.tree != nullptr) {
      out.decided_by = "matcher";
    } else if (by_chance_) {
      out.decided_by = "chance";
      out.cluster.clear();
    } else if (choice.split != nullptr) {
      out.decided_by = "user";
    } else if (choice.hash != nullptr) {
      out.decided_by = "hash";
    } else if (!choice.random_header.empty()) {
      out.decided_by = base::strCat("header ", choice.random_header);
    }
    uint64_t before = 0;
    for (const route::WeightedCluster& share : choice.weighted) {
      out.shares.push_back({.cluster = std::string(table_->clusterName(share.cluster)),
                            .header = std::string(share.cluster_header),
                            .weight = share.end - before,
                            .total = choice.weighted.back().end,
                            .chosen = !by_chance_ && &share == match_.choice});
      before = share.end;
    }
  }

  void tellClusters() {
    std::vector<std::string> names;
    if (!out_.forward->cluster.empty()) names.push_back(out_.forward->cluster);
    if (names.empty()) {
      for (const Share& share : out_.forward->shares) {
        if (share.weight > 0 && !share.cluster.empty()) names.push_back(share.cluster);
      }
    }
    size_t room = kMaxHosts;
    for (const std::string& name : names) {
      if (std::optional<Cluster> cluster = configuration_.cluster(name)) {
        if (cluster->hosts.size() > room) {
          out_.notes.push_back(
              absl::StrCat("of ", cluster->hosts.size(), " hosts of cluster '", name, "' ", room, " are told"));
          cluster->hosts.resize(room);
        }
        room -= cluster->hosts.size();
        out_.clusters.push_back(*std::move(cluster));
      } else {
        out_.notes.push_back(absl::StrCat("there is no cluster '", name, "': such a request is answered ",
                                          match_.route->forward->cluster_not_found_status, " (cluster_not_found)"));
      }
    }
    if (names.empty()) out_.notes.push_back("the request names no cluster, or none is chosen for it");
  }

  const Request& asked_;
  const Served served_;
  const Configuration& configuration_;
  base::Arena arena_;
  http::RequestHeaders head_{arena_};
  stream::StreamInfo info_;
  NoCookies cookies_;
  std::string remote_, remote_ip_, local_, scope_;
  std::shared_ptr<const route::Table> table_;
  route::Match match_;
  std::optional<envoy::config::route::v3::RouteConfiguration> dynamic_;
  RouteProtos protos_;
  bool by_chance_ = false;
  Explanation out_;
};

}  // namespace

absl::StatusOr<Explanation> explain(const Request& request, const Configuration& configuration) {
  absl::StatusOr<Served> served = findServer(request, configuration);
  if (!served.ok()) return served.status();
  return Walk(request, *std::move(served), configuration).run();
}

}  // namespace sluice::explain
