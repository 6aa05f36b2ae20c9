#include "source/worker/local.h"

#include <catch2/catch.hpp>
#include <optional>
#include <thread>

#include "source/worker/test_worker.h"

namespace sluice::worker {
namespace {

using testing::TestWorker;

// Tells when it is made and when it goes.
struct Cache {
  Cache(int& live, uint32_t worker) : live(live), worker(worker) { ++live; }
  ~Cache() { --live; }
  int& live;
  const uint32_t worker;
};

struct Workers {
  std::unique_ptr<WorkerLocal<Cache>> local() {
    return std::make_unique<WorkerLocal<Cache>>(slots, [this](WorkerServices& worker) {
      ++made;
      return std::make_unique<Cache>(live, worker.index);
    });
  }

  LocalSlots slots;
  int made = 0;
  int live = 0;
  std::optional<TestWorker> a{std::in_place, nullptr, slots, 0};
  std::optional<TestWorker> b{std::in_place, nullptr, slots, 1};
};

TEST_CASE("each worker has an object of its own, made when it asks first") {
  Workers t;
  const auto local = t.local();
  CHECK(t.made == 0);

  Cache& first = local->get(t.a->services);
  CHECK(&local->get(t.a->services) == &first);
  CHECK(t.made == 1);
  CHECK(local->get(t.b->services).worker == 1);
  CHECK(t.made == 2);
}

TEST_CASE("objects go on their workers, in a later turn, once their owner is gone") {
  Workers t;
  auto local = t.local();
  local->get(t.a->services);
  local->get(t.b->services);

  local.reset();
  CHECK(t.live == 2);
  t.a->loop.turn();
  CHECK(t.live == 1);
  t.b->loop.turn();
  CHECK(t.live == 0);
}

TEST_CASE("the owner may go on any thread") {
  Workers t;
  auto local = t.local();
  local->get(t.a->services);

  std::thread([&local] { local.reset(); }).join();
  t.a->loop.turn();
  CHECK(t.live == 0);
}

TEST_CASE("a number is not given on while a worker may still have the object of its former owner") {
  Workers t;
  auto first = t.local();
  Cache& old = first->get(t.a->services);
  first.reset();

  const auto second = t.local();
  Cache& fresh = second->get(t.a->services);
  CHECK(&fresh != &old);
  t.a->loop.turn();
  t.b->loop.turn();
  CHECK(t.live == 1);
  CHECK(&second->get(t.a->services) == &fresh);
}

TEST_CASE("numbers are used again, so that owners that come and go cost nothing") {
  Workers t;
  for (int i = 0; i < 1000; ++i) {
    auto local = t.local();
    local->get(t.a->services);
    local.reset();
    t.a->loop.turn();
    t.b->loop.turn();
  }
  CHECK(t.slots.take() == 0);
}

TEST_CASE("a worker that ends takes its objects along, and holds up nobody's number") {
  Workers t;
  auto local = t.local();
  local->get(t.b->services);
  t.b.reset();
  CHECK(t.live == 0);

  local.reset();
  t.a->loop.turn();
  CHECK(t.slots.take() == 0);
}

TEST_CASE("an object may use another one while it is made and while it goes") {
  Workers t;
  const auto inner = t.local();
  struct Outer {
    Cache& inner;
    ~Outer() {
      ++inner.live;
      --inner.live;
    }
  };
  auto outer = std::make_unique<WorkerLocal<Outer>>(
      t.slots, [&inner](WorkerServices& worker) { return std::make_unique<Outer>(Outer{inner->get(worker)}); });

  CHECK(&outer->get(t.a->services).inner == &inner->get(t.a->services));
  outer.reset();
  t.a->loop.turn();
  CHECK(t.live == 1);
}

TEST_CASE("parts of a worker are found by their type, and only those that it has") {
  TestWorker t;
  int number = 1;
  std::string text = "x";
  t.services.add(number);
  CHECK(t.services.find<std::string>() == nullptr);
  t.services.add(text);

  CHECK(&t.services.part<int>() == &number);
  CHECK(&t.services.part<std::string>() == &text);
}

TEST_CASE("work for main waits until main takes it") {
  TestWorker t;
  int done = 0;
  t.services.postToMain([&done] { ++done; });
  CHECK(done == 0);
  t.runMain();
  CHECK(done == 1);
}

}  // namespace
}  // namespace sluice::worker
