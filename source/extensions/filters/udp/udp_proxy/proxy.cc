#include "source/extensions/filters/udp/udp_proxy/proxy.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "source/upstream/lb/source_hash.h"
#include "source/upstream/pool/host_place.h"

namespace sluice::extensions::udp_filters::udp_proxy {

using upstream::cluster::Host;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::cluster::Resource;

namespace {

constexpr auto kPriority = upstream::cluster::RoutingPriority::kDefault;

// Those that a balancer may choose.
absl::flat_hash_set<net::Address> eligible(const upstream::cluster::HostSet& hosts) {
  absl::flat_hash_set<net::Address> out;
  for (const auto& tier : hosts.tiers()) {
    for (const auto& group : tier.groups) {
      for (const auto& member : group.members) out.insert(hosts.host(member.slot)->address());
    }
  }
  return out;
}

class Asker final : public upstream::lb::LbContext {
 public:
  Asker(const Settings& settings, const net::Address& client) : settings_(settings), client_(client) {}
  std::optional<uint64_t> hash() const override {
    return settings_.hash_source ? upstream::lb::hashOfSource(client_) : settings_.hash;
  }

 private:
  const Settings& settings_;
  const net::Address& client_;
};

}  // namespace

std::unique_ptr<filter::UdpService> Filter::serve(worker::WorkerServices& worker) const {
  return std::make_unique<Proxy>(worker, settings_);
}

Proxy::Proxy(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings)
    : worker_(worker), clusters_(worker.part<upstream::ClusterSet>()), settings_(std::move(settings)) {
  clusters_.watch(*this);
}

Proxy::~Proxy() {
  for (const auto& session : sessions_) session->close("server_shutdown");
}

void Proxy::onDatagrams(filter::UdpPort& port, std::span<const net::Datagram> datagrams) {
  Session* session = nullptr;
  for (const net::Datagram& datagram : datagrams) {
    const bool goes_on = session != nullptr && !settings_->per_packet &&
                         session->key() == SessionKey{datagram.peer, datagram.local, nullptr};
    Session* its = goes_on ? session : sessionOf(port, datagram);
    if (its != session || run_length_ == run_.size()) flush(session);
    session = its;
    if (session != nullptr) run_[run_length_++] = datagram.payload;
  }
  flush(session);
}

void Proxy::flush(Session* session) {
  if (run_length_ > 0) session->send({run_.data(), std::exchange(run_length_, 0)});
}

void Proxy::onReadError() {
  worker_.cells.add(settings_->stats.rx_errors);
}

// Null: there is none and none may begin; the datagram is dropped.
Session* Proxy::sessionOf(filter::UdpPort& port, const net::Datagram& datagram) {
  if (!settings_->per_packet) {
    const auto known = sessions_.find(SessionKey{datagram.peer, datagram.local, nullptr});
    if (known != sessions_.end()) return known->get();
  }
  observability::StatsCells& cells = worker_.cells;
  const match::Result route = settings_->matcher->evaluate({.remote = &datagram.peer, .local = &datagram.local});
  base::LocalPtr<upstream::WorkerCluster> cluster;
  if (route.state == match::Result::State::kMatched) cluster = clusters_.find(route.action);
  if (!cluster) {
    cells.add(settings_->stats.sess_no_route);
    return nullptr;
  }
  const HostSlot slot = cluster->pick(Asker(*settings_, datagram.peer));
  if (slot == kNoHost) {
    cells.add(cluster->context().stats.cx_none_healthy);
    return nullptr;
  }
  if (settings_->per_packet) {
    const Host* host = cluster->hostPtr(slot).get();
    const auto known = sessions_.find(SessionKey{datagram.peer, datagram.local, host});
    if (known != sessions_.end()) return known->get();
  }
  const upstream::ClusterId id = cluster->id();
  return begin(port, datagram, id, std::move(cluster), slot);
}

Session* Proxy::begin(filter::UdpPort& port, const net::Datagram& datagram, upstream::ClusterId id,
                      base::LocalPtr<upstream::WorkerCluster> cluster, HostSlot slot) {
  observability::StatsCells& cells = worker_.cells;
  const upstream::pool::PoolContext& context = cluster->context();
  if (!begins_) {
    cells.add(settings_->stats.rx_datagrams_dropped);
    return nullptr;
  }
  if (const auto& budget = worker_.part<filter::DatagramWorker>().sessions; budget.used >= budget.limit) {
    cells.add(settings_->stats.sess_overflow);
    return nullptr;
  }
  const Host& host = *cluster->hostPtr(slot);
  const bool has_place = upstream::pool::takeHostPlace(context, host, kPriority);
  if (!has_place || !context.breakers->tryAcquire(Resource::kConnections, kPriority)) {
    if (has_place) upstream::pool::giveHostPlace(context, host, kPriority);
    cells.add(context.stats.cx_overflow);
    return nullptr;
  }
  absl::StatusOr<net::Fd> fd = net::connectDatagram(host.address(), cluster->config().connect);
  if (fd.ok() && !worker_.buffers.descriptors.admit(*fd)) fd = absl::ResourceExhaustedError("no file descriptors left");
  if (!fd.ok()) {
    context.breakers->release(Resource::kConnections, kPriority);
    upstream::pool::giveHostPlace(context, host, kPriority);
    cells.add(context.stats.cx_connect_fail);
    return nullptr;
  }
  Session::Owner& owner = *this;
  auto session = std::make_unique<Session>(owner, worker_, settings_, base::LocalPtr<filter::UdpPort>(&port), datagram,
                                           id, std::move(cluster), slot, *std::move(fd));
  return sessions_.insert(std::move(session)).first->get();
}

void Proxy::sessionExpired(Session& session, std::string_view details) {
  std::unique_ptr<Session> owned = std::move(sessions_.extract(session.key()).value());
  session.close(details);
  worker_.loop.deleteLater(std::move(owned));
}

// The client's next datagram begins another session. An answer that is on its way still arrives.
void Proxy::sessionCut(Session& session, std::string_view details) {
  if (!session.awaitsAnswer()) return sessionExpired(session, details);
  std::unique_ptr<Session> owned = std::move(sessions_.extract(session.key()).value());
  session.answerOnly(kDrainPatience, details);
  sessions_.insert(std::move(owned));
}

template <typename Which>
void Proxy::cutIf(std::string_view details, Which which) {
  std::vector<Session*> chosen;
  for (const auto& session : sessions_) {
    if (!session->answersOnly() && which(*session)) chosen.push_back(session.get());
  }
  for (Session* session : chosen) sessionCut(*session, details);
}

// Sessions of hosts that may not be chosen any more are cut.
void Proxy::onClusterChanged(upstream::ClusterId id) {
  auto isOf = [id](const Session& session) { return session.clusterId() == id; };
  if (std::none_of(sessions_.begin(), sessions_.end(), [&](const auto& session) { return isOf(*session); })) return;
  const base::LocalPtr<upstream::WorkerCluster> cluster = clusters_.find(id);
  if (!cluster) return cutIf("cluster_removed", isOf);
  const absl::flat_hash_set<net::Address> stay = eligible(cluster->hosts());
  cutIf("host_removed",
        [&](const Session& session) { return isOf(session) && !stay.contains(session.host().address()); });
}

bool Proxy::update(const filter::UdpFilter& filter, milliseconds drain_time) {
  const auto* other = dynamic_cast<const Filter*>(&filter);
  if (other == nullptr) return false;
  settings_ = other->settings();
  for (const auto& session : sessions_) session->cutAt(worker_.loop.now() + drain_time);
  return true;
}

void Proxy::drain(const filter::UdpPort* port, milliseconds drain_time) {
  if (port == nullptr) begins_ = false;
  for (const auto& session : sessions_) {
    if (port != nullptr && session->port() != port) continue;
    session->limitSilence(kDrainPatience);
    session->cutAt(worker_.loop.now() + drain_time);
  }
}

}  // namespace sluice::extensions::udp_filters::udp_proxy
