// The one state of a token server in this process, whichever filters and generations of the configuration use it.
//
// It lives on main. Workers ask by post; main decides what came together, and a thread signs it, writes it and waits
// for the disk; then workers are answered by post. After a failure of the disk everything is refused until the file
// could be read again, as only it says what holds. Thread: made and destroyed on main; ask() and published() on
// workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/event/timer.h"
#include "source/extensions/filters/http/oauth2_server/grants.h"
#include "source/extensions/filters/http/oauth2_server/journal.h"
#include "source/extensions/filters/http/oauth2_server/state.h"
#include "source/jwt/key_set.h"
#include "source/observability/log.h"
#include "source/worker/exchanged.h"
#include "source/worker/local.h"
#include "source/worker/services.h"
#include "source/worker/thread_pool.h"

namespace sluice::extensions::http_filters::oauth2_server {

// The public keys, as they are told and as tokens are verified by them.
struct PublishedKeys {
  std::string json;
  std::shared_ptr<const jwt::KeySet> set;
};

class TokenServer : public std::enable_shared_from_this<TokenServer> {
 public:
  // Questions that wait for the ones in front; more are refused.
  static constexpr size_t kMaxWaiting = 4096;
  // That are decided at once.
  static constexpr size_t kMaxBatch = 256;
  // That are published. One more is made when one of them is over.
  static constexpr size_t kMaxKeys = 64;
  static constexpr std::chrono::seconds kUpkeep{1}, kExpiry{10};
  static constexpr std::chrono::milliseconds kFirstWait{100}, kLastWait{10'000};

  struct Settings {
    SigningAlgorithm algorithm = SigningAlgorithm::kEs256;
    std::chrono::seconds rotation_period{30 * 86'400};
    std::chrono::seconds longest_token{300};
    Grants::Rules rules = {};
  };
  struct World {
    event::Loop& main;
    worker::LocalSlots slots;
    observability::Logger* logger = nullptr;  // null: nobody is told
    std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
    size_t threads = 1;  // 0: what a thread would do waits for runOne()
  };
  // Reads or makes the store, and its first key; blocks.
  static absl::StatusOr<std::shared_ptr<TokenServer>> open(Journal::Options options, const Settings& settings,
                                                           World world);
  TokenServer(const TokenServer&) = delete;
  TokenServer& operator=(const TokenServer&) = delete;

  // Main. What the last filter says that has joined and not left holds, but for longest_token, which only grows. The
  // number is what the filter is known by.
  uint64_t join(const Settings& settings);
  void configure(uint64_t filter, const Settings& settings);
  void leave(uint64_t filter);
  // Main. Whether its keys are sealed by that, or, without one, by none.
  bool isSealedBy(const std::optional<crypto::Sealer>& sealer) const { return journal_->sealer() == sealer; }
  // Main, for tests: does what waits for a thread.
  void runOne() { pool_.runOne(); }

  // One who waits for an answer; destruction ends the wait, and what was asked may happen all the same.
  class Waiting;
  struct Asked {
    explicit Asked(std::shared_ptr<Waiting> waiting) : waiting(std::move(waiting)) {}
    ~Asked();
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;
    const std::shared_ptr<Waiting> waiting;
  };
  // Worker. `issuer` is that of access tokens. on_answer is called from the worker's loop, never inside this; `reused`:
  // somebody showed what had been used.
  using OnAnswer = std::function<void(const Answer& answer, bool reused)>;
  std::unique_ptr<Asked> ask(const worker::WorkerServices& worker, std::string issuer, Question question,
                             OnAnswer on_answer);

  // Worker. Never null.
  const std::shared_ptr<const PublishedKeys>& published(worker::WorkerServices& worker) const {
    return published_.get(worker);
  }

 private:
  struct Entry {
    std::string issuer;
    Question question;
    std::shared_ptr<Waiting> waiting;
  };
  struct Joined {
    uint64_t filter;
    Settings settings;
  };
  struct Batch;

  TokenServer(std::unique_ptr<Journal> journal, const Settings& settings, World world);

  // Makes hold what the last one says.
  void settle();
  WallTime now() const { return std::chrono::floor<std::chrono::seconds>(world_.now()); }
  void take(Entry entry);
  // What waits, and what is due, if nothing is under way.
  void begin();
  void decide(Batch& batch);
  void finish(Batch& batch);
  void fail(Batch& batch);
  void readAgain();
  void upkeep();
  bool keyIsDue(WallTime now) const;
  // Without the key itself.
  KeyRecord nextKey(WallTime now) const;
  void publish();
  void log(observability::LogLevel level, std::string_view text) const;

  World world_;
  std::vector<Joined> joined_;  // in that order
  uint64_t last_filter_ = 0;
  Settings settings_;                 // that hold
  std::shared_ptr<Journal> journal_;  // whose turn it is: that of the job under way, or main's
  State state_;
  worker::Exchanged<PublishedKeys> published_;
  base::Random random_;
  std::deque<Entry> waiting_;
  bool reading_ = false;   // the file, after a failure
  uint32_t failures_ = 0;  // in a row
  WallTime next_expiry_;
  event::Timer upkeep_, retry_;
  worker::ThreadPool pool_;
  std::unique_ptr<worker::ThreadPool::Task> job_;
};

}  // namespace sluice::extensions::http_filters::oauth2_server
