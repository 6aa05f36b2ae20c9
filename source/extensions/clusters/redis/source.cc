#include "source/extensions/clusters/redis/source.h"

#include <algorithm>
#include <set>
#include <utility>

namespace sluice::extensions::clusters::redis {

using upstream::cluster::Assignment;
using upstream::cluster::AssignmentPtr;

// --- what workers tell

void Signals::listen(Source* source, event::Loop* loop) {
  const std::lock_guard<std::mutex> lock(mutex_);
  source_ = source;
  loop_ = loop;
}

void Signals::count(std::atomic<uint32_t>& counter, uint32_t limit) {
  if (limit == 0 || counter.fetch_add(1, std::memory_order_relaxed) + 1 != limit) return;
  counter.store(0, std::memory_order_relaxed);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (loop_ != nullptr) loop_->post([self = shared_from_this()] { self->tell(); });
}

// On main, as is whoever ends listening.
void Signals::tell() {
  Source* source = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    source = source_;
  }
  if (source != nullptr) source->refreshSoon();
}

// --- the source

Source::Source(const World& world, Owner owner, const Settings& settings, Topology& topology,
               std::shared_ptr<Signals> signals, Receiver& receiver)
    : cluster_(owner.cluster),
      loop_(world.loop),
      resolver_(world.resolver),
      settings_(settings),
      topology_(topology),
      signals_(std::move(signals)),
      receiver_(receiver),
      random_(owner.seed),
      timer_(world.loop.timers(), [this] { onTimer(); }) {
  signals_->listen(this, &loop_);
}

Source::~Source() {
  signals_->listen(nullptr, nullptr);
}

void Source::start() {
  begin();
}

void Source::onTimer() {
  if (!asking_) return begin();
  why_ = "no answer in time";
  askNext();
}

void Source::refreshSoon() {
  if (asking_) return;
  const event::TimePoint earliest = asked_ + settings_.least_interval;
  if (earliest <= loop_.now()) return begin();
  if (earliest < timer_.deadline()) timer_.armAt(earliest);
}

void Source::shuffle(std::vector<net::Address>& nodes) {
  for (size_t i = nodes.size(); i > 1; --i) std::swap(nodes[i - 1], nodes[random_.below(i)]);
}

void Source::begin() {
  asking_ = true;
  asked_ = loop_.now();
  next_name_ = 0;
  why_ = "no node is known";
  ++updates_.attempts;
  std::vector<net::Address> known;
  std::set<net::Address> seen;
  for (const SlotMap::Range& range : topology_.slots.ranges) {
    if (seen.insert(range.primary).second) known.push_back(range.primary);
  }
  shuffle(known);
  std::vector<net::Address> seeds = settings_.seeds;
  shuffle(seeds);
  nodes_.assign(known.begin(), known.end());
  nodes_.insert(nodes_.end(), seeds.begin(), seeds.end());
  askNext();
}

void Source::askNext() {
  question_.reset();
  query_.reset();
  while (!nodes_.empty()) {
    const net::Address node = nodes_.front();
    nodes_.pop_front();
    if (askNode(node)) return;
  }
  resolveNext();
}

void Source::resolveNext() {
  if (next_name_ == settings_.names.size()) return fail();
  const auto& [name, port] = settings_.names[next_name_++];
  timer_.arm(settings_.timeout);
  query_ = resolver_.resolve(name, settings_.lookup_family, [this, port = port](net::DnsResult result) {
    if (result.addresses.empty()) why_ = result.detail;
    for (const net::Address& address : result.addresses) nodes_.push_back(address.withPort(port));
    askNext();
  });
}

// False: it cannot even begin.
bool Source::askNode(const net::Address& node) {
  timer_.arm(settings_.timeout);
  const std::string password = settings_.auth ? settings_.auth->of(node).command() : std::string();
  auto question = Question::ask({loop_, buffers_, node, settings_.connect, settings_.transport.get(), password},
                                [this, node](auto answer, std::string_view why) { onAnswer(node, answer, why); });
  if (!question.ok()) {
    why_ = std::string(question.status().message());
    return false;
  }
  question_ = *std::move(question);
  return true;
}

void Source::onAnswer(const net::Address& node, std::optional<std::string_view> answer, std::string_view why) {
  std::optional<SlotMap> slots = answer ? slotsOf(*answer, node) : std::nullopt;
  if (slots) return take(*std::move(slots));
  why_ = node.toString() + ": " + std::string(answer ? "no slots of hosts with addresses were told" : why);
  askNext();
}

// Last thing that is done: the receiver may destroy this.
void Source::fail() {
  asking_ = false;
  ++updates_.failures;
  timer_.arm(settings_.refresh_rate);
  if (!warm_) receiver_.onNoEndpoints("no node of the Redis Cluster answered: " + why_);
}

// The same.
void Source::take(SlotMap slots) {
  question_.reset();
  asking_ = false;
  ++updates_.successes;
  timer_.arm(settings_.refresh_rate);
  if (warm_ && slots == topology_.slots) {
    ++updates_.no_rebuild;
    return;
  }
  warm_ = true;
  topology_.slots = std::move(slots);
  receiver_.onEndpoints(assignment());
}

AssignmentPtr Source::assignment() const {
  auto out = std::make_shared<Assignment>();
  auto& endpoints = out->localities.emplace_back().endpoints;
  std::set<net::Address> seen;
  const auto add = [&](const net::Address& address) {
    if (seen.insert(address).second) endpoints.emplace_back().address = address;
  };
  for (const SlotMap::Range& range : topology_.slots.ranges) {
    add(range.primary);
    for (const net::Address& replica : range.replicas) add(replica);
  }
  return out;
}

}  // namespace sluice::extensions::clusters::redis
