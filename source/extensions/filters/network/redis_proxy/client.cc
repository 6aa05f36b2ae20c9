#include "source/extensions/filters/network/redis_proxy/client.h"

#include <utility>

namespace sluice::extensions::network_filters::redis_proxy {

using upstream::HostStream;
using upstream::cluster::HostStat;

namespace {

constexpr auto kPriority = upstream::cluster::RoutingPriority::kDefault;

}  // namespace

Client::Ptr Client::open(worker::WorkerServices& worker, const PoolSettings& settings,
                         base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot,
                         Owner& owner) {
  Ptr client(new Client(worker, settings, cluster, slot, owner));
  HostStream::Opening opening = upstream::TcpConnection::open(std::move(cluster), slot, kPriority, {}, *client);
  client->stream_ = std::move(opening.stream);
  if (!client->stream_) return nullptr;
  client->greet();
  return client;
}

Client::Client(worker::WorkerServices& worker, const PoolSettings& settings,
               base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot, Owner& owner)
    : worker_(worker),
      settings_(settings),
      cluster_(std::move(cluster)),
      host_(cluster_->hostPtr(slot)),
      host_stats_(cluster_->hostStats(*host_)),
      owner_(&owner),
      flush_timer_(worker.loop.timers(), [this] { flush(); }),
      answer_timer_(worker.loop.timers(), [this] {
        context().cells.add(context().stats.rq_timeout);
        host_stats_.add(HostStat::kRqTimeout);
        lost(/*timed_out=*/true);
      }) {}

Client::~Client() = default;

// Commands follow without waiting: what they are answered to says enough.
void Client::greet() {
  const upstream::cluster::RedisAuth* auth = cluster_->config().redis_auth.get();
  const std::string password = auth != nullptr ? auth->of(host_->address()).command() : std::string();
  if (!password.empty()) sendFirst(password);
  const auto& kind = cluster_->config().kind;
  if (settings_.read != redis::Read::kPrimary && kind && kind->hasSlots()) send(redis::command({"READONLY"}), nullptr);
}

uint64_t Client::send(std::string_view command, AnswerEvents* events) {
  context().cells.add(context().stats.rq_total);
  context().cells.add(context().stats.rq_active);
  host_stats_.add(HostStat::kRqTotal);
  host_stats_.add(HostStat::kRqActive);
  pending_.push_back({events, worker_.loop.now()});
  write(command);
  if (connected_ && pending_.size() == 1) watchOldest();
  return first_ + pending_.size() - 1;
}

void Client::sendFirst(std::string_view command) {
  send(command, nullptr);
  pending_.back().needed = true;
}

void Client::forget(uint64_t number) {
  if (number < first_ || number - first_ >= pending_.size()) return;
  pending_[number - first_].events = nullptr;
  context().cells.add(context().stats.rq_cancelled);
}

void Client::write(std::string_view bytes) {
  if (connected_ && settings_.flush_size == 0) return stream_->write(bytes);
  unsent_ += bytes;
  if (!connected_) return;
  if (unsent_.size() >= settings_.flush_size) return flush();
  if (!flush_timer_.armed()) flush_timer_.arm(settings_.flush_after);
}

void Client::flush() {
  flush_timer_.cancel();
  if (unsent_.empty()) return;
  const std::string bytes = std::exchange(unsent_, {});
  stream_->write(bytes);
}

void Client::onHostConnected() {
  connected_ = true;
  for (Pending& pending : pending_) pending.since = worker_.loop.now();
  flush();
  watchOldest();
}

void Client::watchOldest() {
  if (pending_.empty()) return answer_timer_.cancel();
  answer_timer_.armAt(pending_.front().since + settings_.op_timeout);
}

void Client::onHostData(std::string_view bytes) {
  framer_.feed(bytes);
  std::string_view frame;
  while (owner_ != nullptr) {
    switch (framer_.next(frame)) {
      case redis::Framer::Result::kNeedsMore:
        watchOldest();
        if (pending_.empty()) owner_->onClientIdle(*this);
        return;
      case redis::Framer::Result::kBroken:
        context().cells.add(context().stats.cx_protocol_error);
        host_stats_.add(HostStat::kRqError);
        return lost();
      case redis::Framer::Result::kFrame:
        if (pending_.empty()) {
          context().cells.add(context().stats.cx_protocol_error);
          return over();  // nobody asked for it
        }
        answered(frame);
    }
  }
}

void Client::answered(std::string_view frame) {
  const Pending pending = pending_.front();
  pending_.pop_front();
  ++first_;
  countAnswer(frame, pending);
  if (pending.needed && redis::typeOf(frame) == redis::Type::kError) return over();
  if (pending.events != nullptr) pending.events->onAnswer(frame);
}

void Client::countAnswer(std::string_view frame, const Pending& answered) {
  context().cells.sub(context().stats.rq_active);
  host_stats_.sub(HostStat::kRqActive);
  host_stats_.add(redis::typeOf(frame) == redis::Type::kError ? HostStat::kRqError : HostStat::kRqSuccess);
  const event::Duration took = worker_.loop.now() - answered.since;
  context().cells.record(context().stats.rq_time, std::chrono::duration_cast<milliseconds>(took).count());
  if (upstream::OutcomeObserver* const outcomes = cluster_->outcomes()) outcomes->onAnswer(*host_, host_stats_);
}

void Client::lost(bool timed_out) {
  upstream::OutcomeObserver* const outcomes = pending_.empty() ? nullptr : cluster_->outcomes();
  if (outcomes != nullptr) outcomes->onNoAnswer(*host_, host_stats_, timed_out);
  over();
}

// The owner lets go first, so that nobody who is told can send here again. Whoever is told may forget others meanwhile.
void Client::over() {
  if (owner_ == nullptr) return;
  ending_ = true;
  if (!pending_.empty()) context().cells.add(context().stats.cx_destroy_with_active_rq);
  owner_->onClientOver(*this);
  while (!pending_.empty()) {
    AnswerEvents* const events = pending_.front().events;
    pending_.pop_front();
    ++first_;
    countLost();
    if (events != nullptr) events->onLost();
  }
}

void Client::countLost() {
  context().cells.sub(context().stats.rq_active);
  host_stats_.sub(HostStat::kRqActive);
  host_stats_.add(HostStat::kRqError);
}

void Client::letGo() {
  owner_ = nullptr;
  flush_timer_.cancel();
  answer_timer_.cancel();
  if (!ending_) {
    for (size_t i = 0; i < pending_.size(); ++i) countLost();
    pending_.clear();
  }
  stream_.reset();
  worker_.loop.deleteLater(std::unique_ptr<event::Deferred>(this));
}

}  // namespace sluice::extensions::network_filters::redis_proxy
