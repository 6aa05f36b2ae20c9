#include "source/worker/thread_pool.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "source/event/loop.h"
#include "source/event/simulated_loop.h"

namespace sluice::worker {
namespace {

// Without threads: the test does the work.
struct Bed {
  std::unique_ptr<ThreadPool::Task> run(const std::string& name, uint64_t whose = 1) {
    return pool.run(
        loop, whose, [this, name] { log.push_back("work " + name); }, [this, name] { log.push_back("done " + name); });
  }

  std::vector<std::string> log;
  event::SimulatedLoop loop;
  ThreadPool pool{{.threads = 0, .max_waiting = 4, .max_waiting_each = 2}};
};

using Log = std::vector<std::string>;

TEST_CASE("work is done on a thread of the pool, and its end is told on the loop's") {
  const auto loop = event::makeLoop();
  ThreadPool pool({.threads = 2, .max_waiting = 10, .max_waiting_each = 10});
  std::thread::id worked, told;

  const auto task = pool.run(
      *loop, 1, [&] { worked = std::this_thread::get_id(); },
      [&] {
        told = std::this_thread::get_id();
        loop->stop();
      });
  REQUIRE(task);
  loop->run();

  CHECK(worked != std::this_thread::get_id());
  CHECK(worked != std::thread::id());
  CHECK(told == std::this_thread::get_id());
}

TEST_CASE("work on behalf of one is done in the order in which it came") {
  Bed bed;
  const auto first = bed.run("1"), second = bed.run("2");

  for (int i = 0; i < 3; ++i) bed.pool.runOne();
  CHECK(bed.log == Log{"work 1", "work 2"});
  bed.loop.settle();

  CHECK(bed.log == Log{"work 1", "work 2", "done 1", "done 2"});
}

TEST_CASE("those on whose behalf work waits take turns, whoever brings more") {
  Bed bed;
  const auto a1 = bed.run("a1", 1), a2 = bed.run("a2", 1), b1 = bed.run("b1", 2);

  bed.pool.runOne();
  const auto c1 = bed.run("c1", 3), a3 = bed.run("a3", 1);
  for (int i = 0; i < 5; ++i) bed.pool.runOne();

  CHECK(bed.log == Log{"work a1", "work b1", "work a2", "work c1", "work a3"});
}

TEST_CASE("more than may wait for one is refused, and others are not") {
  Bed bed;
  auto first = bed.run("1");
  const auto second = bed.run("2");
  CHECK_FALSE(bed.run("3"));
  CHECK(bed.run("other", 2));

  first.reset();

  CHECK(bed.run("4"));
}

TEST_CASE("more than may wait in all is refused") {
  Bed bed;
  const auto a1 = bed.run("a1", 1), a2 = bed.run("a2", 1), b = bed.run("b", 2);
  auto c = bed.run("c", 3);
  CHECK_FALSE(bed.run("d", 4));
  CHECK(bed.pool.waiting() == 4);

  c.reset();

  CHECK(bed.run("d", 4));
}

TEST_CASE("who cancels all that waits for him has no turn") {
  Bed bed;
  auto a = bed.run("a", 1);
  const auto b = bed.run("b", 2);
  a.reset();
  const auto again = bed.run("a again", 1);

  for (int i = 0; i < 3; ++i) bed.pool.runOne();

  CHECK(bed.log == Log{"work b", "work a again"});
}

TEST_CASE("work that is cancelled while it waits is not done") {
  Bed bed;
  auto first = bed.run("1");
  const auto second = bed.run("2");

  first.reset();
  CHECK(bed.pool.waiting() == 1);
  bed.pool.runOne();
  bed.loop.settle();

  CHECK(bed.log == Log{"work 2", "done 2"});
}

TEST_CASE("nobody is told of the end of work that was cancelled meanwhile, or behind it") {
  Bed bed;
  std::unique_ptr<ThreadPool::Task> meanwhile;
  meanwhile = bed.pool.run(
      bed.loop, 1, [&] { meanwhile.reset(); }, [&] { bed.log.push_back("told"); });
  bed.pool.runOne();
  bed.loop.settle();
  CHECK(bed.log.empty());

  auto behind = bed.run("1");
  bed.pool.runOne();
  behind.reset();
  bed.loop.settle();
  CHECK(bed.log == Log{"work 1"});
}

TEST_CASE("a task may be destroyed by who is told of its end") {
  Bed bed;
  std::unique_ptr<ThreadPool::Task> task;
  const auto held = std::make_shared<int>(7);
  int seen = 0;
  task = bed.pool.run(
      bed.loop, 1, [] {},
      [&task, &seen, held] {
        task.reset();
        seen = *held;
      });
  bed.pool.runOne();
  bed.loop.settle();

  CHECK(seen == 7);
  CHECK(held.use_count() == 1);
}

TEST_CASE("a loop may go before work ends that was cancelled") {
  std::promise<void> begun, go;
  std::atomic<bool> ended = false;
  {
    ThreadPool pool({.threads = 1, .max_waiting = 10, .max_waiting_each = 10});
    {
      const auto loop = event::makeLoop();
      const auto task = pool.run(
          *loop, 1,
          [&] {
            begun.set_value();
            go.get_future().wait();
            ended = true;
          },
          [] { FAIL("nobody is left to be told"); });
      begun.get_future().wait();
    }
    go.set_value();
  }
  CHECK(ended);
}

TEST_CASE("a pool that goes waits for what runs") {
  const auto loop = event::makeLoop();
  std::promise<void> begun, go;
  std::atomic<bool> ended = false;
  auto pool = std::make_unique<ThreadPool>(ThreadPool::Size{1, 10, 10});
  const auto running = pool->run(
      *loop, 1,
      [&] {
        begun.set_value();
        go.get_future().wait();
        ended = true;
      },
      [] {});
  begun.get_future().wait();

  std::thread ender([&] { pool.reset(); });
  go.set_value();
  ender.join();

  CHECK(running);
  CHECK(ended);
}

}  // namespace
}  // namespace sluice::worker
