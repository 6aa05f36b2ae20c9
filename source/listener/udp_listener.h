// A UDP listener of one worker: its sockets, and the filter that serves their datagrams.
//
// An update keeps the sockets and the sessions of clients; where sockets have to be others, or go, what they hold is
// served first. Thread: the worker's.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "source/event/loop.h"
#include "source/filter/udp.h"
#include "source/net/socket.h"

namespace sluice::listener {

struct ListenerConfig;

class UdpListener {
 public:
  explicit UdpListener(worker::WorkerServices& worker);
  ~UdpListener();

  // `sockets` are for those of its addresses that have none here yet, or that need one made anew.
  void set(std::shared_ptr<const ListenerConfig> config, std::vector<net::Fd> sockets,
           std::chrono::milliseconds drain_time);
  // Takes no more datagrams, after those that have come already; answers still go out.
  void close(std::chrono::milliseconds drain_time);
  // No new sessions; those that there are go on, both ways.
  void drain(std::chrono::milliseconds drain_time);
  size_t sessions() const;
  bool inbound() const;

 private:
  class Socket;

  void read(Socket& socket);
  void readAll(Socket& socket);
  void retire(Socket& socket);

  worker::WorkerServices& worker_;
  filter::DatagramWorker& datagrams_;
  std::shared_ptr<const ListenerConfig> config_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::unique_ptr<filter::UdpService> service_;
};

}  // namespace sluice::listener
