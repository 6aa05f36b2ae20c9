// UDP filters: what serves the datagrams that come to a UDP listener.
//
// UDP has no connections, so one filter takes everything: it keeps what it needs of its clients in sessions of its own,
// on each worker for itself. The kernel gives a client's datagrams to the same worker as long as the listener's sockets
// are the same.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "source/base/local_ptr.h"
#include "source/filter/network.h"
#include "source/net/datagram.h"

namespace sluice::filter {

// A UDP socket of a listener on one worker. Sessions hold it: they may still answer when the listener is gone. Its
// socket may be exchanged for another one of the same address.
class UdpPort : public base::LocalCounted {
 public:
  UdpPort(const net::Address& address, net::Fd fd) : address_(address), fd_(std::move(fd)) {}

  const net::Address& address() const { return address_; }
  int fd() const { return fd_.get(); }
  // Gives the present one away.
  net::Fd exchange(net::Fd fd) { return std::exchange(fd_, std::move(fd)); }

  // To `client`, from the address `local` that it knows.
  net::Sent send(const net::Address& client, const net::Address& local,
                 std::span<const std::string_view> payloads) const {
    return net::sendDatagramsTo(fd_.get(), payloads, client, address_.isAny() ? local : net::Address());
  }

 private:
  const net::Address address_;
  net::Fd fd_;
};

// What a worker has for datagrams: a part of it, found by its type.
struct DatagramWorker {
  net::DatagramBatch batch = {};  // for whoever reads datagrams, until the next read
  // How many UDP sessions the worker may have: each costs a descriptor, and who begins one cannot be known.
  struct Budget {
    size_t limit = 16384;
    size_t used = 0;
  } sessions = {};
};

class UdpFilter;

// What a UDP filter does for one listener on one worker. Destruction cuts all its sessions.
class UdpService {
 public:
  virtual ~UdpService() = default;
  // In the order in which they came; `local` of each is set. They are valid during the call.
  virtual void onDatagrams(UdpPort& port, std::span<const net::Datagram> datagrams) = 0;
  // Reading from the listener's socket failed.
  virtual void onReadError() = 0;
  // Another configuration from now on: sessions that there are end by the old one, at the latest after `drain_time`.
  // False if the filter is of another kind: then a new service is wanted.
  virtual bool update(const UdpFilter& filter, std::chrono::milliseconds drain_time) = 0;
  // No session begins on the port any more (null: on none); those that there are end when nothing comes for a while, at
  // the latest after `drain_time`.
  virtual void drain(const UdpPort* port, std::chrono::milliseconds drain_time) = 0;
  virtual size_t sessions() const = 0;
};

// Compiled. Immutable, shared by all workers.
class UdpFilter {
 public:
  virtual ~UdpFilter() = default;
  virtual std::unique_ptr<UdpService> serve(worker::WorkerServices& worker) const = 0;
};

}  // namespace sluice::filter
