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
      SubscriptionMachine::Options{options.type, options_.variant, options.initial_fetch_timeout, options_.source,
                                   options_.stored ? options_.stored(options.type.url) : nullptr},
      watcher));
  if (stats_.connected) machines_.back()->onStreamStart(loop_.now());
}

void AdsClient::subscribe(std::string_view type_url, std::string_view name,
                          std::optional<std::chrono::milliseconds> fetch_timeout) {
  SubscriptionMachine& machine = get(type_url);
  machine.subscribe(name, loop_.now(), fetch_timeout);
  collectAcks(machine);
  armDeadlines();
  scheduleFlush();
}

void AdsClient::unsubscribe(std::string_view type_url, std::string_view name) {
  SubscriptionMachine& machine = get(type_url);
  machine.unsubscribe(name);
  collectAcks(machine);
  scheduleFlush();
}

void AdsClient::setInterest(std::string_view type_url, const std::vector<std::string>& names) {
  SubscriptionMachine& machine = get(type_url);
  machine.setInterest(names, loop_.now());
  collectAcks(machine);
  armDeadlines();
  scheduleFlush();
}

std::unique_ptr<AdsClient::Pause> AdsClient::pause(std::string_view type_url) {
  return std::make_unique<Pause>(*this, get(type_url));
}

SubscriptionMachine* AdsClient::find(std::string_view type_url) const {
  for (const auto& machine : machines_) {
    if (typeName(machine->type().url) == typeName(type_url)) return machine.get();
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
                                                            : get(options_.own_type).type().ownMethod(options_.variant);
  transport_->connect(method, *this);
}

void AdsClient::retryNow() {
  if (!reconnect_timer_.armed()) return;
  reconnect_timer_.cancel();
  woken_ = true;
  connect();
}

void AdsClient::onConnected() {
  stats_.connected = true;
  node_sent_ = takes_reports_ = false;
  told_.reset();
  report_.clear();
  ack_order_.clear();
  stats_.server = transport_->server();
  const bool same_server = last_server_.value_or(stats_.server) == stats_.server;
  last_server_ = stats_.server;
  for (const auto& machine : machines_) machine->onStreamStart(loop_.now(), same_server);
  flush();
  if (!std::exchange(woken_, false) && up_) up_();
}

void AdsClient::onClosed(const absl::Status& status) {
  stats_.connected = woken_ = false;
  stats_.last_error = status.ToString();
  ++stats_.failures;
  ack_order_.clear();
  waiting_.clear();
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
  waiting_.push_back(*std::move(response));
  takeWaiting();
}

// In the order in which they came: what follows a large response waits until that has been taken.
void AdsClient::takeWaiting() {
  while (!waiting_.empty() && !busy()) {
    Response response = std::move(waiting_.front());
    waiting_.pop_front();
    dispatch(std::move(response));
  }
  if (!busy() || std::exchange(work_posted_, true)) return;
  loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) continueWork();
  });
}

bool AdsClient::busy() const {
  return std::any_of(machines_.begin(), machines_.end(), [](const auto& machine) { return machine->busy(); });
}

// The loop ran meanwhile.
void AdsClient::continueWork() {
  work_posted_ = false;
  for (size_t i = 0; i < machines_.size(); ++i) {
    SubscriptionMachine& machine = *machines_[i];
    if (!machine.busy()) continue;
    machine.step(loop_.now());
    collectAcks(machine);
    armDeadlines();
    flush();
  }
  takeWaiting();
  tellTaken();
}

void AdsClient::tellTaken() {
  if (takes_reports_ && taken_) taken_();
}

void AdsClient::report(const std::vector<ServingReport::Waiting>& waiting) {
  if (!stats_.connected || !takes_reports_ || busy() || !waiting_.empty()) return;
  ServingReport report;
  for (const auto& machine : machines_) {
    const std::string_view type = typeName(machine->type().url);
    if (!machine->nonce().empty()) report.taken.emplace(type, machine->nonce());
    for (const ServingReport::Waiting& one : waiting) {
      if (one.type != type || !machine->holds(one.name)) continue;
      ++report.waiting_count;
      if (report.waiting.size() < ServingReport::kMaxWaiting) report.waiting.push_back(one);
    }
  }
  if (told_ == report) return;
  report_ = encoder_.encode(requestOf(report));
  told_ = std::move(report);
  flush();
}

// What the machine has to answer and is not in the order yet.
void AdsClient::collectAcks(SubscriptionMachine& machine) {
  const auto known = static_cast<size_t>(std::count(ack_order_.begin(), ack_order_.end(), &machine));
  for (size_t i = known; i < machine.acksDue(); ++i) ack_order_.push_back(&machine);
}

void AdsClient::dispatch(Response response) {
  if (!response.control_plane.empty()) {
    stats_.identifier = response.control_plane;
    takes_reports_ = response.control_plane.ends_with(kTakesReports);
  }
  if (response.type_url.empty()) response.type_url = options_.own_type;
  SubscriptionMachine* machine = find(response.type_url);
  const std::string type_url = response.type_url;
  if (machine == nullptr || !machine->onResponse(std::move(response), loop_.now())) {
    ++stats_.unexpected_types;
    log(absl::StrCat("xDS response dropped: nobody asked for type \"", type_url, "\""));
    return;
  }
  collectAcks(*machine);
  armDeadlines();
  flush();
  tellTaken();
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
  if (report_.empty()) return false;
  transport_->send(std::exchange(report_, {}));
  return true;
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
  for (size_t i = 0; i < machines_.size(); ++i) {  // a watcher may add types
    machines_[i]->onTime(loop_.now());
    collectAcks(*machines_[i]);
  }
  takeWaiting();
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
  for (const auto& machine : machines_) types.emplace_back(machine->type().url);
  return types;
}

void AdsClient::log(const std::string& line) const {
  if (log_) log_(line);
}

}  // namespace sluice::xds
