// A worker with listeners, and what they serve, for tests.
#pragma once

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "source/listener/listener.h"
#include "source/worker/test_worker.h"

using namespace std::chrono_literals;

namespace sluice::listener {

// A served connection: knows which generation of the listener made it.
class Served : public filter::LiveConnection {
 public:
  Served(net::Fd fd, std::string by, std::vector<Served*>& all) : fd(std::move(fd)), by(std::move(by)), all_(all) {
    all_.push_back(this);
  }
  ~Served() override { std::erase(all_, this); }
  void drain() override { ++drained; }
  void drainAtAnswer() override { ++to_drain; }
  bool closeNow(std::string_view details) override {
    const bool was_busy = busy;
    last_words = details;
    delete this;
    return was_busy;
  }
  net::Fd fd;
  std::string by;
  int drained = 0;
  int to_drain = 0;
  bool busy = false;
  static inline std::string last_words;

 private:
  std::vector<Served*>& all_;
};

class Server : public filter::TerminalNetworkFilter {
 public:
  Server(std::string name, std::vector<Served*>& all) : name_(std::move(name)), all_(all) {}
  void serve(filter::Accepted accepted, worker::WorkerServices&,
             base::List<filter::LiveConnection>& list) const override {
    list.pushBack(*new Served(std::move(accepted.fd), name_, all_));
    last_remote = accepted.remote;
    last_local = accepted.local;
    last_state = std::move(accepted.state);
  }
  static inline net::Address last_remote, last_local;
  static inline stream::ConnectionStatePtr last_state;

 private:
  std::string name_;
  std::vector<Served*>& all_;
};

struct ListenerTest : worker::testing::WorkerParts {
  ListenerTest() {
    stats.cx_total = registry.counter("cx_total");
    stats.cx_overflow = registry.counter("cx_overflow");
    stats.global_cx_overflow = registry.counter("global_cx_overflow");
  }
  ~ListenerTest() {
    listeners.reset();
    CHECK(all.empty());
  }
  net::Address address() {
    static int count = 0;
    return *net::Address::fromUnixPath("@sluice-listener-" + std::to_string(std::random_device()()) + "-" +
                                       std::to_string(++count));
  }
  // `generation` names what serves; the same `hash` is the same chain.
  void set(const std::string& name, std::vector<net::Address> addresses, const std::string& generation, uint64_t hash,
           const std::vector<net::Address>& fresh) {
    auto config = std::make_shared<ListenerConfig>();
    config->name = name;
    config->addresses = std::move(addresses);
    config->chains = {{"chain", hash, std::make_shared<Server>(generation, all)}};
    config->stats = stats;
    config->inbound = inbound;
    config->process_limit = process_limit;
    config->limit = limit;
    std::vector<net::Fd> sockets;
    for (const net::Address& one : fresh) sockets.push_back(*net::listenOn(one, {}));
    listeners->set(config, std::move(sockets), 10s);
  }
  net::Fd connect(const net::Address& to) {
    absl::StatusOr<net::Fd> fd = net::startConnect(to);
    return fd.ok() ? *std::move(fd) : net::Fd();
  }
  static bool closed(const net::Fd& fd) {
    char byte;
    const ssize_t size = recv(fd.get(), &byte, 1, MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno == ECONNRESET);  // the latter where it had not read all
  }

  base::SharedLimit *process_limit = nullptr, *limit = nullptr;
  bool inbound = false;
  ListenerStats stats;
  std::vector<Served*> all;
  worker::WorkerServices makeServices(uint32_t index) {
    worker::WorkerServices::Setup made_of = setup(no_calls);
    made_of.index = index;
    return worker::WorkerServices(std::move(made_of));
  }
  worker::WorkerServices services = makeServices(0);
  std::unique_ptr<WorkerListeners> listeners = std::make_unique<WorkerListeners>(services);
};

// Wants `bytes` bytes, then tells the first of them as the server name; consumes some of them.
class Wants : public filter::ListenerFilter {
 public:
  explicit Wants(size_t bytes, size_t consumes = 0) : bytes_(bytes), consumes_(consumes) {}
  size_t window() const override { return bytes_; }
  Result inspect(std::string_view bytes, filter::Accepted& accepted, observability::StatsCells&) const override {
    if (bytes.size() < bytes_) return {Verdict::kMore};
    if (bytes.find('!') != bytes.npos) return {Verdict::kClose};
    accepted.server_name = bytes;
    return {Verdict::kDone, consumes_};
  }

 private:
  const size_t bytes_, consumes_;
};

// Serves with a chain each for the server names "abc" and "abd", and one for the others.
struct FilterTest : ListenerTest {
  FilterTest() {
    stats.pre_cx_active = registry.gauge("pre_cx_active");
    stats.pre_cx_timeout = registry.counter("pre_cx_timeout");
    stats.filter_remote_close = registry.counter("remote_close");
    stats.filter_error = registry.counter("error");
    stats.extension_config_missing = registry.counter("config_missing");
  }
  std::shared_ptr<ListenerConfig> filtered(std::vector<std::shared_ptr<const filter::ListenerFilter>> filters) {
    auto index = std::make_shared<ChainIndex>();
    index->add({.server_names = {"abc"}}, 0);
    index->add({.server_names = {"abd"}}, 1);
    auto config = std::make_shared<ListenerConfig>();
    config->name = "l";
    config->addresses = {at};
    config->chains = {{"abc", 1, std::make_shared<Server>("abc", all)},
                      {"abd", 2, std::make_shared<Server>("abd", all)},
                      {"rest", 3, std::make_shared<Server>("rest", all)}};
    config->index = index;
    config->default_chain = 2;
    config->stats = stats;
    for (auto& filter : filters) config->filters.push_back({std::move(filter), nullptr});
    return config;
  }
  void start(std::shared_ptr<ListenerConfig> config) {
    std::vector<net::Fd> sockets;
    sockets.push_back(*net::listenOn(at, {}));
    listeners->set(std::move(config), std::move(sockets), 10s);
  }
  void send(const net::Fd& to, std::string_view bytes) {
    REQUIRE(::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    loop.turn();
  }
  std::string unread(size_t i) {
    char bytes[64];
    const ssize_t size = recv(all.at(i)->fd.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    return {bytes, static_cast<size_t>(std::max<ssize_t>(size, 0))};
  }
  const net::Address at = address();
};

}  // namespace sluice::listener
