#include "source/jwt/remote_keys.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "source/base/failure_delay.h"
#include "source/base/text.h"
#include "source/event/timer.h"

namespace sluice::jwt {
namespace {

constexpr std::string_view kLog = "jwt";

// Before they are old: a tenth of their time, 5 s at most.
std::chrono::milliseconds refreshAfter(std::chrono::milliseconds fresh_for) {
  return fresh_for - std::min<std::chrono::milliseconds>(fresh_for / 10, std::chrono::seconds(5));
}

// What it may sign by.
std::string algorithmsOf(const KeySet::Entry& key) {
  std::string out;
  for (size_t i = 0; i < kAlgorithmCount; ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    if (key.algorithm ? *key.algorithm != algorithm : !key.key->takes(algorithm)) continue;
    base::strAppend(out, out.empty() ? "" : " ", nameOf(algorithm));
  }
  return out;
}

RemoteKeys::Settings bounded(RemoteKeys::Settings settings) {
  settings.request.max_response_body = KeySet::kMaxText;
  return settings;
}

}  // namespace

// What workers see of main's fetches, so that most who ask need not ask main.
struct RemoteKeys::Gate {
  std::atomic<bool> fetching{false};
  std::atomic<event::TimePoint::rep> opens{0};  // from then on requests may cause a fetch

  bool open(event::TimePoint now) const {
    return now.time_since_epoch().count() >= opens.load(std::memory_order_relaxed);
  }
};

// Those of one worker who wait.
class RemoteKeys::View {
 public:
  // What main has of it: it posts to the loop, and only there `view` is looked at.
  struct Link {
    event::Loop& loop;
    View* view;  // null: gone
  };

  View(worker::WorkerServices& worker, std::weak_ptr<OnMain> on_main)
      : worker_(worker), on_main_(std::move(on_main)), link_(std::make_shared<Link>(Link{worker.loop, this})) {}
  ~View() { link_->view = nullptr; }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  void wait(KeysWaiter& waiter);
  void onFetched() {
    asked_ = false;
    base::List<KeysWaiter> ready;
    ready.takeAll(waiting_);
    while (!ready.empty()) {
      KeysWaiter& waiter = ready.front();
      waiter.unlink();
      waiter.onFetched();
    }
  }

 private:
  worker::WorkerServices& worker_;
  const std::weak_ptr<OnMain> on_main_;
  const std::shared_ptr<Link> link_;
  base::List<KeysWaiter> waiting_;
  bool asked_ = false;  // main has yet to answer
};

// Thread: main.
class RemoteKeys::OnMain {
 public:
  OnMain(Settings settings, World world, std::shared_ptr<Gate> gate, std::shared_ptr<Keys> keys)
      : settings_(bounded(std::move(settings))),
        main_(world.main),
        logger_(world.logger),
        stats_(std::move(world.stats)),
        success_(stats_->counter(world.prefix + "jwks_fetch_success")),
        failed_(stats_->counter(world.prefix + "jwks_fetch_failed")),
        random_(world.seed),
        gate_(std::move(gate)),
        keys_(std::move(keys)),
        due_(main_.loop.timers(), [this] { fetch(); }) {
    due_.arm({});  // in a turn of its own: workers may be new, too
    gate_->fetching = true;
  }

  void ask(std::shared_ptr<View::Link> view) {
    asking_.push_back(std::move(view));
    if (gate_->fetching) return;
    if (gate_->open(main_.loop.now())) {
      fetch();
    } else {
      tellViews();
    }
  }
  void hold(std::shared_ptr<void> what) {
    if (set_ == nullptr) held_.push_back(std::move(what));
  }
  Health health() const;

 private:
  void fetch() {
    gate_->fetching = true;
    gate_->opens = (main_.loop.now() + kWindow).time_since_epoch().count();
    due_.cancel();
    call_ =
        main_.calls().send(settings_.request, [this](worker::HttpCallResponse answer) { onAnswer(std::move(answer)); });
  }
  void onAnswer(worker::HttpCallResponse answer) {
    call_.reset();
    last_error_ = take(std::move(answer));
    if (!last_error_.empty() && retries_ < settings_.retries) {
      due_.arm(base::failureDelay(++retries_, settings_.retry_base, settings_.retry_most, random_));
      return;
    }
    retries_ = 0;
    gate_->fetching = false;
    last_error_.empty() ? onGood() : onBad();
    tellViews();
  }
  // What was wrong; empty: nothing.
  std::string take(worker::HttpCallResponse answer);
  void onGood() {
    main_.cells.add(success_);
    if (failures_ > 0 && logger_ != nullptr) logger_->info(kLog, "keys of ", settings_.uri, " were fetched again");
    failures_ = 0;
    fetched_ = main_.loop.now();
    due_.arm(refreshAfter(settings_.fresh_for));
    held_.clear();
  }
  void onBad() {
    main_.cells.add(failed_);
    if (failures_++ == 0 && logger_ != nullptr) {
      logger_->warning(kLog, "keys of ", settings_.uri, " could not be fetched: ", last_error_,
                       set_ == nullptr ? "; there are none" : "; those that were fetched before stay in use");
    }
    due_.arm(base::failureDelay(failures_, settings_.refetch_delay, kWindow, random_));
  }
  void tellViews() {
    for (std::shared_ptr<View::Link>& link : std::exchange(asking_, {})) {
      event::Loop& loop = link->loop;
      loop.post([link = std::move(link)] {
        if (link->view != nullptr) link->view->onFetched();
      });
    }
  }

  const Settings settings_;
  worker::MainServices& main_;
  observability::Logger* const logger_;
  const observability::StatsScope stats_;
  const observability::Counter success_, failed_;
  base::Random random_;
  const std::shared_ptr<Gate> gate_;
  const std::shared_ptr<Keys> keys_;
  std::shared_ptr<const KeySet> set_;  // as workers have it; null: none has come
  std::string text_;                   // that it was made of
  event::TimePoint fetched_;
  std::string last_error_;
  uint32_t failures_ = 0;  // in a row
  uint32_t retries_ = 0;   // of this fetch
  std::vector<std::shared_ptr<View::Link>> asking_;
  std::vector<std::shared_ptr<void>> held_;  // until there are keys
  event::Timer due_;
  std::unique_ptr<worker::Call> call_;
};

std::string RemoteKeys::OnMain::take(worker::HttpCallResponse answer) {
  if (answer.status == 0) return std::string(answer.failure);
  if (answer.status != 200) return base::strCat("the answer was ", answer.status);
  if (set_ != nullptr && answer.body == text_) return {};  // what was verified by it stays so
  std::vector<std::string> skipped;
  std::string error;
  std::shared_ptr<const KeySet> set = KeySet::parse(answer.body, skipped, error);
  if (set == nullptr) return error;
  for (const std::string& what : skipped) {
    if (logger_ != nullptr) logger_->warning(kLog, "keys of ", settings_.uri, ": ", what);
  }
  set_ = std::move(set);
  text_ = std::move(answer.body);
  keys_->set(set_);
  return {};
}

RemoteKeys::Health RemoteKeys::OnMain::health() const {
  Health out{
      .uri = settings_.uri, .cluster = settings_.request.cluster, .last_error = last_error_, .failures = failures_};
  const event::TimePoint now = main_.loop.now();
  if (set_ != nullptr) {
    out.age = std::chrono::duration_cast<std::chrono::seconds>(now - fetched_);
    for (const KeySet::Entry& key : set_->keys()) out.keys.push_back({key.id, algorithmsOf(key)});
  }
  if (call_ == nullptr && due_.deadline() > now) {
    out.next_fetch = std::chrono::duration_cast<std::chrono::milliseconds>(due_.deadline() - now);
  }
  return out;
}

void RemoteKeys::View::wait(KeysWaiter& waiter) {
  waiting_.pushBack(waiter);
  if (std::exchange(asked_, true)) return;
  worker_.postToMain([on_main = on_main_, link = link_] {
    if (const auto known = on_main.lock()) known->ask(link);
  });
}

RemoteKeys::RemoteKeys(Settings settings, World world)
    : main_(world.main.loop),
      gate_(std::make_shared<Gate>()),
      keys_(std::make_shared<Keys>(world.slots)),
      on_main_(std::make_shared<OnMain>(std::move(settings), world, gate_, keys_)),
      views_(world.slots, [weak = std::weak_ptr<OnMain>(on_main_)](worker::WorkerServices& worker) {
        return std::make_unique<View>(worker, weak);
      }) {}

RemoteKeys::~RemoteKeys() {
  main_.post([gone = std::move(on_main_)] {});
}

bool RemoteKeys::wait(worker::WorkerServices& worker, KeysWaiter& waiter) const {
  if (!gate_->fetching.load(std::memory_order_relaxed) && !gate_->open(worker.loop.now())) return false;
  views_.get(worker).wait(waiter);
  return true;
}

void RemoteKeys::holdUntilKeys(std::shared_ptr<void> what) {
  on_main_->hold(std::move(what));
}

RemoteKeys::Health RemoteKeys::health() const {
  return on_main_->health();
}

}  // namespace sluice::jwt
