#include "source/listener/udp_listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "source/listener/listener.h"

namespace sluice::listener {
namespace {

// A client may send without end: a socket that goes is read that often at most.
constexpr int kLastReads = 1000;

}  // namespace

// A port and its watch. What it was made with may change, its address does not.
class UdpListener::Socket : private event::FdHandler {
 public:
  Socket(UdpListener& owner, const net::Address& address, uint64_t hash, net::Fd fd)
      : port(base::makeLocal<filter::UdpPort>(address, std::move(fd))), hash_(hash), owner_(owner) {
    watch();
  }

  bool is(const net::Address& address) const { return port->address() == address; }
  uint64_t hash() const { return hash_; }

  // Another socket of the same address; what the old one holds has been read.
  void exchange(uint64_t hash, net::Fd fd) {
    watch_.reset();
    port->exchange(std::move(fd));
    hash_ = hash;
    lost = 0;
    watch();
  }
  void stopWatching() { watch_.reset(); }

  const base::LocalPtr<filter::UdpPort> port;
  uint32_t lost = 0;  // as the kernel told last

 private:
  void onFdEvents(uint32_t) override { owner_.read(*this); }
  void watch() {
    if (port->address().isAny()) net::setTellLocal(port->fd(), port->address());
    net::setTellLost(port->fd());
    watch_ = owner_.worker_.loop.watch(port->fd(), event::kReadable, event::Trigger::kLevel, *this);
  }

  uint64_t hash_;
  UdpListener& owner_;
  std::unique_ptr<event::FdWatch> watch_;
};

UdpListener::UdpListener(worker::WorkerServices& worker)
    : worker_(worker), datagrams_(worker.part<filter::DatagramWorker>()) {}

UdpListener::~UdpListener() = default;

void UdpListener::set(std::shared_ptr<const ListenerConfig> config, std::vector<net::Fd> sockets,
                      std::chrono::milliseconds drain_time) {
  const std::shared_ptr<const ListenerConfig> before = std::exchange(config_, std::move(config));
  const bool same = before && before->udp.filter_hash == config_->udp.filter_hash;
  if (!same && (!service_ || !service_->update(*config_->udp.filter, drain_time))) {
    service_ = config_->udp.filter->serve(worker_);
  }

  std::vector<std::unique_ptr<Socket>> old = std::exchange(sockets_, {});
  size_t next_new = 0;
  for (const net::Address& address : config_->addresses) {
    std::unique_ptr<Socket> socket;
    for (auto& candidate : old) {
      if (candidate && candidate->is(address)) socket = std::move(candidate);
    }
    if (!socket) {
      socket = std::make_unique<Socket>(*this, address, config_->socket_hash, std::move(sockets[next_new++]));
    } else if (socket->hash() != config_->socket_hash) {
      retire(*socket);
      socket->exchange(config_->socket_hash, std::move(sockets[next_new++]));
    }
    net::setGro(socket->port->fd(), config_->udp.prefer_gro);
    sockets_.push_back(std::move(socket));
  }
  for (auto& socket : old) {
    if (!socket) continue;
    retire(*socket);
    service_->drain(socket->port.get(), drain_time);
  }
}

void UdpListener::close(std::chrono::milliseconds drain_time) {
  for (auto& socket : sockets_) retire(*socket);
  service_->drain(nullptr, drain_time);
  sockets_.clear();
}

void UdpListener::drain(std::chrono::milliseconds drain_time) {
  if (service_->sessions() == 0) return close(drain_time);
  service_->drain(nullptr, drain_time);
}

bool UdpListener::inbound() const {
  return config_->inbound;
}

size_t UdpListener::sessions() const {
  return service_->sessions();
}

// Nothing more comes to a socket that is connected to itself, and it still sends; so nothing is lost between its last
// read and its end. The kernel gives what comes from now on to the sockets that follow it, or tells the sender.
void UdpListener::retire(Socket& socket) {
  socket.stopWatching();
  const net::Address& self = socket.port->address();
  [[maybe_unused]] const int connected = connect(socket.port->fd(), self.sockaddrPointer(), self.sockaddrLength());
  readAll(socket);
}

void UdpListener::readAll(Socket& socket) {
  for (int i = 0; i < kLastReads; ++i) {
    read(socket);
    if (datagrams_.batch.datagrams().empty() && datagrams_.batch.oversized() == 0) return;
  }
}

void UdpListener::read(Socket& socket) {
  net::DatagramBatch& batch = datagrams_.batch;
  filter::UdpPort& port = *socket.port;
  const ListenerConfig& config = *config_;
  const int error = batch.receive(port.fd(), {config.udp.max_rx_datagram_size, config.udp.prefer_gro, &port.address()});
  if (error != 0) {
    if (error != EAGAIN && error != EINTR) service_->onReadError();
    return;
  }
  size_t dropped = batch.oversized();
  if (batch.lost() != 0) dropped += batch.lost() - std::exchange(socket.lost, batch.lost());
  if (dropped > 0) worker_.cells.add(config.stats.udp_rx_dropped, dropped);
  service_->onDatagrams(port, batch.datagrams());
}

}  // namespace sluice::listener
