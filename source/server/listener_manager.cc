#include "source/server/listener_manager.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sluice::server {
namespace {

bool isInbound(const ListenerManager::Proto& proto) {
  return proto.traffic_direction() == envoy::config::core::v3::INBOUND;
}

}  // namespace

ListenerManager::ListenerManager(event::Loop& main, Workers& workers, RouteManager& routes,
                                 observability::StatsRegistry& stats, observability::StatsCells& cells,
                                 observability::Logger& logger, std::chrono::milliseconds drain_time,
                                 listener::ConnectionLimits& limits)
    : main_(main),
      workers_(workers),
      routes_(routes),
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
      create_failure_(stats.counter("listener_manager.listener_create_failure")) {
  routes_.on_filled = [this](const ResourceKey&) { activateWarm(); };
}

void ListenerManager::activateWarm() {
  std::vector<std::string> warming;
  for (const auto& [name, entry] : entries_) {
    if (entry.warming) warming.push_back(name);
  }
  for (const std::string& name : warming) tryActivate(name);
}

bool ListenerManager::isStatic(const std::string& name) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.is_static;
}

bool ListenerManager::knowsUnchanged(const std::string& name, uint64_t content_hash, const std::string& version) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return false;
  Generation* newest = found->second.warming ? found->second.warming.get() : found->second.active.get();
  if (newest == nullptr || newest->compiled.content_hash != content_hash) return false;
  newest->version = version;
  return true;
}

net::ListenOptions ListenerManager::optionsOf(const config::CompiledListener& compiled, const net::Address& address) {
  net::ListenOptions options{.datagram = compiled.isUdp(),
                             .backlog = compiled.backlog,
                             .reuse_port = compiled.reuse_port,
                             .options = compiled.socket_options};
  for (const auto& [path, mode] : compiled.unix_modes) {
    if (path == address) options.unix_mode = mode;
  }
  return options;
}

// One socket for each worker and each address that the listener does not hold yet.
absl::StatusOr<ListenerManager::Pending> ListenerManager::openSockets(const Generation* before, Generation& next) {
  Pending opened;
  opened.sockets.resize(workers_.size());
  if (!next.compiled.bind) {
    next.bound = next.compiled.addresses;
    return opened;
  }
  for (const net::Address& wanted : next.compiled.addresses) {
    net::Address address = wanted;
    bool ours = false;  // held by sockets that were made otherwise
    if (before != nullptr) {
      const auto& old = before->compiled.addresses;
      if (const auto same = std::find(old.begin(), old.end(), wanted); same != old.end()) {
        address = before->bound[same - old.begin()];
        if (before->compiled.socket_hash == next.compiled.socket_hash) {
          next.bound.push_back(address);
          continue;
        }
        ours = before->compiled.bind && before->compiled.isUdp() == next.compiled.isUdp();
        const bool abstract = address.isUnix() && address.toString().front() == '@';
        if (ours && (abstract || (address.isIp() && !(before->compiled.reuse_port && next.compiled.reuse_port)))) {
          return absl::FailedPreconditionError(
              absl::StrCat("how the socket of ", address.toString(),
                           " is made cannot change while it is in use, because two of them cannot be bound at once",
                           abstract ? "" : " without enable_reuse_port", "; remove the listener first"));
        }
      }
    }
    if (const std::optional<net::Address> bound =
            takePending(before, next.compiled.name, wanted, next.compiled.socket_hash, opened)) {
      next.bound.push_back(*bound);
      continue;
    }
    if (absl::Status other = checkOurs(next, address); !other.ok()) return other;
    // A listener that was removed a moment ago may still hold the address; its sockets share it until they are closed.
    const auto answering = answering_.find(address);
    ours |= next.compiled.isUdp() && answering != answering_.end() && main_.now() < answering->second;
    if (!ours && !closing_.contains(address)) {
      if (absl::Status free = net::probeFree(address, optionsOf(next.compiled, address)); !free.ok()) return free;
    } else if (address.isUnix()) {
      unlink(address.toString().c_str());
    }
    if (absl::Status status = openAt(address, next, opened); !status.ok()) return status;
    next.bound.push_back(address);
    opened.addresses.push_back(address);
  }
  return opened;
}

// Another listener of ours on the address is told as such; SO_REUSEPORT would let both bind.
absl::Status ListenerManager::checkOurs(const Generation& next, const net::Address& address) const {
  for (const auto& [name, entry] : entries_) {
    if (name == next.compiled.name) continue;
    for (const Generation* other : {entry.active.get(), entry.warming.get()}) {
      if (other == nullptr || address.port() == 0 || other->compiled.isUdp() != next.compiled.isUdp()) continue;
      if (std::find(other->bound.begin(), other->bound.end(), address) != other->bound.end()) {
        return absl::AlreadyExistsError(
            absl::StrCat("address in use: ", address.toString(), " belongs to listener '", name, "'"));
      }
    }
  }
  return absl::OkStatus();
}

// `address`: with port 0 it becomes the one that the kernel gave.
absl::Status ListenerManager::openAt(net::Address& address, const Generation& next, Pending& opened) const {
  const net::ListenOptions options = optionsOf(next.compiled, address);
  std::vector<std::vector<net::Fd>>& sockets = opened.sockets;
  for (size_t i = 0; i < sockets.size(); ++i) {
    if (i > 0 && (address.isUnix() || !options.reuse_port)) {  // one socket, shared: the workers take turns
      net::Fd shared(fcntl(sockets[0].back().get(), F_DUPFD_CLOEXEC, 0));
      if (!shared.valid()) return absl::ResourceExhaustedError("no descriptors left for listening sockets");
      sockets[i].push_back(std::move(shared));
      continue;
    }
    absl::StatusOr<net::Fd> fd = net::prepareListening(address, options);
    if (!fd.ok()) return fd.status();
    if (address.isIp() && address.port() == 0) address = net::localAddress(fd->get());
    sockets[i].push_back(*std::move(fd));
  }
  return absl::OkStatus();
}

// Sockets that the generation which waits has opened for the address are shared with the next one: if that is refused,
// the waiting one goes on. Gives the address that they are bound to.
std::optional<net::Address> ListenerManager::takePending(const Generation* active, const std::string& name,
                                                         const net::Address& wanted, uint64_t socket_hash,
                                                         Pending& out) const {
  const auto pending = sockets_.find(name);
  const auto known = entries_.find(name);
  if (pending == sockets_.end() || known == entries_.end() || !known->second.warming) return std::nullopt;
  const Generation& warming = *known->second.warming;
  if (warming.compiled.socket_hash != socket_hash) return std::nullopt;
  size_t opened = 0;  // how many of its addresses so far have sockets of their own
  for (size_t i = 0; i < warming.compiled.addresses.size(); ++i) {
    const net::Address& address = warming.compiled.addresses[i];
    if (active != nullptr) {
      const auto& old = active->compiled.addresses;
      if (active->compiled.socket_hash == socket_hash && std::find(old.begin(), old.end(), address) != old.end()) {
        continue;
      }
    }
    if (address == wanted) {
      for (size_t worker = 0; worker < out.sockets.size(); ++worker) {
        out.sockets[worker].emplace_back(fcntl(pending->second.sockets[worker][opened].get(), F_DUPFD_CLOEXEC, 0));
      }
      out.addresses.push_back(warming.bound[i]);
      return warming.bound[i];
    }
    ++opened;
  }
  return std::nullopt;
}

absl::Status ListenerManager::set(config::CompiledListener compiled, Proto proto, std::vector<ResourceKey> rds,
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
  next->waits_for = std::move(rds);
  next->version = version;
  next->updated = std::chrono::system_clock::now();
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
  tryActivate(name);
  return absl::OkStatus();
}

observability::StatsHold ListenerManager::makeStats(observability::StatsRegistry& registry,
                                                    const Generation& generation, listener::ListenerStats& stats) {
  std::string stat_name = generation.compiled.stat_name;
  if (generation.proto.stat_prefix().empty() && !generation.bound.empty()) stat_name = generation.bound[0].toString();
  observability::Scope scope = registry.scope("listener", stat_name);
  stats.cx_total = scope.counter("downstream_cx_total");
  stats.cx_overflow = scope.counter("downstream_cx_overflow");
  stats.global_cx_overflow = scope.counter("downstream_global_cx_overflow");
  stats.context_secrets_not_ready = scope.counter("downstream_context_secrets_not_ready");
  stats.no_filter_chain_match = scope.counter("no_filter_chain_match");
  stats.pre_cx_timeout = scope.counter("downstream_pre_cx_timeout");
  stats.filter_remote_close = scope.counter("downstream_listener_filter_remote_close");
  stats.filter_error = scope.counter("downstream_listener_filter_error");
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

bool ListenerManager::isWarm(const Generation& generation) const {
  for (const ResourceKey& table : generation.waits_for) {
    if (!routes_.settled(table)) return false;
  }
  for (const listener::FilterChain& chain : generation.compiled.chains) {
    if (chain.transport && chain.transport->warming()) return false;
  }
  return true;
}

// From here on the kernel takes connections and datagrams for it.
absl::Status ListenerManager::beginListening(const std::string& name, Generation& next) {
  const Pending& pending = sockets_[name];
  for (const std::vector<net::Fd>& sockets : pending.sockets) {
    for (size_t i = 0; i < sockets.size(); ++i) {
      const net::Address& address = pending.addresses[i];
      const bool shared = &sockets != &pending.sockets[0] && (address.isUnix() || !next.compiled.reuse_port);
      if (shared) continue;
      const absl::Status status = net::beginListening(sockets[i].get(), address, optionsOf(next.compiled, address));
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// Another process took the address meanwhile.
void ListenerManager::abandonWarming(const std::string& name, const absl::Status& why) {
  Entry& entry = entries_.at(name);
  cells_.add(create_failure_);
  logger_.error("listener", "listener '", name, "': ", std::string(why.message()),
                entry.active ? "; the last good one goes on serving" : "; it is not served");
  sockets_.erase(name);
  entry.warming.reset();
  if (!entry.active) entries_.erase(name);
  showCounts();
  if (on_serving) on_serving();
}

void ListenerManager::tryActivate(const std::string& name) {
  const auto found = entries_.find(name);
  if (!accepting_ || found == entries_.end() || !found->second.warming || !isWarm(*found->second.warming)) return;
  Entry& entry = found->second;
  Generation& next = *entry.warming;
  if (const absl::Status status = beginListening(name, next); !status.ok()) return abandonWarming(name, status);
  auto serving = std::make_shared<listener::ListenerConfig>();
  serving->name = name;
  serving->addresses = next.bound;
  serving->chains = next.compiled.chains;
  serving->index = next.compiled.index;
  serving->default_chain = next.compiled.default_chain;
  serving->guard = next.compiled.guard;
  serving->bind = next.compiled.bind;
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
  auto sockets = std::make_shared<std::vector<std::vector<net::Fd>>>(std::move(sockets_[name].sockets));
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
  if (on_serving) on_serving();
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
void ListenerManager::letGo(const Generation& generation, const Generation* next) {
  if (!generation.compiled.isUdp()) return;
  std::erase_if(answering_, [this](const auto& entry) { return entry.second <= main_.now(); });
  for (const net::Address& address : generation.bound) {
    const bool kept = next != nullptr && next->compiled.isUdp() &&
                      std::find(next->bound.begin(), next->bound.end(), address) != next->bound.end();
    if (!kept) answering_[address] = main_.now() + drain_time_ + std::chrono::seconds(1);
  }
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
  if (on_serving) on_serving();
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

bool ListenerManager::allServing() const {
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const auto& entry) { return entry.second.active != nullptr; });
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
