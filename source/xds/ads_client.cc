#include "source/xds/ads_client.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::xds {

AdsClient::AdsClient(Options options, std::unique_ptr<Transport> transport, event::Loop& loop,
                     std::function<uint64_t()> random)
    : options_(std::move(options)),
      node_(std::make_shared<envoy::config::core::v3::Node>(options_.node)),
      encoder_(wireEncoder(options_.variant)),
      loop_(loop),
      backoff_(options_.backoff, std::move(random)),
      reconnect_timer_(loop.timers(), [this] { connect(); }),
      deadline_timer_(loop.timers(), [this] { onDeadlines(); }),
      transport_(std::move(transport)) {}

AdsClient::~AdsClient() = default;

// --- subscriptions

void AdsClient::addType(TypeOptions options, ResourceWatcher& watcher) {
  machines_.push_back(std::make_unique<SubscriptionMachine>(
      SubscriptionMachine::Options{std::move(options.type_url), options_.variant, options.initial_fetch_timeout},
      watcher));
  if (stats_.connected) machines_.back()->onStreamStart(loop_.now());
}

void AdsClient::subscribe(std::string_view type_url, std::string_view name,
                          std::optional<std::chrono::milliseconds> fetch_timeout) {
  get(type_url).subscribe(name, loop_.now(), fetch_timeout);
  armDeadlines();
  scheduleFlush();
}

void AdsClient::unsubscribe(std::string_view type_url, std::string_view name) {
  get(type_url).unsubscribe(name);
  scheduleFlush();
}

void AdsClient::setInterest(std::string_view type_url, const std::vector<std::string>& names) {
  get(type_url).setInterest(names, loop_.now());
  armDeadlines();
  scheduleFlush();
}

std::unique_ptr<AdsClient::Pause> AdsClient::pause(std::string_view type_url) {
  return std::make_unique<Pause>(*this, get(type_url));
}

SubscriptionMachine* AdsClient::find(std::string_view type_url) const {
  for (const auto& machine : machines_) {
    if (typeName(machine->typeUrl()) == typeName(type_url)) return machine.get();
  }
  return nullptr;
}

SubscriptionMachine& AdsClient::get(std::string_view type_url) const {
  SubscriptionMachine* machine = find(type_url);
  if (machine == nullptr) std::abort();  // a type that was never added: an error of ours
  return *machine;
}

// --- the stream

void AdsClient::start() {
  connect();
}

void AdsClient::connect() {
  ++stats_.streams;
  const std::string_view method = options_.own_type.empty() ? aggregatedMethod(options_.variant)
                                                            : ownStreamMethod(options_.own_type, options_.variant);
  transport_->connect(method, *this);
}

void AdsClient::onConnected() {
  stats_.connected = true;
  node_sent_ = false;
  ack_order_.clear();
  for (const auto& machine : machines_) machine->onStreamStart(loop_.now());
  flush();
}

void AdsClient::onClosed(const absl::Status& status) {
  stats_.connected = false;
  stats_.last_error = status.ToString();
  ++stats_.failures;
  ack_order_.clear();
  for (const auto& machine : machines_) {
    machine->onStreamEnd();
    machine->countAttempt();
    machine->countFailure();
  }
  const std::chrono::milliseconds wait = backoff_.next();
  log(absl::StrCat("xDS stream ended: ", stats_.last_error, "; what was accepted goes on serving; next attempt in ",
                   wait.count(), " ms"));
  reconnect_timer_.arm(wait);
}

void AdsClient::onMessage(std::string_view bytes) {
  backoff_.reset();
  stats_.last_error.clear();
  absl::StatusOr<Response> response = encoder_.decodeResponse(bytes);
  if (!response.ok()) {
    ++stats_.bad_messages;
    log(absl::StrCat("xDS message dropped: ", std::string(response.status().message())));
    return;
  }
  dispatch(*std::move(response));
}

void AdsClient::dispatch(Response response) {
  if (!response.control_plane.empty()) stats_.identifier = response.control_plane;
  if (response.type_url.empty()) response.type_url = options_.own_type;
  SubscriptionMachine* machine = find(response.type_url);
  if (machine == nullptr || !machine->onResponse(response, loop_.now())) {
    ++stats_.unexpected_types;
    log(absl::StrCat("xDS response dropped: nobody asked for type \"", response.type_url, "\""));
    return;
  }
  ack_order_.push_back(machine);
  armDeadlines();
  flush();
}

// --- sending

void AdsClient::runAtTurnEnd() {
  flush();
}

void AdsClient::flush() {
  while (transport_->writable() && sendNext()) {
  }
}

bool AdsClient::sendNext() {
  if (!ack_order_.empty()) {
    SubscriptionMachine& machine = *ack_order_.front();
    ack_order_.erase(ack_order_.begin());
    send(machine, machine.takeAck());
    return true;
  }
  for (const auto& machine : machines_) {
    if (!machine->interestDue()) continue;
    send(*machine, machine->takeInterest());
    return true;
  }
  return false;
}

void AdsClient::send(SubscriptionMachine& machine, Request request) {
  if (!node_sent_ || !options_.set_node_on_first_message_only) request.node = node_;
  node_sent_ = true;
  machine.countAttempt();
  transport_->send(encoder_.encode(request));
}

// --- time

void AdsClient::armDeadlines() {
  std::optional<TimePoint> next;
  for (const auto& machine : machines_) {
    const std::optional<TimePoint> deadline = machine->nextDeadline();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  if (next) {
    deadline_timer_.armAt(*next);
  } else {
    deadline_timer_.cancel();
  }
}

void AdsClient::onDeadlines() {
  for (size_t i = 0; i < machines_.size(); ++i) machines_[i]->onTime(loop_.now());  // a watcher may add types
  armDeadlines();
  scheduleFlush();
}

// --- views

StreamStats AdsClient::streamStats() const {
  StreamStats stats = stats_;
  stats.pending_requests = ack_order_.size();
  for (const auto& machine : machines_) stats.pending_requests += machine->interestDue() ? 1 : 0;
  return stats;
}

SubscriptionStats AdsClient::stats(std::string_view type_url) const {
  return get(type_url).stats();
}

std::vector<Verdict> AdsClient::verdicts(std::string_view type_url) const {
  return get(type_url).verdicts();
}

std::vector<std::string> AdsClient::types() const {
  std::vector<std::string> types;
  for (const auto& machine : machines_) types.push_back(machine->typeUrl());
  return types;
}

void AdsClient::log(const std::string& line) const {
  if (log_) log_(line);
}

}  // namespace sluice::xds
