#include "source/listener/listener.h"

#include <sys/socket.h>

#include <cerrno>

#include "source/listener/chain_choice.h"
#include "source/listener/chain_guard.h"
#include "source/listener/chain_pairs.h"

namespace sluice::listener {
namespace {

// How long accepting rests when the process has no descriptors left.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

// One listening socket of this worker.
class WorkerListeners::Socket : private event::FdHandler {
 public:
  Socket(WorkerListeners& owner, const net::Address& address, uint64_t hash, net::Fd fd)
      : owner_(owner),
        address_(address),
        hash_(hash),
        fd_(std::move(fd)),
        watch_(owner.worker_.loop.watch(fd_.get(), event::kReadable, event::Trigger::kLevel, *this)),
        rest_(owner.worker_.loop.timers(), [this] { watch_->setInterest(event::kReadable); }) {}

  const net::Address& address() const { return address_; }
  bool is(const net::Address& address, uint64_t hash) const { return address_ == address && hash_ == hash; }
  int fd() const { return fd_.get(); }
  void pause() {
    watch_->setInterest(0);
    rest_.arm(kAcceptPause);
  }

  Active* listener = nullptr;

 private:
  void onFdEvents(uint32_t) override;

  WorkerListeners& owner_;
  net::Address address_;
  uint64_t hash_;
  net::Fd fd_;
  std::unique_ptr<event::FdWatch> watch_;
  event::Timer rest_;
};

using ConnectionList = base::List<filter::LiveConnection>;

struct WorkerListeners::Active {
  std::shared_ptr<const ListenerConfig> config;
  std::vector<std::unique_ptr<Socket>> sockets;
  ConnectionList waiting;                                    // in listener filters
  std::vector<std::unique_ptr<ConnectionList>> connections;  // of each of the configuration's chains
};

void WorkerListeners::Socket::onFdEvents(uint32_t) {
  owner_.acceptSome(*this, listener->config->accept_batch);
}

struct WorkerListeners::Draining {
  explicit Draining(event::Loop& loop) : deadline(loop.timers(), [this] { cut(); }) {}
  Cut cut() {
    Cut result;
    while (!connections.empty()) {
      ++result.total;
      if (connections.front().closeNow("drain_timeout")) ++result.busy;
    }
    return result;
  }
  ConnectionList connections;
  event::Timer deadline;
};

WorkerListeners::WorkerListeners(worker::WorkerServices& worker)
    : worker_(worker), descriptors_(&worker.buffers.descriptors) {}

WorkerListeners::~WorkerListeners() {
  closeAll();
}

void WorkerListeners::acceptSome(Socket& socket, int limit) {
  for (int i = 0; i < limit; ++i) {
    sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    net::Fd fd(accept4(socket.fd(), address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return outOfDescriptors(socket);
      }
      if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO || errno == EPERM) continue;
      return;
    }
    if (fd.get() >= descriptors_->end) return outOfDescriptors(socket);
    filter::Accepted accepted;
    if (!count(*socket.listener->config, accepted.counted)) continue;
    const net::Address remote = net::Address::fromSockaddr(address, length);
    // A wildcard address says nothing about where the client came in.
    const bool ask = socket.address().isIp() && (socket.address().isAny() || socket.listener->config->transparent);
    const net::Address local = ask ? net::localAddress(fd.get()) : socket.address();
    if (local.isIp()) net::setNoDelay(fd.get());
    accepted.fd = std::move(fd);
    accepted.remote = accepted.direct_remote = remote;
    accepted.local = accepted.direct_local = local;
    // What the kernel gave us by its destination (TPROXY) was not sent to where we listen.
    if (ask && local.port() != socket.address().port()) accepted.direct_local = socket.address();
    this->accepted(*socket.listener, std::move(accepted));
  }
}

void WorkerListeners::outOfDescriptors(Socket& socket) {
  worker_.cells.add(socket.listener->config->stats.cx_overflow);
  descriptors_->refused();
  socket.pause();
}

// False: one more would be too many.
bool WorkerListeners::count(const ListenerConfig& config, filter::Counted& counted) {
  if (!counted.process.take(config.process_limit)) {
    worker_.cells.add(config.stats.global_cx_overflow);
    return false;
  }
  if (!counted.listener.take(config.limit)) {
    worker_.cells.add(config.stats.cx_overflow);
    return false;
  }
  return true;
}

void WorkerListeners::accepted(Active& listener, filter::Accepted accepted) {
  if (listener.config->balance && passOn(listener.config, accepted)) return;
  const std::shared_ptr<const ListenerConfig> config = listener.config;
  arrived(config, &listener, std::move(accepted));
}

// Counts the connection for the worker that has the fewest, and sends it there if that is another one.
bool WorkerListeners::passOn(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted& accepted) {
  const std::shared_ptr<Balance>& balance = config->balance;
  size_t least = worker_.index;
  for (size_t i = 0; i < balance->counts.size(); ++i) {
    if (balance->counts[i].connections.load(std::memory_order_relaxed) <
        balance->counts[least].connections.load(std::memory_order_relaxed)) {
      least = i;
    }
  }
  std::atomic<uint32_t>& count = balance->counts[least].connections;
  count.fetch_add(1, std::memory_order_relaxed);
  accepted.counted.balance =
      std::shared_ptr<void>(&count, [balance, &count](void*) { count.fetch_sub(1, std::memory_order_relaxed); });
  if (least == worker_.index) return false;
  // std::function wants copies, so the connection travels behind a pointer.
  auto travelling = std::make_shared<filter::Accepted>(std::move(accepted));
  balance->post(least, [config, travelling](WorkerListeners& other) { other.take(config, std::move(*travelling)); });
  return true;
}

void WorkerListeners::take(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted accepted) {
  arrived(config, find(config->name), std::move(accepted));
}

// To the listener's filters, if it has any.
void WorkerListeners::arrived(const std::shared_ptr<const ListenerConfig>& config, Active* listener,
                              filter::Accepted accepted, bool handed_over) {
  worker_.cells.add(config->stats.cx_total);
  if (config->filters.empty()) return serve(*config, listener, std::move(accepted));
  FilterProgress progress;
  progress.handed_over = handed_over;
  if (!progress.begin(config->filters, worker_)) return worker_.cells.add(config->stats.extension_config_missing);
  const auto state = progress.run(config->filters, accepted, scratch(), worker_.cells, false);
  if (state != FilterProgress::State::kWaiting) return inspected(config, std::move(accepted), state, handed_over);
  ConnectionList& waiting = listener != nullptr ? listener->waiting : early_;
  waiting.pushBack(Inspection::start(worker_.loop, *this, config, std::move(accepted), progress));
}

// A connection goes by the configuration that it was accepted under, whatever became of the listener meanwhile.
void WorkerListeners::inspected(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted accepted,
                                FilterProgress::State state, bool handed_over) {
  switch (state) {
    case FilterProgress::State::kDone:
      if (config->use_original_dst && !handed_over && !(accepted.local == accepted.direct_local)) {
        Active* other = findByDestination(accepted.local);
        if (other != nullptr && other->config->name != config->name) {
          const std::shared_ptr<const ListenerConfig> its = other->config;
          if (!accepted.counted.listener.take(its->limit)) return worker_.cells.add(its->stats.cx_overflow);
          return arrived(its, other, std::move(accepted), true);
        }
      }
      return serve(*config, find(config->name), std::move(accepted));
    case FilterProgress::State::kPeerEnded:
      return worker_.cells.add(config->stats.filter_remote_close);
    default:
      return worker_.cells.add(config->stats.filter_error);
  }
}

void WorkerListeners::inspectionTimedOut(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted accepted,
                                         FilterProgress progress) {
  worker_.cells.add(config->stats.pre_cx_timeout);
  if (!config->continue_on_filters_timeout) return;
  if (!progress.goOnWithoutBytes(config->filters, accepted, worker_.cells)) {
    return worker_.cells.add(config->stats.filter_error);
  }
  serve(*config, find(config->name), std::move(accepted));
}

char* WorkerListeners::scratch() {
  if (!scratch_) scratch_ = std::make_unique<char[]>(FilterProgress::kScratch);
  return scratch_.get();
}

WorkerListeners::Active* WorkerListeners::find(const std::string& name) {
  const auto found = active_.find(name);
  return found == active_.end() ? nullptr : found->second.get();
}

std::shared_ptr<const ListenerConfig> WorkerListeners::configOf(const std::string& name) {
  const Active* listener = find(name);
  return listener == nullptr ? nullptr : listener->config;
}

// The listener of exactly this address, else the one of its port on all addresses.
WorkerListeners::Active* WorkerListeners::findByDestination(const net::Address& destination) {
  auto found = by_address_.find(destination);
  if (found == by_address_.end() && destination.isIp()) {
    const char* any = destination.family() == net::Address::Family::kIpv4 ? "0.0.0.0" : "::";
    found = by_address_.find(*net::Address::fromIp(any, destination.port()));
  }
  return found == by_address_.end() ? nullptr : found->second;
}

void WorkerListeners::indexAddresses(Active& active, const ListenerConfig* before, const ListenerConfig* after) {
  if (before != nullptr) {
    for (const net::Address& address : before->addresses) {
      const auto found = by_address_.find(address);
      if (found != by_address_.end() && found->second == &active) by_address_.erase(found);
    }
  }
  if (after != nullptr) {
    for (const net::Address& address : after->addresses) by_address_[address] = &active;
  }
}

// Chooses the chain; without one the connection is closed. `listener`: null if it is gone.
void WorkerListeners::serve(const ListenerConfig& config, Active* listener, filter::Accepted accepted) {
  const std::optional<size_t> chain = chainOf(config, accepted);
  if (!chain) return worker_.cells.add(config.stats.no_filter_chain_match);
  const FilterChain& chosen = config.chains[*chain];
  accepted.buffer_limit = config.buffer_limit;
  if (chosen.transport != nullptr) {
    if (!chosen.transport->notReady().empty()) return worker_.cells.add(config.stats.context_secrets_not_ready);
    accepted.transport = chosen.transport->make({});
    accepted.transport_timeout = chosen.transport_timeout;
  }
  accepted.guard = guardOf(config, accepted);
  if (accepted.guard) accepted.chosen_chain = ServerNameGuard::handleOf(*chain);
  if (listener == nullptr || listener->config.get() != &config) {
    return serveLate(config, chosen, listener, std::move(accepted));
  }
  hand(config, chosen, std::move(accepted), *listener->connections[*chain]);
}

// Who connects to an internal listener has no other place to go.
bool WorkerListeners::asksToEnd(const ListenerConfig& config) const {
  if (config.internal) return false;
  return ask_to_end_ == AskToEnd::kAll || (ask_to_end_ == AskToEnd::kInbound && config.inbound);
}

void WorkerListeners::hand(const ListenerConfig& config, const FilterChain& chain, filter::Accepted accepted,
                           ConnectionList& list) {
  filter::Counted counted = std::move(accepted.counted);
  const filter::LiveConnection* last = list.empty() ? nullptr : &list.back();
  chain.terminal->serve(std::move(accepted), worker_, list);
  // It is the last one now, unless it has ended already.
  if (list.empty() || &list.back() == last) return;
  counted.active = {worker_.cells, config.stats.connections};
  list.back().counted = std::move(counted);
  if (asksToEnd(config)) list.back().drainAtAnswer();
}

// The listener was updated or removed while the connection waited: its chain may live on, otherwise it drains at once.
void WorkerListeners::serveLate(const ListenerConfig& config, const FilterChain& chain, Active* listener,
                                filter::Accepted accepted) {
  for (size_t i = 0; listener != nullptr && i < listener->config->chains.size(); ++i) {
    const FilterChain& present = listener->config->chains[i];
    if (present.content_hash != chain.content_hash) continue;
    return hand(*listener->config, present, std::move(accepted), *listener->connections[i]);
  }
  ConnectionList late;
  hand(config, chain, std::move(accepted), late);
  drainConnections(late, drain_time_);
}

void WorkerListeners::set(std::shared_ptr<const ListenerConfig> config, std::vector<net::Fd> sockets,
                          std::chrono::milliseconds drain_time) {
  drain_time_ = drain_time;
  if (config->udp.filter) {
    removeTcp(config->name, drain_time);
    return setUdp(std::move(config), std::move(sockets), drain_time);
  }
  removeUdp(config->name, drain_time);
  std::unique_ptr<Active>& slot = active_[config->name];
  if (!slot) slot = std::make_unique<Active>();
  Active& active = *slot;
  const std::shared_ptr<const ListenerConfig> before = std::exchange(active.config, config);
  indexAddresses(active, before.get(), config.get());

  std::vector<std::unique_ptr<Socket>> old = std::exchange(active.sockets, {});
  size_t next_new = 0;
  for (const net::Address& address : config->bind ? config->addresses : std::vector<net::Address>()) {
    std::unique_ptr<Socket> socket;
    for (auto& candidate : old) {
      if (candidate && candidate->is(address, config->socket_hash)) socket = std::move(candidate);
    }
    if (!socket) {
      socket = std::make_unique<Socket>(*this, address, config->socket_hash, std::move(sockets[next_new++]));
    }
    socket->listener = &active;
    active.sockets.push_back(std::move(socket));
  }
  // Addresses and sockets that are gone: what their accept queues hold is still served.
  for (auto& socket : old) {
    if (socket) acceptSome(*socket, INT32_MAX);
  }
  adoptConnections(active, before.get(), drain_time);
}

// Connections go over to the chain that is the same as theirs; those of chains that are gone or changed drain.
void WorkerListeners::adoptConnections(Active& active, const ListenerConfig* before,
                                       std::chrono::milliseconds drain_time) {
  std::vector<std::unique_ptr<ConnectionList>> old = std::exchange(active.connections, {});
  const std::span<const FilterChain> chains_before =
      before != nullptr ? before->chains : std::span<const FilterChain>();
  for (const std::optional<size_t>& same : pairChains(chains_before, active.config->chains)) {
    active.connections.push_back(same ? std::move(old[*same]) : std::make_unique<ConnectionList>());
  }
  for (const auto& list : old) {
    if (list) drainConnections(*list, drain_time);
  }
}

void WorkerListeners::drainConnections(base::List<filter::LiveConnection>& connections,
                                       std::chrono::milliseconds drain_time) {
  std::erase_if(draining_, [](const auto& group) { return group->connections.empty(); });
  if (connections.empty()) return;
  connections.forEach([](filter::LiveConnection& connection) { connection.drain(); });
  auto group = std::make_unique<Draining>(worker_.loop);
  group->connections.takeAll(connections);
  group->deadline.arm(drain_time);
  draining_.push_back(std::move(group));
}

void WorkerListeners::setUdp(std::shared_ptr<const ListenerConfig> config, std::vector<net::Fd> sockets,
                             std::chrono::milliseconds drain_time) {
  std::unique_ptr<UdpListener>& listener = udp_[config->name];
  if (!listener) listener = std::make_unique<UdpListener>(worker_);
  listener->set(std::move(config), std::move(sockets), drain_time);
}

void WorkerListeners::removeUdp(const std::string& name, std::chrono::milliseconds drain_time) {
  const auto found = udp_.find(name);
  if (found == udp_.end()) return;
  found->second->close(drain_time);
  std::erase_if(udp_leaving_, [](const auto& listener) { return listener->sessions() == 0; });
  udp_leaving_.push_back(std::move(found->second));
  udp_.erase(found);
}

void WorkerListeners::remove(const std::string& name, std::chrono::milliseconds drain_time) {
  removeUdp(name, drain_time);
  removeTcp(name, drain_time);
}

void WorkerListeners::removeTcp(const std::string& name, std::chrono::milliseconds drain_time) {
  const auto found = active_.find(name);
  if (found == active_.end()) return;
  drain_time_ = drain_time;
  Active& active = *found->second;
  for (auto& socket : active.sockets) acceptSome(*socket, INT32_MAX);
  active.sockets.clear();
  indexAddresses(active, active.config.get(), nullptr);
  drainConnections(active.waiting, drain_time);
  for (const auto& list : active.connections) drainConnections(*list, drain_time);
  active_.erase(found);
}

void WorkerListeners::drainAll(std::chrono::milliseconds drain_time, bool inbound_only) {
  std::vector<std::string> names;
  for (const auto& [name, active] : active_) {
    // Who drains may still need internal ones for what it was asked before.
    if (!active->config->internal && (!inbound_only || active->config->inbound)) names.push_back(name);
  }
  for (const std::string& name : names) remove(name, drain_time);
  for (auto at = udp_.begin(); at != udp_.end();) {
    if (inbound_only && !at->second->inbound()) {
      ++at;
      continue;
    }
    at->second->drain(drain_time);
    udp_leaving_.push_back(std::move(at->second));
    at = udp_.erase(at);
  }
}

void WorkerListeners::askToEnd(AskToEnd whom) {
  const AskToEnd before = std::exchange(ask_to_end_, whom);
  for (const auto& [name, active] : active_) {
    const bool asked = before == AskToEnd::kAll || (before == AskToEnd::kInbound && active->config->inbound);
    if (asked || !asksToEnd(*active->config)) continue;
    for (const auto& list : active->connections) {
      list->forEach([](filter::LiveConnection& connection) { connection.drain(); });
    }
  }
}

WorkerListeners::Cut WorkerListeners::closeAll() {
  Cut cut, inner;
  auto closeList = [](ConnectionList& connections, Cut& counts) {
    while (!connections.empty()) {
      ++counts.total;
      if (connections.front().closeNow("server_shutdown")) ++counts.busy;
    }
  };
  closeList(early_, cut);
  for (auto& [name, active] : active_) {
    Cut& counts = active->config->internal ? inner : cut;
    closeList(active->waiting, counts);
    for (const auto& list : active->connections) closeList(*list, counts);
  }
  for (auto& group : draining_) closeList(group->connections, cut);
  cut.total += udpSessions();
  udp_.clear();
  udp_leaving_.clear();
  return cut;
}

size_t WorkerListeners::connections() const {
  size_t count = 0;
  auto countList = [&count](ConnectionList& connections) {
    connections.forEach([&count](filter::LiveConnection&) { ++count; });
  };
  countList(const_cast<ConnectionList&>(early_));
  for (const auto& [name, active] : active_) {
    if (active->config->internal) continue;
    countList(active->waiting);
    for (const auto& list : active->connections) countList(*list);
  }
  for (const auto& group : draining_) countList(group->connections);
  return count + udpSessions();
}

size_t WorkerListeners::udpSessions() const {
  size_t count = 0;
  for (const auto& [name, listener] : udp_) count += listener->sessions();
  for (const auto& listener : udp_leaving_) count += listener->sessions();
  return count;
}

}  // namespace sluice::listener
