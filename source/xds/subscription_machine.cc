#include "source/xds/subscription_machine.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "source/xds/nack_text.h"
#include "source/xds/resource_type.h"

namespace sluice::xds {
namespace {

// The errors of each name, joined.
std::map<std::string_view, std::string> byName(const std::vector<ResourceError>& errors) {
  std::map<std::string_view, std::string> texts;
  for (const ResourceError& error : errors) {
    std::string& text = texts[error.name];
    if (text.size() > kMaxNackText) continue;
    absl::StrAppend(&text, text.empty() ? "" : "; ", errorText(error));
  }
  return texts;
}

// Of what a response says: a server may give the same a new version and nonce each time.
uint64_t contentOf(const Response& response) {
  uint64_t content = absl::HashOf(response.removed);
  for (const Resource& resource : response.resources) {
    content = absl::HashOf(content, resource.name, resource.body != nullptr);
    if (resource.body) content = absl::HashOf(content, resource.body->type_url(), resource.body->value());
  }
  for (const FailedResource& failed : response.failed) {
    content = absl::HashOf(content, failed.name, failed.error.code, failed.error.message);
  }
  return content;
}

}  // namespace

SubscriptionMachine::SubscriptionMachine(Options options, ResourceWatcher& watcher)
    : options_(std::move(options)), watcher_(watcher), stored_(options_.stored) {}

// --- interest

void SubscriptionMachine::subscribe(std::string_view name, TimePoint now,
                                    std::optional<std::chrono::milliseconds> fetch_timeout) {
  if (wants(name)) return;
  const std::chrono::milliseconds timeout = fetch_timeout.value_or(options_.initial_fetch_timeout);
  const auto deadline = timeout.count() > 0 ? std::optional(now + timeout) : std::nullopt;
  if (name == kWildcard) {
    wildcard_ = wildcard_waits_ = true;
    setFetchDeadline(name, wildcard_deadline_, deadline);
  } else {
    Entry& entry = entries_[std::string(name)];
    entry.subscribed = true;
    if (entry.body == nullptr) {
      setState(entry, VerdictState::kRequested, now);
      setFetchDeadline(name, entry.fetch_deadline, deadline);
    }
  }
  markSubscribed(name);
  wantStored(now);
}

void SubscriptionMachine::unsubscribe(std::string_view name) {
  if (!wants(name)) return;
  if (name == kWildcard) {
    wildcard_ = wildcard_waits_ = false;
    setFetchDeadline(name, wildcard_deadline_, std::nullopt);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto current = entry++;
      if (!current->second.subscribed) erase(current);
    }
  } else {
    const auto entry = entries_.find(name);
    entry->second.subscribed = false;
    setFetchDeadline(name, entry->second.fetch_deadline, std::nullopt);
    // With a wildcard the resource may be ours by that too: the server's answer decides.
    if (!wildcard_ || entry->second.body == nullptr) erase(entry);
  }
  markUnsubscribed(name);
}

void SubscriptionMachine::setInterest(const std::vector<std::string>& names, TimePoint now) {
  const std::set<std::string_view> wanted(names.begin(), names.end());
  std::vector<std::string> unwanted;
  for (const auto& [name, entry] : entries_) {
    if (entry.subscribed && !wanted.contains(name)) unwanted.push_back(name);
  }
  if (wildcard_ && !wanted.contains(kWildcard)) unwanted.emplace_back(kWildcard);
  for (const std::string& name : unwanted) unsubscribe(name);
  for (const std::string_view name : wanted) subscribe(name, now);
}

bool SubscriptionMachine::wants(std::string_view name) const {
  if (name == kWildcard) return wildcard_;
  const auto entry = entries_.find(name);
  return entry != entries_.end() && entry->second.subscribed;
}

bool SubscriptionMachine::wantsAny() const {
  return wildcard_ ||
         std::any_of(entries_.begin(), entries_.end(), [](const auto& item) { return item.second.subscribed; });
}

void SubscriptionMachine::markSubscribed(std::string_view name) {
  answerHeld();
  interest_changed_ = true;
  // Out even if the server thinks that it was never taken back: it has to answer. State of the world has no words for
  // that: a request without the name goes first.
  const bool taken_back = to_unsubscribe_.erase(std::string(name)) > 0;
  if (delta()) {
    to_subscribe_.emplace(name);
  } else if (taken_back) {
    renewed_.emplace(name);
  }
}

void SubscriptionMachine::markUnsubscribed(std::string_view name) {
  answerHeld();
  interest_changed_ = true;
  to_subscribe_.erase(std::string(name));
  renewed_.erase(std::string(name));
  if (on_wire_.contains(name) || (name == kWildcard && legacy_wildcard_)) to_unsubscribe_.emplace(name);
}

// --- stream

void SubscriptionMachine::onStreamStart(TimePoint now, bool same_server) {
  onStreamEnd();
  ++stream_;
  stream_up_ = true;
  away_ = false;
  if (!same_server) {
    server_since_ = stream_;
    becomeForeign();
  }
  forgetRejections(now);
}

// What is held came of another server.
void SubscriptionMachine::becomeForeign() {
  version_.clear();
  for (auto& [name, entry] : entries_) entry.foreign = true;
}

// A server that still has what was refused sends it again, as no request says that it is held. One that took it back
// meanwhile has nothing to say, and so it is with its own errors.
void SubscriptionMachine::forgetRejections(TimePoint now) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto current = entry++;
    const VerdictState state = current->second.state;
    if (state != VerdictState::kRejected && state != VerdictState::kFailed) continue;
    if (current->second.body != nullptr) {
      setState(current->second, VerdictState::kAccepted, now);
    } else if (current->second.subscribed) {
      setState(current->second, VerdictState::kRequested, now);
    } else {
      erase(current);
    }
  }
}

void SubscriptionMachine::onStreamEnd() {
  stream_up_ = false;
  away_ = true;
  requested_ = named_ = legacy_wildcard_ = false;
  nonce_.clear();
  acks_.clear();
  refusal_.reset();
  held_.reset();
  on_wire_.clear();
  to_subscribe_.clear();
  to_unsubscribe_.clear();
  renewed_.clear();
  left_out_.clear();
  asked_since_.clear();
}

bool SubscriptionMachine::interestDue() const {
  if (!stream_up_ || paused_ > 0 || busy()) return false;
  if (!requested_) return wantsAny();  // an empty first request would mean "everything"
  if (delta()) return !to_subscribe_.empty() || !to_unsubscribe_.empty();
  // State-of-the-world has no words for leaving a legacy wildcard but naming something.
  return interest_changed_ && (named_ || wantsAny());
}

Request SubscriptionMachine::takeInterest() {
  Request request;
  request.type_url = std::string(options_.type.url);
  if (!delta()) {
    request.version = version_;
    request.response_nonce = nonce_;
    fillSotwNames(request);
  } else if (!requested_) {
    fillFirstDelta(request);
  } else {
    fillDeltaChange(request);
  }
  requested_ = true;
  return request;
}

Request SubscriptionMachine::takeAck() {
  Ack ack = std::move(acks_.front());
  acks_.pop_front();
  Request request;
  request.type_url = std::string(options_.type.url);
  request.response_nonce = std::move(ack.nonce);
  request.error = std::move(ack.error);
  if (delta()) {
    if (paused_ == 0) fillDeltaChange(request);
  } else {
    request.version = std::move(ack.version);
    fillSotwNames(request);
  }
  return request;
}

Request SubscriptionMachine::takePoll() {
  answerHeld();
  std::optional<ErrorDetail> error;
  if (!acks_.empty()) error = std::move(acks_.back().error);
  acks_.clear();
  renewed_.clear();
  Request request = takeInterest();
  request.error = std::move(error);
  // Nothing crosses it.
  left_out_.clear();
  asked_since_.clear();
  return request;
}

void SubscriptionMachine::fillSotwNames(Request& request) {
  for (const auto& [name, entry] : entries_) {
    if (entry.subscribed && !renewed_.contains(name)) request.names.push_back(name);
  }
  // "*" alone goes out in the old form, the empty list, which every server knows, for as long as that has its meaning.
  if (wildcard_ && !renewed_.contains(kWildcard) && (named_ || !request.names.empty()))
    request.names.emplace(request.names.begin(), kWildcard);
  named_ = named_ || !request.names.empty();
  legacy_wildcard_ = !named_;
  std::set<std::string, std::less<>> names(request.names.begin(), request.names.end());
  for (const std::string& name : on_wire_) {
    if (!names.contains(name)) left_out_.push_back(name);
  }
  for (const std::string& name : names) {
    if (!nonce_.empty() && !on_wire_.contains(name)) asked_since_.insert(name);
  }
  on_wire_ = std::move(names);
  to_unsubscribe_.clear();
  interest_changed_ = !renewed_.empty();
  renewed_.clear();
}

// A response came that the server may have sent before it saw the requests since the last one: then it dropped those,
// as their nonce was no longer its last, and thinks that we still want what they left out.
void SubscriptionMachine::doubtLeftOut() {
  for (std::string& name : std::exchange(left_out_, {})) {
    if (wants(name)) {
      const auto entry = entries_.find(name);
      if (entry == entries_.end() || entry->second.body != nullptr) continue;
      interest_changed_ = true;
      renewed_.insert(std::move(name));
    } else {
      on_wire_.insert(name);
      to_unsubscribe_.insert(std::move(name));
    }
  }
}

// An empty response may be the answer to what was asked for last, or have been on its way. If nothing more comes the
// server has nothing.
void SubscriptionMachine::doubtAbsence(const Response& response, TimePoint now) {
  const auto asked = std::exchange(asked_since_, {});
  if (options_.type.complete_set || !response.resources.empty() || !response.failed.empty()) return;
  for (const std::string& name : asked) {
    const auto entry = entries_.find(name);
    if (entry == entries_.end() || entry->second.state != VerdictState::kRequested) continue;
    const TimePoint soon = now + kDoubt;
    auto& deadline = entry->second.fetch_deadline;
    if (!deadline || *deadline > soon) setFetchDeadline(name, deadline, soon);
  }
}

void SubscriptionMachine::fillFirstDelta(Request& request) {
  for (const auto& [name, entry] : entries_) {
    if (entry.subscribed) request.subscribe.push_back(name);
    if (entry.body == nullptr) continue;
    const bool known_there = !entry.stored && !entry.foreign;
    request.initial_versions.emplace(name, known_there ? entry.version : std::string(kForeignVersion));
  }
  legacy_wildcard_ = request.subscribe.empty();
  if (wildcard_ && !legacy_wildcard_) request.subscribe.emplace(request.subscribe.begin(), kWildcard);
  on_wire_ = {request.subscribe.begin(), request.subscribe.end()};
  to_subscribe_.clear();
  to_unsubscribe_.clear();
}

void SubscriptionMachine::fillDeltaChange(Request& request) {
  request.subscribe.assign(to_subscribe_.begin(), to_subscribe_.end());
  request.unsubscribe.assign(to_unsubscribe_.begin(), to_unsubscribe_.end());
  for (const std::string& name : to_unsubscribe_) {
    on_wire_.erase(name);
    if (name == kWildcard) legacy_wildcard_ = false;
  }
  on_wire_.merge(to_subscribe_);
  to_subscribe_.clear();
  to_unsubscribe_.clear();
}

// --- responses: taking them in

bool SubscriptionMachine::onResponse(Response response, TimePoint now) {
  if (!stream_up_ || !requested_) return false;
  if (options_.type.aliases) response = byAliases(std::move(response));
  answerHeld();  // each response is answered
  nonce_ = response.nonce;
  if (refusal_ && now < refusal_->again && contentOf(response) == refusal_->content) {
    held_ = std::move(response);
    if (!delta() && interest_changed_) answerHeld();  // a request that goes out with its nonce would be the answer
  } else {
    begin(std::move(response), now);
  }
  return true;
}

// --- what an earlier process accepted

void SubscriptionMachine::wantStored(TimePoint now) {
  if (stored_ == nullptr || stored_at_) return;
  // Unless it is known to be away the server may have an answer: it is asked for this only now.
  stored_at_ = std::max(away_ ? now : now + kPatience, stored_->from);
}

void SubscriptionMachine::takeStored(TimePoint now, bool only_refused) {
  stored_at_.reset();
  Response response;
  for (const StoredType::Resource& resource : stored_->resources) {
    if (!wildcard_ && !wants(resource.name)) continue;
    const auto known = entries_.find(resource.name);
    const bool is_known = known != entries_.end();
    if (is_known && known->second.body != nullptr) continue;
    if ((is_known && known->second.state == VerdictState::kRejected) != only_refused) continue;
    response.resources.push_back({.name = resource.name, .version = resource.version, .body = resource.body});
  }
  if (!response.resources.empty()) begin(std::move(response), now, true);
}

// From now on the server is believed: what it sent and was refused is as it was before.
void SubscriptionMachine::endStored(TimePoint now) {
  if (stored_ != nullptr) takeStored(now, /*only_refused=*/true);
  stored_.reset();
}

void SubscriptionMachine::begin(Response response, TimePoint now, bool stored) {
  work_ = std::make_unique<Work>();
  work_->response = std::move(response);
  work_->stream = stream_;
  work_->stored = stored;
  work_->plan = makePlan(work_->response);
  if (stored) work_->plan.update.removed.clear();  // what is not there may come all the same
  work_->errors = work_->plan.update.rejected;
  step(now);
}

void SubscriptionMachine::step(TimePoint now) {
  const Plan& plan = work_->plan;
  const bool silent = plan.only_heartbeats && plan.update.removed.empty() && plan.update.failed.empty();
  if (!plan.refused && !silent) {
    const Update part = nextPart();
    std::vector<ResourceError> found = watcher_.onUpdate(part);
    std::move(found.begin(), found.end(), std::back_inserter(work_->errors));
    if (part.more) return;
  }
  finish(now);
}

Update SubscriptionMachine::nextPart() {
  const Update& whole = work_->plan.update;
  const bool first = work_->next == 0;
  const auto from = whole.changed.begin() + static_cast<std::ptrdiff_t>(work_->next);
  const size_t left = whole.changed.size() - work_->next;
  work_->next += options_.type.one_part ? left : std::min(left, kPart);
  Update part{.type_url = options_.type.url, .source = options_.source, .version = whole.version};
  part.changed.assign(from, whole.changed.begin() + static_cast<std::ptrdiff_t>(work_->next));
  part.more = work_->next < whole.changed.size();
  part.stored = work_->stored;
  if (options_.type.removals_first ? first : !part.more) part.removed = whole.removed;
  if (first) {
    part.rejected = whole.rejected;
    part.failed = whole.failed;
    for (const auto& [name, resource] : work_->plan.unchanged) part.repeated.push_back(name);
  }
  return part;
}

void SubscriptionMachine::finish(TimePoint now) {
  const std::unique_ptr<Work> work = std::move(work_);
  const Response& response = work->response;
  const std::vector<ResourceError>& errors = work->errors;
  if (!work->plan.refused) apply(response, work->plan, errors, now, work->stored);
  if (work->stored) return finishStored();
  std::string text = errors.empty() ? std::string() : nackText(options_.type.url, errors);
  if (errors.empty()) {
    version_ = response.version;
    ++stats_.update_success;
    stats_.update_time = now;
    stats_.version_text = response.version;
  } else {
    ++stats_.update_rejected;
  }
  if (work->stream < server_since_) becomeForeign();
  if (work->stream == stream_ && stream_up_) {
    rememberRefusal(response, text, now);
    queueAck(response.nonce, std::move(text));
  }
  if (work->plan.refused) {  // nobody knows what it was for
    for (auto& [name, entry] : entries_) {
      if (!entry.subscribed || entry.body != nullptr || entry.state != VerdictState::kRequested) continue;
      setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
      waits_refused_.push_back(name);
    }
    setFetchDeadline(kWildcard, wildcard_deadline_, std::nullopt);
    if (wildcard_waits_) waits_refused_.emplace_back(kWildcard);
  }
  wildcard_waits_ = false;
  if (!delta() && work->stream == stream_) {
    doubtLeftOut();
    doubtAbsence(response, now);
  }
  if (!work->plan.refused) endStored(now);
  tellWaitsOver();
}

// The server is to be asked as if nothing was held: versions of an earlier process may mean something else by now.
void SubscriptionMachine::finishStored() {
  wildcard_waits_ = false;
  tellWaitsOver();
}

void SubscriptionMachine::rememberRefusal(const Response& response, std::string text, TimePoint now) {
  if (text.empty()) return refusal_.reset();
  const uint64_t content = contentOf(response);
  const bool again = refusal_ && refusal_->content == content;
  const auto wait = again ? std::min(refusal_->wait * 2, kLastRetry) : kFirstRetry;
  refusal_ = Refusal{content, std::move(text), wait, now + wait};
}

// Without another look: as what was refused before.
void SubscriptionMachine::answerHeld() {
  if (!held_) return;
  queueAck(held_->nonce, refusal_->text);
  held_.reset();
}

void SubscriptionMachine::tellWaitsOver() {
  const std::vector<std::string> refused = std::exchange(waits_refused_, {});
  const std::vector<std::string> absent = std::exchange(waits_absent_, {});
  if (!refused.empty()) watcher_.onWaitOver(options_.source, refused, WaitEnd::kRefused);
  if (!absent.empty()) watcher_.onWaitOver(options_.source, absent, WaitEnd::kAbsent);
}

void SubscriptionMachine::apply(const Response& response, const Plan& plan, const std::vector<ResourceError>& errors,
                                TimePoint now, bool stored) {
  setFetchDeadline(kWildcard, wildcard_deadline_, std::nullopt);
  for (const auto& [name, resource] : plan.heartbeats) {
    if (const auto entry = entries_.find(name); entry != entries_.end()) {
      setExpiry(name, entry->second, *resource, now);
    }
  }
  const std::map<std::string_view, std::string> bad = byName(errors);
  const bool refused = bad.contains("");
  bool changed = !refused && !plan.update.removed.empty();
  if (!refused) {
    for (const std::string& name : plan.update.removed) remove(name, now);
    for (const auto& [name, why] : plan.absent) {
      const auto entry = entries_.find(name);
      if (entry != entries_.end() && entry->second.state == VerdictState::kDoesNotExist) entry->second.error = why;
    }
    for (const ResourceError& failed : plan.update.failed) fail(failed, now);
    for (const auto& [name, resource] : plan.unchanged) {
      const auto entry = entries_.find(name);
      if (entry == entries_.end()) continue;  // the watcher lost interest meanwhile
      // Delta names what is held by version; a state-of-the-world version is the one that brought the change.
      const std::string version = delta() ? resource->version : entry->second.version;
      accept(name, {name, version, entry->second.body}, *resource, now);
    }
    if (!delta() && !stored) forgetMissing(plan);
  }
  for (size_t i = 0; i < plan.update.changed.size(); ++i) {
    const UpdatedResource& resource = plan.update.changed[i];
    if (const auto error = bad.find(refused ? "" : resource.name); error != bad.end()) {
      reject(resource.name, resource, error->second, now, stored);
    } else {
      accept(resource.name, resource, *plan.sources[i], now, stored);
      changed = true;
    }
  }
  for (const std::string& name : plan.bad) reject(name, {name, response.version, nullptr}, bad.at(name), now);
  if (changed && !stored) ++stats_.config_reload;
}

void SubscriptionMachine::accept(std::string_view name, const UpdatedResource& resource, const Resource& source,
                                 TimePoint now, bool stored) {
  auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (!wildcard_) return;  // the watcher lost interest while it took the update
    found = entries_.emplace(name, Entry{}).first;
  }
  Entry& entry = found->second;
  if (entry.version != resource.version) entry.since = now;
  if (entry.body != resource.body) entry.updated = now;
  entry.body = resource.body;
  entry.version = resource.version;
  entry.stored = stored;
  entry.foreign = false;
  // The server's newest stays refused, whatever serves in its place.
  if (!stored || entry.state != VerdictState::kRejected) setState(entry, VerdictState::kAccepted, now);
  setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
  setExpiry(found->first, entry, source, now);
}

void SubscriptionMachine::reject(std::string_view name, const UpdatedResource& resource, std::string_view error,
                                 TimePoint now, bool stored) {
  auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (!wildcard_ || name.starts_with("resources[")) return;  // the latter is a place, not a name
    found = entries_.emplace(name, Entry{}).first;
  }
  Entry& entry = found->second;
  if (stored && entry.state == VerdictState::kRejected) return;  // the server's is what is told
  if (entry.subscribed && entry.state == VerdictState::kRequested) waits_refused_.emplace_back(name);
  setState(entry, VerdictState::kRejected, now);
  entry.rejected_version = resource.version;
  entry.rejected_body = resource.body;
  entry.rejected_at = now;
  entry.error = validUtf8(error, kMaxNackText);
  setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
}

// It lasts until the resource comes.
void SubscriptionMachine::fail(const ResourceError& failed, TimePoint now) {
  auto found = entries_.find(failed.name);
  if (found == entries_.end()) {
    if (!wildcard_) return;  // the watcher lost interest while it took the update
    found = entries_.emplace(failed.name, Entry{}).first;
  }
  Entry& entry = found->second;
  if (entry.subscribed && entry.state == VerdictState::kRequested) waits_refused_.push_back(failed.name);
  setState(entry, VerdictState::kFailed, now);
  entry.error = failed.rule;
  setFetchDeadline(failed.name, entry.fetch_deadline, std::nullopt);
}

void SubscriptionMachine::remove(std::string_view name, TimePoint now) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (!entry.subscribed) return erase(found);
  if (entry.state == VerdictState::kRequested) waits_absent_.emplace_back(name);
  clearExpiry(found->first, entry);
  setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
  entry.body.reset();
  entry.updated = TimePoint();
  entry.version.clear();
  entry.stored = false;
  setState(entry, VerdictState::kDoesNotExist, now);
}

// Refused resources that were never accepted leave with the response that no longer has them.
void SubscriptionMachine::forgetMissing(const Plan& plan) {
  if (!options_.type.complete_set || plan.unnamed || plan.only_heartbeats) return;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto current = entry++;
    const bool kept = current->second.subscribed || current->second.body != nullptr;
    if (!kept && !plan.present.contains(current->first)) erase(current);
  }
}

void SubscriptionMachine::queueAck(const std::string& nonce, std::string error) {
  Ack ack;
  ack.nonce = nonce;
  if (!error.empty()) ack.error = ErrorDetail{.message = std::move(error)};
  ack.version = version_;
  acks_.push_back(std::move(ack));
}

// --- time

void SubscriptionMachine::setFetchDeadline(std::string_view name, std::optional<TimePoint>& slot,
                                           std::optional<TimePoint> deadline) {
  if (slot) fetch_deadlines_.erase({*slot, std::string(name)});
  slot = deadline;
  if (slot) fetch_deadlines_.emplace(*slot, name);
}

void SubscriptionMachine::setExpiry(const std::string& name, Entry& entry, const Resource& source, TimePoint now) {
  clearExpiry(name, entry);
  if (!source.ttl) return;
  entry.expiry = now + *source.ttl;
  expiries_.emplace(*entry.expiry, name);
}

void SubscriptionMachine::clearExpiry(const std::string& name, Entry& entry) {
  if (!entry.expiry) return;
  expiries_.erase({*entry.expiry, name});
  entry.expiry.reset();
}

void SubscriptionMachine::setState(Entry& entry, VerdictState state, TimePoint now) {
  if (entry.state != state || entry.since == TimePoint()) entry.since = now;
  entry.state = state;
  entry.rejected_version.clear();
  entry.rejected_body.reset();
  entry.error.clear();
}

void SubscriptionMachine::erase(Entries::iterator entry) {
  clearExpiry(entry->first, entry->second);
  setFetchDeadline(entry->first, entry->second.fetch_deadline, std::nullopt);
  entries_.erase(entry);
}

std::optional<TimePoint> SubscriptionMachine::nextDeadline() const {
  std::optional<TimePoint> next;
  if (!fetch_deadlines_.empty()) next = fetch_deadlines_.begin()->first;
  if (!expiries_.empty() && (!next || expiries_.begin()->first < *next)) next = expiries_.begin()->first;
  if (held_ && (!next || refusal_->again < *next)) next = refusal_->again;
  if (stored_at_ && (!next || *stored_at_ < *next)) next = stored_at_;
  return next;
}

void SubscriptionMachine::onTime(TimePoint now) {
  if (busy()) return;  // afterwards
  if (stored_at_ && *stored_at_ <= now) takeStored(now);
  if (busy()) return;
  expire(now);
  endWaits(now);
  if (held_ && refusal_->again <= now) begin(*std::exchange(held_, std::nullopt), now);
}

// A resource whose TTL is over is removed, never rolled back.
void SubscriptionMachine::expire(TimePoint now) {
  Update update{.type_url = options_.type.url, .source = options_.source, .version = version_};
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    std::string name = expiries_.begin()->second;
    remove(name, now);
    update.removed.push_back(std::move(name));
  }
  if (!update.removed.empty()) watcher_.onUpdate(update);
}

void SubscriptionMachine::endWaits(TimePoint now) {
  std::vector<std::string> timed_out;
  while (!fetch_deadlines_.empty() && fetch_deadlines_.begin()->first <= now) {
    std::string name = fetch_deadlines_.begin()->second;
    if (name == kWildcard) {
      setFetchDeadline(name, wildcard_deadline_, std::nullopt);
      wildcard_waits_ = false;
    } else {
      Entry& entry = entries_.find(name)->second;
      setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
      setState(entry, VerdictState::kTimeout, now);
    }
    timed_out.push_back(std::move(name));
  }
  stats_.init_fetch_timeout += timed_out.size();
  if (!timed_out.empty()) watcher_.onWaitOver(options_.source, timed_out, WaitEnd::kTimeout);
}

// --- views

std::vector<Verdict> SubscriptionMachine::verdicts() const {
  std::vector<Verdict> all;
  all.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) {
    all.push_back({options_.type.url, options_.source, name, entry.version, entry.body, entry.state,
                   entry.rejected_version, entry.error, entry.stored, entry.expiry.has_value(), entry.since,
                   entry.updated, entry.rejected_at, entry.rejected_body});
  }
  return all;
}

bool SubscriptionMachine::holds(std::string_view name) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.body != nullptr;
}

SubscriptionStats SubscriptionMachine::stats() const {
  SubscriptionStats stats = stats_;
  stats.resources = static_cast<uint64_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& e) { return e.second.body != nullptr; }));
  return stats;
}

}  // namespace sluice::xds
