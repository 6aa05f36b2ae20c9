// Listeners with real workers, for tests of their manager, and tables that they may wait for.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/server/listener_manager.h"
#include "source/server/route_manager.h"
#include "source/server/test_process.h"

using namespace std::chrono_literals;

namespace sluice::server {

// Of a source that is none.
inline ResourceKey of(const std::string& name) {
  return {"", name};
}

inline std::shared_ptr<const route::Table> table(std::string name) {
  route::TableSpec spec;
  spec.name = std::move(name);
  return *route::Table::build(std::move(spec));
}

// Gives what another process has made: sockets that listen already, one for each worker of its.
struct PreparedSockets : net::SocketSource {
  absl::StatusOr<net::TakenSocket> take(const net::SocketRequest& request) override {
    asked.push_back(request.address.toString() + " for " + std::to_string(request.worker));
    const auto known = sockets.find({request.address, request.worker});
    if (known == sockets.end()) return absl::NotFoundError("nobody has prepared " + request.address.toString());
    net::TakenSocket taken{std::move(known->second), true};
    sockets.erase(known);
    return taken;
  }

  std::map<std::pair<net::Address, size_t>, net::Fd> sockets;
  std::vector<std::string> asked;
};

struct ListenerTest : Process {
  explicit ListenerTest(uint32_t workers = 1, bool from_elsewhere = false)
      : Process(workers), sockets(from_elsewhere ? static_cast<net::SocketSource&>(prepared) : opened) {
    routes.on_wanted = [](const ResourceKey&, const auto&) {};
    listeners.boot = &boot;
  }
  absl::Status set(const std::string& name, const net::Address& at, const std::string& generation,
                   std::vector<ResourceKey> waits_for = {}, bool is_static = false) {
    config::CompiledListener compiled;
    compiled.name = name;
    compiled.addresses = {at};
    compiled.backlog = 100;
    compiled.stat_name = stat_name.value_or(name);
    compiled.reuse_port = reuse_port;
    compiled.socket_hash = socket_hash;
    compiled.content_hash = std::hash<std::string>()(generation + at.toString());
    compiled.chains = {{"", compiled.content_hash, std::make_shared<Greeter>(generation)}};
    std::unique_ptr<InitManager> init = listeners.newInit(name);
    config::ErrorList errors;
    for (const ResourceKey& key : waits_for) routes.rds(key.name, {}, init.get(), config::Context(errors));
    if (while_compiling) while_compiling(*init);
    return listeners.set(std::move(compiled), {}, std::move(init), is_static, generation);
  }
  // Whether every listener has a generation that serves.
  bool allServing() const { return boot.waits().empty(); }
  net::Address boundOf(const std::string& name) { return listeners.entries().at(name).active->bound.at(0); }

  bool reuse_port = true;
  std::optional<std::string> stat_name;
  uint64_t socket_hash = 0;
  const net::Address any = *net::Address::fromIp("127.0.0.1", 0);
  RouteManager routes{*main, workers, stats, cells};
  listener::ConnectionLimits limits;
  net::OpenedSockets opened;
  PreparedSockets prepared;
  net::SocketSource& sockets;
  std::function<void(InitManager&)> while_compiling;
  std::vector<std::string> lines;
  observability::Logger log{observability::LogLevel::kInfo,
                            [this](std::string_view line) { lines.emplace_back(line); }};
  ListenerManager listeners{*main, workers, sockets, stats, cells, log, 1000ms, limits};
  InitManager boot{*main, logger, "the test"};
};

}  // namespace sluice::server
