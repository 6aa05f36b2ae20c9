#include "source/extensions/filters/http/oauth2_server/token_server.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "source/base/base64_url.h"
#include "source/base/entropy.h"
#include "source/base/failure_delay.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/oauth2_server/access_token.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

// So long before it signs a key is published, that verifiers who keep keys for a while have it then.
constexpr std::chrono::seconds kMostLead{900};

std::chrono::seconds leadOf(std::chrono::seconds period) {
  return std::min(kMostLead, period / 2);
}

const Refusal kUnavailable{"temporarily_unavailable", "Try again later."};

}  // namespace

// Its callback is the worker's alone: the loop's thread calls and clears it.
class TokenServer::Waiting {
 public:
  Waiting(event::Loop& loop, OnAnswer on_answer) : loop_(loop), on_answer_(std::move(on_answer)) {}

  // Any thread, once.
  static void answer(const std::shared_ptr<Waiting>& self, Answer answer, bool reused = false) {
    event::Loop& loop = self->loop_;
    loop.post([self, answer = std::move(answer), reused] {
      if (const OnAnswer on_answer = std::exchange(self->on_answer_, nullptr)) on_answer(answer, reused);
    });
  }
  void end() { on_answer_ = nullptr; }

 private:
  event::Loop& loop_;
  OnAnswer on_answer_;
};

TokenServer::Asked::~Asked() {
  waiting->end();
}

// What was decided together: written and signed by a thread, then told.
struct TokenServer::Batch {
  struct Item {
    Entry entry;
    Decision decision;
  };
  std::vector<Item> items;
  std::vector<Change> changes;
  std::shared_ptr<const SigningKey> signer;  // null: nothing is to be signed
  std::optional<SigningAlgorithm> makes_key;
  KeyRecord made;  // when it signs is known before it is there
  WallTime now;
  absl::Status appended, compacted;

  // On the thread.
  void perform(Journal& journal) {
    for (Item& item : items) {
      auto* const tokens = std::get_if<Tokens>(&item.decision.answer);
      if (tokens != nullptr) tokens->access_token = signedToken(*tokens, item.entry.issuer, *signer);
    }
    if (makes_key) {
      made.key = SigningKey::generate(*makes_key);
      changes.push_back(made);
    }
    if (changes.empty()) return;
    appended = journal.append(changes);
    if (appended.ok()) compacted = journal.compact(now);
  }
};

absl::StatusOr<std::shared_ptr<TokenServer>> TokenServer::open(Journal::Options options, const Settings& settings,
                                                               World world) {
  const WallTime now = std::chrono::floor<std::chrono::seconds>(world.now());
  auto journal = Journal::open(std::move(options), now);
  if (!journal.ok()) return journal.status();
  std::shared_ptr<TokenServer> out(new TokenServer(*std::move(journal), settings, std::move(world)));
  if (out->state_.keys().empty()) {
    const Change change = KeyRecord{SigningKey::generate(settings.algorithm), now, settings.longest_token};
    if (absl::Status status = out->journal_->append({change}); !status.ok()) return status;
    out->state_.apply(change);
  }
  out->publish();
  out->upkeep_.arm(kUpkeep);
  return out;
}

TokenServer::TokenServer(std::unique_ptr<Journal> journal, const Settings& settings, World world)
    : world_(std::move(world)),
      settings_(settings),
      journal_(std::move(journal)),
      state_(journal_->takeState()),
      published_(world_.slots),
      random_(base::drawSeed()),
      upkeep_(world_.main.timers(), [this] { upkeep(); }),
      retry_(world_.main.timers(), [this] { readAgain(); }),
      pool_({.threads = world_.threads, .max_waiting = 1, .max_waiting_each = 1}) {
  log(observability::LogLevel::kWarning, journal_->takeNote());
  state_.expire(now());
}

void TokenServer::log(observability::LogLevel level, std::string_view text) const {
  if (!text.empty() && world_.logger != nullptr) world_.logger->log(level, "http", "oauth2_server: ", text);
}

uint64_t TokenServer::join(const Settings& settings) {
  joined_.push_back({++last_filter_, settings});
  settle();
  return last_filter_;
}

void TokenServer::configure(uint64_t filter, const Settings& settings) {
  for (Joined& joined : joined_) {
    if (joined.filter == filter) joined.settings = settings;
  }
  settle();
}

void TokenServer::leave(uint64_t filter) {
  std::erase_if(joined_, [&](const Joined& joined) { return joined.filter == filter; });
  settle();
}

void TokenServer::settle() {
  if (joined_.empty()) return;
  auto longest = settings_.longest_token;
  for (const Joined& joined : joined_) longest = std::max(longest, joined.settings.longest_token);
  settings_ = joined_.back().settings;
  settings_.longest_token = longest;
}

std::unique_ptr<TokenServer::Asked> TokenServer::ask(const worker::WorkerServices& worker, std::string issuer,
                                                     Question question, OnAnswer on_answer) {
  auto waiting = std::make_shared<Waiting>(worker.loop, std::move(on_answer));
  auto entry = std::make_shared<Entry>(Entry{std::move(issuer), std::move(question), waiting});
  worker.postToMain([self = weak_from_this(), entry] {
    // Whoever waits holds it.
    if (const auto server = self.lock()) server->take(std::move(*entry));
  });
  return std::make_unique<Asked>(std::move(waiting));
}

void TokenServer::take(Entry entry) {
  if (reading_ || waiting_.size() >= kMaxWaiting) return Waiting::answer(entry.waiting, kUnavailable);
  waiting_.push_back(std::move(entry));
  begin();
}

bool TokenServer::keyIsDue(WallTime now) const {
  if (state_.keys().empty()) return true;
  if (state_.keys().size() >= kMaxKeys) return false;
  const KeyRecord& newest = state_.keys().back();
  return newest.key->algorithm() != settings_.algorithm ||
         now >= newest.signs_from + settings_.rotation_period - leadOf(settings_.rotation_period);
}

KeyRecord TokenServer::nextKey(WallTime now) const {
  const auto& keys = state_.keys();
  // Behind the newest one, which may be published and not sign so far.
  const WallTime from = keys.empty() ? now : std::max(now + leadOf(settings_.rotation_period), keys.back().signs_from);
  return {nullptr, from, settings_.longest_token};
}

void TokenServer::begin() {
  if (job_ != nullptr || reading_) return;
  const auto batch = std::make_shared<Batch>();
  batch->now = now();
  if (state_.signingKey(batch->now) != nullptr) decide(*batch);
  if (keyIsDue(batch->now)) {
    batch->makes_key = settings_.algorithm;
    batch->made = nextKey(batch->now);
  }
  if (batch->items.empty() && !batch->makes_key) return;
  // The journal is the thread's until it is done.
  job_ = pool_.run(
      world_.main, 0, [batch, journal = journal_] { batch->perform(*journal); }, [this, batch] { finish(*batch); });
}

void TokenServer::decide(Batch& batch) {
  if (waiting_.empty()) return;
  const KeyRecord& signer = *state_.signingKey(batch.now);
  batch.signer = signer.key;
  // Before it signs what lives longer than all before.
  if (signer.longest < settings_.longest_token) {
    batch.changes.push_back(KeyRecord{signer.key, signer.signs_from, settings_.longest_token});
    state_.apply(batch.changes.back());
  }
  Grants grants(state_, settings_.rules, batch.now);
  while (!waiting_.empty() && batch.items.size() < kMaxBatch) {
    Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    Decision decision = grants.decide(entry.question);
    batch.changes.insert(batch.changes.end(), decision.changes.begin(), decision.changes.end());
    batch.items.push_back({std::move(entry), std::move(decision)});
  }
}

void TokenServer::finish(Batch& batch) {
  job_.reset();
  if (!batch.appended.ok()) return fail(batch);
  if (!batch.compacted.ok()) log(observability::LogLevel::kWarning, base::toStd(batch.compacted.message()));
  failures_ = 0;
  if (batch.made.key != nullptr) {
    state_.apply(batch.made);
    publish();
  }
  for (Batch::Item& item : batch.items) {
    Waiting::answer(item.entry.waiting, std::move(item.decision.answer), item.decision.reused);
  }
  if (!waiting_.empty()) begin();
}

// What was decided may stand in the file or not, and what is in memory may be more than that.
void TokenServer::fail(Batch& batch) {
  log(observability::LogLevel::kError,
      base::strCat(base::toStd(batch.appended.message()), "; nothing is granted until it can be read again"));
  for (const Batch::Item& item : batch.items) Waiting::answer(item.entry.waiting, kUnavailable);
  for (const Entry& entry : std::exchange(waiting_, {})) Waiting::answer(entry.waiting, kUnavailable);
  reading_ = true;
  retry_.arm(base::failureDelay(++failures_, kFirstWait, kLastWait, random_));
}

void TokenServer::readAgain() {
  const auto status = std::make_shared<absl::Status>();
  job_ = pool_.run(
      world_.main, 0, [status, journal = journal_] { *status = journal->reopen(); },
      [this, status] {
        job_.reset();
        if (!status->ok()) {
          log(observability::LogLevel::kError, base::toStd(status->message()));
          retry_.arm(base::failureDelay(++failures_, kFirstWait, kLastWait, random_));
          return;
        }
        reading_ = false;
        state_ = journal_->takeState();
        log(observability::LogLevel::kWarning, journal_->takeNote());
        log(observability::LogLevel::kInfo, "the store was read again");
        publish();
        begin();
      });
}

void TokenServer::upkeep() {
  const WallTime at = now();
  if (at >= next_expiry_) {
    const size_t keys = state_.keys().size();
    state_.expire(at);
    if (state_.keys().size() != keys) publish();
    next_expiry_ = at + kExpiry;
  }
  begin();
  upkeep_.arm(kUpkeep);
}

void TokenServer::publish() {
  auto out = std::make_shared<PublishedKeys>();
  out->json = keySetOf(state_.keys());
  std::vector<std::string> skipped;
  std::string error;
  out->set = jwt::KeySet::parse(out->json, skipped, error);
  published_.set(std::move(out));
}

}  // namespace sluice::extensions::http_filters::oauth2_server
