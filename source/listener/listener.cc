#include "source/listener/listener.h"

#include <sys/socket.h>

#include <cerrno>

namespace sluice::listener {
namespace {

// Connections taken in one go, so that a flood of them does not starve those that are being served.
constexpr int kAcceptBatch = 64;
// How long accepting rests when the process has no descriptors left.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

// One listening socket of this worker.
class WorkerListeners::Socket : private event::FdHandler {
 public:
  Socket(WorkerListeners& owner, const net::Address& address, net::Fd fd)
      : owner_(owner),
        address_(address),
        fd_(std::move(fd)),
        watch_(owner.loop_.watch(fd_.get(), event::kReadable, event::Trigger::kLevel, *this)),
        rest_(owner.loop_.timers(), [this] { watch_->setInterest(event::kReadable); }) {}

  const net::Address& address() const { return address_; }
  int fd() const { return fd_.get(); }
  void pause() {
    watch_->setInterest(0);
    rest_.arm(kAcceptPause);
  }

  Active* listener = nullptr;

 private:
  void onFdEvents(uint32_t) override { owner_.acceptSome(*this, kAcceptBatch); }

  WorkerListeners& owner_;
  net::Address address_;
  net::Fd fd_;
  std::unique_ptr<event::FdWatch> watch_;
  event::Timer rest_;
};

struct WorkerListeners::Active {
  std::shared_ptr<const ListenerConfig> config;
  std::vector<std::unique_ptr<Socket>> sockets;
  base::List<filter::LiveConnection> connections;
};

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
  base::List<filter::LiveConnection> connections;
  event::Timer deadline;
};

WorkerListeners::WorkerListeners(event::Loop& loop, filter::NetworkServices& services, observability::StatsCells& cells)
    : loop_(loop), services_(services), cells_(cells) {}

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
        cells_.add(socket.listener->config->stats.cx_overflow);
        socket.pause();
        return;
      }
      if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO || errno == EPERM) continue;
      return;
    }
    const net::Address remote = net::Address::fromSockaddr(address, length);
    // A wildcard address says nothing about where the client came in.
    const net::Address local =
        socket.address().isIp() && socket.address().isAny() ? net::localAddress(fd.get()) : socket.address();
    if (local.isIp()) net::setNoDelay(fd.get());
    Active& listener = *socket.listener;
    cells_.add(listener.config->stats.cx_total);
    listener.config->chain.terminal->serve(std::move(fd), remote, local, services_, listener.connections);
  }
}

void WorkerListeners::set(std::shared_ptr<const ListenerConfig> config, std::vector<net::Fd> sockets,
                          std::chrono::milliseconds drain_time) {
  std::unique_ptr<Active>& slot = active_[config->name];
  if (!slot) slot = std::make_unique<Active>();
  Active& active = *slot;
  const std::shared_ptr<const ListenerConfig> before = std::exchange(active.config, config);

  std::vector<std::unique_ptr<Socket>> old = std::exchange(active.sockets, {});
  size_t next_new = 0;
  for (const net::Address& address : config->addresses) {
    std::unique_ptr<Socket> socket;
    for (auto& candidate : old) {
      if (candidate && candidate->address() == address) socket = std::move(candidate);
    }
    if (!socket) socket = std::make_unique<Socket>(*this, address, std::move(sockets[next_new++]));
    socket->listener = &active;
    active.sockets.push_back(std::move(socket));
  }
  // Addresses that are gone: what their accept queues hold is still served.
  for (auto& socket : old) {
    if (socket) acceptSome(*socket, INT32_MAX);
  }
  if (before && before->chain.content_hash != config->chain.content_hash) {
    drainConnections(active.connections, drain_time);
  }
}

void WorkerListeners::drainConnections(base::List<filter::LiveConnection>& connections,
                                       std::chrono::milliseconds drain_time) {
  std::erase_if(draining_, [](const auto& group) { return group->connections.empty(); });
  if (connections.empty()) return;
  connections.forEach([](filter::LiveConnection& connection) { connection.drain(); });
  auto group = std::make_unique<Draining>(loop_);
  group->connections.takeAll(connections);
  group->deadline.arm(drain_time);
  draining_.push_back(std::move(group));
}

void WorkerListeners::remove(const std::string& name, std::chrono::milliseconds drain_time) {
  const auto found = active_.find(name);
  if (found == active_.end()) return;
  Active& active = *found->second;
  for (auto& socket : active.sockets) acceptSome(*socket, INT32_MAX);
  active.sockets.clear();
  drainConnections(active.connections, drain_time);
  active_.erase(found);
}

void WorkerListeners::drainAll(std::chrono::milliseconds drain_time) {
  while (!active_.empty()) remove(std::string(active_.begin()->first), drain_time);
}

WorkerListeners::Cut WorkerListeners::closeAll() {
  Cut cut;
  auto closeList = [&cut](base::List<filter::LiveConnection>& connections) {
    while (!connections.empty()) {
      ++cut.total;
      if (connections.front().closeNow("server_shutdown")) ++cut.busy;
    }
  };
  for (auto& [name, active] : active_) closeList(active->connections);
  for (auto& group : draining_) closeList(group->connections);
  return cut;
}

size_t WorkerListeners::connections() const {
  size_t count = 0;
  auto countList = [&count](base::List<filter::LiveConnection>& connections) {
    connections.forEach([&count](filter::LiveConnection&) { ++count; });
  };
  for (const auto& [name, active] : active_) countList(active->connections);
  for (const auto& group : draining_) countList(group->connections);
  return count;
}

}  // namespace sluice::listener
