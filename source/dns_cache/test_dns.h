// A DNS for tests, which answers when the test says so, and a cache over it with one worker.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/dns_cache/dns_cache.h"
#include "source/event/simulated_loop.h"
#include "source/worker/test_worker.h"

namespace sluice::dns_cache::testing {

// Questions wait here until they are answered.
class FakeDns {
 public:
  struct Question {
    std::string name;
    net::DnsResolver::OnResult on_result;
    std::shared_ptr<bool> alive;
  };

  // Answers the oldest question; false if there is none that is still wanted.
  bool answer(net::DnsResult result) {
    while (!questions.empty()) {
      const Question question = std::move(questions.front());
      questions.pop_front();
      if (!*question.alive) continue;
      asked.push_back(question.name);
      question.on_result(std::move(result));
      return true;
    }
    return false;
  }
  bool found(const std::vector<std::string>& ips, std::chrono::seconds ttl = {}) {
    net::DnsResult result{.status = net::DnsResult::Status::kOk, .ttl = ttl};
    for (const std::string& ip : ips) result.addresses.push_back(*net::Address::fromIp(ip, 0));
    return answer(std::move(result));
  }
  bool noSuchName() { return answer({.status = net::DnsResult::Status::kNoSuchName, .detail = "no such name"}); }
  bool fail() { return answer({.detail = "server failure"}); }
  size_t waiting() const {
    return static_cast<size_t>(
        std::count_if(questions.begin(), questions.end(), [](const Question& question) { return *question.alive; }));
  }

  std::deque<Question> questions;
  std::vector<std::string> asked;  // those that were answered
};

class FakeResolver : public net::DnsResolver {
 public:
  explicit FakeResolver(FakeDns& dns) : dns_(dns) {}
  std::unique_ptr<net::DnsQuery> resolve(std::string_view name, net::DnsLookupFamily, OnResult on_result) override {
    auto alive = std::make_shared<bool>(true);
    dns_.questions.push_back({std::string(name), std::move(on_result), alive});
    return std::make_unique<Handle>(alive);
  }

 private:
  struct Handle : net::DnsQuery {
    explicit Handle(std::shared_ptr<bool> alive) : alive(std::move(alive)) {}
    ~Handle() override { *alive = false; }
    std::shared_ptr<bool> alive;
  };
  FakeDns& dns_;
};

// Main with a cache, and a DNS behind it.
struct CacheBed {
  // `registry`: of the worker's, so that all that is counted adds up there.
  explicit CacheBed(observability::StatsRegistry& registry, Settings settings = {}) {
    if (settings.name.empty()) settings.name = "n";
    cache = std::make_shared<DnsCache>(
        std::move(settings),
        DnsCache::World{main, registry.makeCells(), std::make_shared<observability::Scope>(registry.root()), slots,
                        std::make_unique<FakeResolver>(dns)});
  }
  ~CacheBed() {
    cache.reset();
    main.settle();
  }
  // Carries messages between main and the worker until there are none.
  void settle(worker::testing::TestWorker& worker) {
    for (int i = 0; i < 4; ++i) {
      worker.runMain();
      main.settle();
      worker.loop.settle();
    }
  }
  void pass(worker::testing::TestWorker& worker, event::Duration time) {
    settle(worker);
    worker.loop.advance(time);
    main.advance(time);
    settle(worker);
  }

  event::SimulatedLoop main;
  worker::LocalSlots slots;
  FakeDns dns;
  std::shared_ptr<DnsCache> cache;
};

}  // namespace sluice::dns_cache::testing
