#include "source/extensions/filters/http/oauth2/renewals.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "source/base/failure_delay.h"
#include "source/event/timer.h"

namespace sluice::extensions::http_filters::oauth2 {

// Main has one to find the way back; `on_answer` is looked at on the worker only.
struct Renewals::Waiter {
  event::Loop& loop;
  OnAnswer on_answer;  // empty: nobody waits any more
};

struct Renewals::Handle final : Wait {
  explicit Handle(std::shared_ptr<Waiter> waiter) : waiter(std::move(waiter)) {}
  ~Handle() override { waiter->on_answer = nullptr; }

  const std::shared_ptr<Waiter> waiter;
};

// Thread: main.
class Renewals::OnMain {
 public:
  OnMain(worker::MainServices& main, uint64_t seed)
      : main_(main), random_(seed), forget_(main_.loop.timers(), [this] { forget(); }) {}

  void ask(const std::string& key, worker::HttpCallRequest request, Retries retries, std::shared_ptr<Waiter> waiter) {
    const auto known = renewals_.find(key);
    if (known != renewals_.end() && known->second->answer != nullptr)
      return tell(std::move(waiter), known->second->answer, false);
    if (waiting_ == kMaxWaiting || (known == renewals_.end() && renewals_.size() >= kMaxKept && !forgetOldest())) {
      static const auto kOverflow = std::make_shared<const TokenAnswer>(TokenFailure{"oauth_renewal_overflow", true});
      return tell(std::move(waiter), kOverflow, false);
    }
    ++waiting_;
    if (known != renewals_.end()) return known->second->waiters.push_back(std::move(waiter));
    Renewal& renewal = *(renewals_[key] = std::make_unique<Renewal>(*this, key, std::move(request), retries));
    renewal.waiters.push_back(std::move(waiter));
    renewal.send();
  }

 private:
  using Answer = std::shared_ptr<const TokenAnswer>;

  struct Renewal {
    Renewal(OnMain& owner, std::string key, worker::HttpCallRequest request, Retries retries)
        : owner(owner),
          key(std::move(key)),
          request(std::move(request)),
          retries(retries),
          again(owner.main_.loop.timers(), [this] { send(); }) {}
    void send() {
      call = owner.main_.calls().send(request,
                                      [this](worker::HttpCallResponse response) { onResponse(std::move(response)); });
    }
    void onResponse(worker::HttpCallResponse response) {
      call.reset();
      owner.onAnswer(*this, readTokenAnswer(response));
    }

    OnMain& owner;
    const std::string key;
    worker::HttpCallRequest request;
    std::vector<std::shared_ptr<Waiter>> waiters;
    const Retries retries;
    uint32_t failures = 0;
    Answer answer;  // null: it is under way
    event::Timer again;
    std::unique_ptr<worker::Call> call;
  };

  static void tell(std::shared_ptr<Waiter> waiter, Answer answer, bool first) {
    event::Loop& loop = waiter->loop;
    loop.post([waiter = std::move(waiter), answer = std::move(answer), first] {
      if (const OnAnswer on_answer = std::exchange(waiter->on_answer, nullptr)) on_answer(*answer, first);
    });
  }

  void onAnswer(Renewal& renewal, TokenAnswer answer) {
    const auto* const failure = std::get_if<TokenFailure>(&answer);
    const bool transient = failure != nullptr && failure->transient;
    const Retries& retries = renewal.retries;
    if (transient && renewal.failures < retries.most) {
      renewal.again.arm(base::failureDelay(++renewal.failures, retries.base, retries.longest, random_));
      return;
    }
    renewal.answer = std::make_shared<const TokenAnswer>(std::move(answer));
    renewal.request = {};
    waiting_ -= renewal.waiters.size();
    bool first = true;
    for (std::shared_ptr<Waiter>& waiter : std::exchange(renewal.waiters, {})) {
      tell(std::move(waiter), renewal.answer, std::exchange(first, false));
    }
    // What could not be had may be had when the next one asks.
    if (transient) {
      const std::string key = renewal.key;
      renewals_.erase(key);
      return;
    }
    kept_.push_back({main_.loop.now() + kKept, renewal.key});
    if (kept_.size() == 1) forget_.arm(kKept);
  }

  void forget() {
    while (!kept_.empty() && kept_.front().until <= main_.loop.now()) forgetOldest();
    if (!kept_.empty()) forget_.arm(kept_.front().until - main_.loop.now());
  }
  bool forgetOldest() {
    if (kept_.empty()) return false;
    renewals_.erase(kept_.front().key);
    kept_.pop_front();
    return true;
  }

  struct Kept {
    event::TimePoint until;
    std::string key;
  };

  worker::MainServices& main_;
  base::Random random_;
  std::unordered_map<std::string, std::unique_ptr<Renewal>> renewals_;
  std::deque<Kept> kept_;  // in the order of their answers
  size_t waiting_ = 0;
  event::Timer forget_;
};

Renewals::Renewals(worker::MainServices& main, uint64_t seed)
    : main_(main.loop), on_main_(std::make_shared<OnMain>(main, seed)) {}

Renewals::~Renewals() {
  main_.post([gone = std::move(on_main_)] {});
}

std::unique_ptr<Renewals::Wait> Renewals::renew(worker::WorkerServices& worker, std::string key,
                                                worker::HttpCallRequest request, Retries retries,
                                                OnAnswer on_answer) const {
  auto waiter = std::make_shared<Waiter>(Waiter{worker.loop, std::move(on_answer)});
  worker.postToMain(
      [on_main = std::weak_ptr(on_main_), key = std::move(key), request = std::move(request), retries, waiter] {
        if (const auto known = on_main.lock()) known->ask(key, request, retries, waiter);
      });
  return std::make_unique<Handle>(std::move(waiter));
}

}  // namespace sluice::extensions::http_filters::oauth2
