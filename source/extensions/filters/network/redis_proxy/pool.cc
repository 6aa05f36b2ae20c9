#include "source/extensions/filters/network/redis_proxy/pool.h"

#include <algorithm>
#include <utility>

#include "source/base/murmur_hash.h"
#include "source/base/text.h"
#include "source/extensions/filters/network/redis_proxy/redirection.h"

namespace sluice::extensions::network_filters::redis_proxy {

using upstream::cluster::Host;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;

namespace {

class KeyContext final : public upstream::lb::LbContext {
 public:
  KeyContext(std::string_view hashed, const redis::Target& target)
      : hash_(base::murmurHash2(hashed, base::kMurmurSeed)) {
    redis = &target;
  }
  std::optional<uint64_t> hash() const override { return hash_; }

 private:
  const uint64_t hash_;
};

bool hasSlots(const upstream::WorkerCluster& cluster) {
  return cluster.config().kind && cluster.config().kind->hasSlots();
}

// Above this many addresses the rates are begun anew.
constexpr size_t kMaxRates = 4096;

}  // namespace

// --- a request

Request::~Request() {
  if (client_ != nullptr) client_->forget(number_);
}

void Request::sendOn(Client& client, std::string_view command) {
  client_ = &client;
  number_ = client.send(command, this);
}

void Request::onAnswer(std::string_view frame) {
  client_ = nullptr;
  if (!command_.empty() && follow(frame)) return;
  pool_.countByName(*this, redis::typeOf(frame) == redis::Type::kError ? "failure" : "success");
  events_.onAnswer(frame);
}

void Request::onLost() {
  pool_.noteLost(*client_);
  client_ = nullptr;
  pool_.countByName(*this, "failure");
  events_.onLost();
}

// False: the answer is for the client.
bool Request::follow(std::string_view frame) {
  const std::optional<Redirection> target = redirectionOf(frame);
  if (!target || redirections_ == Pool::kMaxRedirections) return false;
  ++redirections_;
  if (!target->asking) pool_.noteMoved(cluster_);
  asking_ = target->asking;
  wanted_ = target->host;
  if (pool_.redirect(*this)) return true;
  unknown_host_ = frame;
  pool_.wait(*this);
  return true;
}

// --- the pool

Pool::Pool(worker::WorkerServices& worker, PoolSettings settings)
    : worker_(worker),
      settings_(settings),
      clusters_(worker.part<upstream::ClusterSet>()),
      wait_timer_(worker.loop.timers(), [this] { giveUpWaiting(); }) {
  clusters_.watch(*this);
}

Pool::~Pool() = default;

HostSlot Pool::pick(upstream::WorkerCluster& cluster, const Place& place) {
  const std::string_view hashed = settings_.hashtags ? redis::hashTag(place.key) : place.key;
  const redis::Target target{redis::keySlot(place.key), place.writes ? redis::Read::kPrimary : settings_.read};
  return cluster.pick(KeyContext(hashed, target));
}

Client* Pool::clientOf(Cluster cluster, HostSlot slot) {
  if (slot == kNoHost) return nullptr;
  const Host* const host = cluster->hostPtr(slot).get();
  const auto known = clients_.find(host);
  if (known != clients_.end()) {
    if (&known->second->cluster() == cluster.get()) return known->second.get();
    leaving_.push_back(std::move(known->second));
    clients_.erase(known);
    worker_.loop.atTurnEnd(*this);
  }
  if (!mayConnect(*host)) {
    cluster->lateCounts().add("redis_cluster.connection_rate_limited");
    return nullptr;
  }
  Client::Ptr client = Client::open(worker_, settings_, std::move(cluster), slot, *this);
  Client* const made = client.get();
  if (made != nullptr) clients_.emplace(host, std::move(client));
  return made;
}

bool Pool::mayConnect(const Host& host) {
  if (settings_.connections_per_second == 0) return true;
  if (rates_.size() > kMaxRates) rates_.clear();
  auto& bucket = rates_[host.addressText()];
  if (!bucket) {
    const uint32_t rate = settings_.connections_per_second;
    bucket = std::make_unique<base::TokenBucket>(rate, rate, std::chrono::seconds(1));
  }
  return bucket->take(worker_.loop.now());
}

Client* Pool::clientFor(const Place& place) {
  Cluster cluster = clusters_.find(place.cluster);
  if (!cluster) return nullptr;
  const HostSlot slot = pick(*cluster, place);
  if (slot == kNoHost) worker_.cells.add(cluster->context().stats.cx_none_healthy);
  return clientOf(std::move(cluster), slot);
}

std::unique_ptr<Request> Pool::send(const Place& place, std::string command, AnswerEvents& events) {
  Client* const client = clientFor(place);
  if (client == nullptr) return nullptr;
  std::unique_ptr<Request> request(new Request(events, *this));
  request->sendOn(*client, command);
  request->cluster_ = client->cluster().id();
  if (settings_.redirections) request->command_ = std::move(command);
  if (settings_.command_stats) request->name_ = place.name;
  countByName(*request, "total");
  return request;
}

void Pool::sendCopy(const Place& place, std::string_view command) {
  Client* const client = clientFor(place);
  if (client == nullptr) return;
  if (client->backlog() >= kMaxCopies) {
    worker_.cells.add(client->cluster().context().stats.rq_pending_overflow);
  } else {
    client->send(command, nullptr);
  }
}

std::unique_ptr<Request> Pool::sendOn(Client& client, std::string_view command, AnswerEvents& events) {
  std::unique_ptr<Request> request(new Request(events, *this));
  request->sendOn(client, command);
  return request;
}

Client::Ptr Pool::openOwn(const Place& place, Client::Owner& owner) {
  Cluster cluster = clusters_.find(place.cluster);
  if (!cluster) return nullptr;
  const HostSlot slot = pick(*cluster, place);
  if (slot == kNoHost || !mayConnect(*cluster->hostPtr(slot))) return nullptr;
  return Client::open(worker_, settings_, std::move(cluster), slot, owner);
}

Client* Pool::clientOfSlot(const Cluster& cluster, uint16_t slot) {
  const redis::Target target{slot, redis::Read::kPrimary};
  return clientOf(cluster, cluster->pick(KeyContext({}, target)));
}

Client* Pool::anyHost(upstream::ClusterId id) {
  const Cluster cluster = clusters_.find(id);
  if (!cluster) return nullptr;
  if (hasSlots(*cluster)) return clientOfSlot(cluster, static_cast<uint16_t>(worker_.random.below(redis::kSlots)));
  const auto entries = cluster->hosts().entries();
  if (entries.empty()) return nullptr;
  return clientOf(cluster, entries[worker_.random.below(entries.size())].host->slot());
}

std::vector<Client*> Pool::everyHost(upstream::ClusterId id) {
  std::vector<Client*> out;
  const Cluster cluster = clusters_.find(id);
  if (!cluster) return out;
  std::vector<HostSlot> slots;
  if (hasSlots(*cluster)) {
    for (uint16_t slot = 0; slot < redis::kSlots; ++slot) {
      const redis::Target target{slot, redis::Read::kPrimary};
      const HostSlot host = cluster->pick(KeyContext({}, target));
      if (host != kNoHost && (slots.empty() || slots.back() != host)) slots.push_back(host);
    }
  } else {
    for (const auto& entry : cluster->hosts().entries()) slots.push_back(entry.host->slot());
  }
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  for (const HostSlot slot : slots) out.push_back(clientOf(cluster, slot));
  return out;
}

// --- redirections

Client* Pool::clientAt(upstream::ClusterId id, const net::Address& address) {
  Cluster cluster = clusters_.find(id);
  if (!cluster) return nullptr;
  for (const auto& entry : cluster->hosts().entries()) {
    if (entry.host->address() == address) return clientOf(std::move(cluster), entry.host->slot());
  }
  return nullptr;
}

// False: there is no such host (yet).
bool Pool::redirect(Request& request) {
  Client* const client = clientAt(request.cluster_, request.wanted_);
  if (client == nullptr) return false;
  noteRedirected(request.cluster_, true);
  if (request.asking_) client->send(redis::command({"ASKING"}), nullptr);
  request.sendOn(*client, request.command_);
  return true;
}

void Pool::noteRedirected(upstream::ClusterId id, bool succeeded) {
  if (const Cluster cluster = clusters_.find(id)) {
    const auto& stats = cluster->context().stats;
    worker_.cells.add(succeeded ? stats.internal_redirect_succeeded : stats.internal_redirect_failed);
  }
}

void Pool::noteMoved(upstream::ClusterId id) {
  const Cluster cluster = clusters_.find(id);
  if (cluster && cluster->config().kind) cluster->config().kind->noteRedirection();
}

void Pool::noteLost(const Client& client) {
  if (client.cluster().config().kind) client.cluster().config().kind->noteFailure();
}

void Pool::countByName(const Request& request, std::string_view what) {
  if (request.name_.empty()) return;
  if (const Cluster cluster = clusters_.find(request.cluster_)) {
    cluster->lateCounts().add(base::strCat("upstream_commands.", request.name_, ".", what));
  }
}

// Only a cluster that learns its hosts may come to know it; others pass the answer on.
void Pool::wait(Request& request) {
  const Cluster cluster = clusters_.find(request.cluster_);
  const bool learns = cluster && hasSlots(*cluster);
  request.give_up_ = worker_.loop.now() + (learns ? settings_.op_timeout : milliseconds(0));
  waiting_.pushBack(request);
  if (!wait_timer_.armed() || request.give_up_ < wait_timer_.deadline()) wait_timer_.armAt(request.give_up_);
}

void Pool::lookAgain() {
  base::List<Request> looked;
  looked.takeAll(waiting_);
  while (!looked.empty()) {
    Request& request = looked.front();
    request.unlink();
    if (!redirect(request)) waiting_.pushBack(request);
  }
}

// Whoever is told may give up others meanwhile.
void Pool::giveUpWaiting() {
  const event::TimePoint now = worker_.loop.now();
  base::List<Request> late;
  event::TimePoint next = event::TimePoint::max();
  waiting_.forEach([&](Request& request) {
    if (request.give_up_ <= now) {
      late.pushBack(request);
    } else {
      next = std::min(next, request.give_up_);
    }
  });
  if (next != event::TimePoint::max()) wait_timer_.armAt(next);
  while (!late.empty()) {
    Request& request = late.front();
    request.unlink();
    noteRedirected(request.cluster_, false);
    countByName(request, "failure");
    const std::string answer = std::move(request.unknown_host_);
    request.events_.onAnswer(answer);
  }
}

// --- connections that end

void Pool::onClientOver(Client& client) {
  const auto known = clients_.find(client.host().get());
  if (known != clients_.end() && known->second.get() == &client) return static_cast<void>(clients_.erase(known));
  std::erase_if(leaving_, [&client](const Client::Ptr& each) { return each.get() == &client; });
}

void Pool::onClientIdle(Client& client) {
  const auto leaving = [&client](const Client::Ptr& each) { return each.get() == &client; };
  if (std::any_of(leaving_.begin(), leaving_.end(), leaving)) worker_.loop.atTurnEnd(*this);
}

// Clusters have changed, or one that leaves has nothing to do any more.
void Pool::runAtTurnEnd() {
  for (auto at = clients_.begin(); at != clients_.end();) {
    const Client& client = *at->second;
    const Cluster now = clusters_.find(client.cluster().id());
    if (now.get() == &client.cluster() && now->hosts().host(client.host()->slot()) == client.host().get()) {
      ++at;
      continue;
    }
    leaving_.push_back(std::move(at->second));
    clients_.erase(at++);
  }
  for (auto at = leaving_.begin(); at != leaving_.end();) {
    if (!(*at)->idle()) {
      ++at;
      continue;
    }
    (*at)->countDrained();
    at = leaving_.erase(at);
  }
  lookAgain();
}

}  // namespace sluice::extensions::network_filters::redis_proxy
