#include "source/server/listener_manager.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sluice::server {
namespace {

bool isInbound(const ListenerManager::Proto& proto) {
  return proto.traffic_direction() == envoy::config::core::v3::INBOUND;
}

}  // namespace

ListenerManager::ListenerManager(event::Loop& main, Workers& workers, net::SocketSource& sockets,
                                 observability::StatsRegistry& stats, observability::StatsCells& cells,
                                 observability::Logger& logger, std::chrono::milliseconds drain_time,
                                 listener::ConnectionLimits& limits)
    : main_(main),
      workers_(workers),
      source_(sockets),
      registry_(stats),
      cells_(cells),
      logger_(logger),
      drain_time_(drain_time),
      limits_(limits),
      total_active_(stats.gauge("listener_manager.total_listeners_active")),
      total_warming_(stats.gauge("listener_manager.total_listeners_warming")),
      added_(stats.counter("listener_manager.listener_added")),
      modified_(stats.counter("listener_manager.listener_modified")),
      removed_(stats.counter("listener_manager.listener_removed")),
      create_failure_(stats.counter("listener_manager.listener_create_failure")) {}

std::unique_ptr<InitManager> ListenerManager::newInit(const std::string& name) {
  const auto known = entries_.find(name);
  const bool serves = known != entries_.end() && known->second.active != nullptr;
  return std::make_unique<InitManager>(main_, logger_, absl::StrCat("listener '", name, "'"), serves,
                                       serves ? waitingSince(name) + patience : event::TimePoint());
}

bool ListenerManager::isStatic(const std::string& name) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.is_static;
}

std::span<const route::ClusterId> ListenerManager::clustersOf(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end() || !found->second.active) return {};
  return found->second.active->compiled.clusters;
}

bool ListenerManager::knowsUnchanged(const std::string& name, uint64_t content_hash, const std::string& version) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  const auto isIt = [&](const std::unique_ptr<Generation>& generation) {
    if (!generation || generation->compiled.content_hash != content_hash) return false;
    generation->version = version;
    return true;
  };
  if (isIt(entry.warming)) return true;
  if (!isIt(entry.active)) return false;
  entry.warming.reset();
  sockets_.erase(name);
  showCounts();
  return true;
}

event::TimePoint ListenerManager::waitingSince(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() || !found->second.warming ? main_.now() : found->second.warming->since;
}

absl::Status ListenerManager::set(config::CompiledListener compiled, Proto proto, std::unique_ptr<InitManager> init,
                                  bool is_static, const std::string& version) {
  const std::string name = compiled.name;
  if (draining_) return absl::UnavailableError("the process is shutting down");
  if (inbound_drained_ && isInbound(proto)) {
    return absl::UnavailableError(
        absl::StrCat("listener '", name, "' is one of inbound traffic, and those were drained by the admin"));
  }
  if (isStatic(name) && !is_static) {
    return absl::InvalidArgumentError(absl::StrCat("listener '", name, "' is static; a dynamic one cannot replace it"));
  }
  if (knowsUnchanged(name, compiled.content_hash, version)) return absl::OkStatus();
  const auto known = entries_.find(name);
  const bool is_new = known == entries_.end();
  const Generation* active = is_new ? nullptr : known->second.active.get();

  auto next = std::make_unique<Generation>();
  next->compiled = std::move(compiled);
  next->proto = std::move(proto);
  next->init = init ? std::move(init) : newInit(name);
  next->version = version;
  next->updated = std::chrono::system_clock::now();
  next->since = waitingSince(name);
  absl::StatusOr<Pending> sockets = openSockets(active, *next);
  if (!sockets.ok()) {
    cells_.add(create_failure_);
    return absl::Status(sockets.status().code(), absl::StrCat("listener '", name, "': ", sockets.status().message()));
  }
  next->stats_hold = makeStats(registry_, *next, next->stats);

  sockets_[name] = *std::move(sockets);
  Entry& entry = entries_[name];
  entry.is_static = is_static;
  entry.warming = std::move(next);
  cells_.add(is_new ? added_ : modified_);
  showCounts();
  beginWaiting(name, entry, is_new);
  return absl::OkStatus();
}

void ListenerManager::beginWaiting(const std::string& name, Entry& entry, bool is_new) {
  InitManager& init = *entry.warming->init;
  if (is_new && boot != nullptr) {
    entry.first = boot->add([&entry, name] {
      return withWaits(absl::StrCat("listener '", name, "'"), entry.warming ? entry.warming->init.get() : nullptr);
    });
  }
  if (const std::string waits = init.waits(); !waits.empty()) {
    logger_.info("listener", "listener '", name, "' waits for ", waits);
  }
  init.start([this, name] { tryActivate(name); });
}

observability::StatsHold ListenerManager::makeStats(observability::StatsRegistry& registry,
                                                    const Generation& generation, listener::ListenerStats& stats) {
  std::string stat_name = generation.compiled.stat_name;
  const bool named = !generation.proto.stat_prefix().empty() || generation.compiled.internal;
  if (!named && !generation.bound.empty()) stat_name = generation.bound[0].toString();
  observability::Scope scope = registry.scope("listener", stat_name);
  stats.cx_total = scope.counter("downstream_cx_total");
  stats.cx_overflow = scope.counter("downstream_cx_overflow");
  stats.global_cx_overflow = scope.counter("downstream_global_cx_overflow");
  stats.context_secrets_not_ready = scope.counter("downstream_context_secrets_not_ready");
  stats.no_filter_chain_match = scope.counter("no_filter_chain_match");
  stats.pre_cx_timeout = scope.counter("downstream_pre_cx_timeout");
  stats.filter_remote_close = scope.counter("downstream_listener_filter_remote_close");
  stats.filter_error = scope.counter("downstream_listener_filter_error");
  stats.extension_config_missing = scope.counter("extension_config_missing");
  stats.udp_rx_dropped = scope.counter("udp.downstream_rx_datagram_dropped");
  stats.pre_cx_active = scope.gauge("downstream_pre_cx_active");
  // Connections count by these, and may outlive the listener.
  struct OfConnections {
    filter::ConnectionStats stats;
    observability::StatsHold hold;
  };
  const auto connections = std::make_shared<OfConnections>(
      OfConnections{{scope.gauge("downstream_cx_active"), scope.counter("downstream_cx_destroy")}, nullptr});
  connections->hold = observability::Scope::share(std::move(scope));
  stats.connections = std::shared_ptr<const filter::ConnectionStats>(connections, &connections->stats);
  return connections->hold;
}

// Another process took the address meanwhile.
void ListenerManager::abandonWarming(const std::string& name, const absl::Status& why) {
  Entry& entry = entries_.at(name);
  const config::InitTarget first = entry.active ? config::InitTarget() : std::move(entry.first);
  cells_.add(create_failure_);
  logger_.error("listener", "listener '", name, "': ", std::string(why.message()),
                entry.active ? "; the last good one goes on serving" : "; it is not served");
  sockets_.erase(name);
  entry.warming.reset();
  if (!entry.active) entries_.erase(name);
  showCounts();
}

void ListenerManager::tryActivate(const std::string& name) {
  const auto found = entries_.find(name);
  if (!accepting_ || found == entries_.end() || !found->second.warming) return;
  Entry& entry = found->second;
  if (!entry.warming->init->done()) return;
  Generation& next = *entry.warming;
  if (const absl::Status status = beginListening(name, next); !status.ok()) return abandonWarming(name, status);
  auto serving = std::make_shared<listener::ListenerConfig>();
  serving->name = name;
  serving->addresses = next.bound;
  serving->chains = next.compiled.chains;
  serving->index = next.compiled.index;
  serving->matcher = next.compiled.matcher;
  serving->default_chain = next.compiled.default_chain;
  serving->guard = next.compiled.guard;
  serving->bind = next.compiled.bind;
  serving->internal = next.compiled.internal;
  serving->socket_hash = next.compiled.socket_hash;
  serving->filters = next.compiled.filters;
  serving->filters_timeout = next.compiled.filters_timeout;
  serving->continue_on_filters_timeout = next.compiled.continue_on_filters_timeout;
  serving->use_original_dst = next.compiled.use_original_dst;
  serving->transparent = next.compiled.transparent;
  serving->accept_batch = next.compiled.accept_batch;
  serving->buffer_limit = next.compiled.buffer_limit;
  serving->process_limit = next.compiled.ignore_global_conn_limit ? nullptr : limits_.ofProcess();
  serving->limit = limits_.ofListener(name);
  if (next.compiled.exact_balance) serving->balance = balanceOf(entry);
  serving->udp = next.compiled.udp;
  serving->stats = next.stats;
  serving->inbound = isInbound(next.proto);
  serving->held = {next.stats_hold, next.compiled.held};
  // Descriptors move into the posted work; std::function wants copies, so they travel behind a pointer.
  auto sockets = std::make_shared<std::vector<std::vector<net::Fd>>>(workers_.size());
  for (size_t i = 0; i < workers_.size(); ++i) {
    for (net::TakenSocket& socket : sockets_[name].sockets[i]) (*sockets)[i].push_back(std::move(socket.fd));
  }
  sockets_.erase(name);
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_.at(i).post([serving, sockets, i, drain_time = drain_time_](Worker& worker) {
      worker.listeners().set(serving, std::move((*sockets)[i]), drain_time);
    });
  }
  if (entry.active) letGo(*entry.active, entry.warming.get());
  entry.active = std::move(entry.warming);
  showCounts();
  for (const net::Address& address : entry.active->compiled.bind ? entry.active->bound : std::vector<net::Address>()) {
    logger_.info("listener", "listener '", name, "' accepts on ", address.toString(),
                 entry.active->compiled.isUdp() ? " (UDP)" : "");
  }
  entry.first.ready();
}

// The counts of a listener go on over its updates.
std::shared_ptr<listener::Balance> ListenerManager::balanceOf(Entry& entry) {
  if (!entry.balance) {
    entry.balance = std::make_shared<listener::Balance>(workers_.size());
    entry.balance->post = [&workers = workers_](size_t index, std::function<void(listener::WorkerListeners&)> work) {
      workers.at(index).post([work = std::move(work)](Worker& worker) { work(worker.listeners()); });
    };
  }
  return entry.balance;
}

// UDP sessions go on answering from addresses that their listener does not have any more.
void ListenerManager::letGo(Generation& generation, const Generation* next) {
  rememberDrained(generation, next);
  if (!generation.compiled.isUdp()) return;
  std::erase_if(answering_, [this](const auto& entry) { return entry.second <= main_.now(); });
  for (const net::Address& address : generation.bound) {
    const bool kept = next != nullptr && next->compiled.isUdp() &&
                      std::find(next->bound.begin(), next->bound.end(), address) != next->bound.end();
    if (!kept) answering_[address] = main_.now() + drain_time_ + std::chrono::seconds(1);
  }
}

// One all of whose chains go on drains nothing.
void ListenerManager::rememberDrained(Generation& generation, const Generation* next) {
  const auto goesOn = [next](const listener::FilterChain& chain) {
    return std::any_of(
        next->compiled.chains.begin(), next->compiled.chains.end(),
        [&chain](const listener::FilterChain& other) { return other.content_hash == chain.content_hash; });
  };
  const auto& chains = generation.compiled.chains;
  if (next != nullptr && !generation.compiled.isUdp() && std::all_of(chains.begin(), chains.end(), goesOn)) return;
  forgetDrained();
  const std::string& name = generation.compiled.name;
  if (drained_.size() >= kMaxDrained && !drained_.contains(name)) return;
  drained_[name] = {std::move(generation.proto), generation.version, generation.updated, main_.now() + drain_time_};
  if (!drained_end_.armed()) drained_end_.arm(drain_time_);
}

void ListenerManager::forgetDrained() {
  std::erase_if(drained_, [now = main_.now()](const auto& entry) { return entry.second.until <= now; });
  if (!drained_.empty() && !drained_end_.armed()) drained_end_.arm(drain_time_);
}

void ListenerManager::startAccepting() {
  accepting_ = true;
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  for (const std::string& name : names) tryActivate(name);
}

void ListenerManager::remove(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.is_static) return;
  const std::vector<net::Address> bound =
      found->second.active ? found->second.active->bound : std::vector<net::Address>();
  if (found->second.active) letGo(*found->second.active, nullptr);
  const config::InitTarget first = std::move(found->second.first);
  entries_.erase(found);
  sockets_.erase(name);
  closing_.insert(bound.begin(), bound.end());
  workers_.postAll(
      main_, [name, drain_time = drain_time_](Worker& worker) { worker.listeners().remove(name, drain_time); },
      [this, bound] {
        for (const net::Address& address : bound) closing_.erase(closing_.find(address));
      });
  cells_.add(removed_);
  showCounts();
  logger_.info("listener", "listener '", name, "' is removed");
}

void ListenerManager::showCounts() {
  int64_t active = 0, warming = 0;
  for (const auto& [name, entry] : entries_) {
    active += entry.active != nullptr;
    warming += entry.warming != nullptr;
  }
  cells_.set(total_active_, active);
  cells_.set(total_warming_, warming);
}

void ListenerManager::drainAll(std::optional<std::chrono::milliseconds> drain_time) {
  draining_ = true;
  workers_.postAll([time = drain_time.value_or(drain_time_)](Worker& worker) { worker.listeners().drainAll(time); });
}

void ListenerManager::drainInbound() {
  inbound_drained_ = true;
  workers_.postAll([time = drain_time_](Worker& worker) { worker.listeners().drainAll(time, true); });
}

void ListenerManager::askToEnd(listener::AskToEnd whom) {
  workers_.postAll([whom](Worker& worker) { worker.listeners().askToEnd(whom); });
}

}  // namespace sluice::server
