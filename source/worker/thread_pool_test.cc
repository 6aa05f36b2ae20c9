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
  std::unique_ptr<ThreadPool::Task> run(const std::string& name) {
    return pool.run(
        loop, [this, name] { log.push_back("work " + name); }, [this, name] { log.push_back("done " + name); });
  }

  std::vector<std::string> log;
  event::SimulatedLoop loop;
  ThreadPool pool{0, 2};
};

using Log = std::vector<std::string>;

TEST_CASE("work is done on a thread of the pool, and its end is told on the loop's") {
  const auto loop = event::makeLoop();
  ThreadPool pool(2, 10);
  std::thread::id worked, told;

  const auto task = pool.run(
      *loop, [&] { worked = std::this_thread::get_id(); },
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

TEST_CASE("work is done in the order in which it came") {
  Bed bed;
  const auto first = bed.run("1"), second = bed.run("2");

  for (int i = 0; i < 3; ++i) bed.pool.runOne();
  CHECK(bed.log == Log{"work 1", "work 2"});
  bed.loop.settle();

  CHECK(bed.log == Log{"work 1", "work 2", "done 1", "done 2"});
}

TEST_CASE("more than may wait is refused") {
  Bed bed;
  auto first = bed.run("1");
  const auto second = bed.run("2");
  CHECK_FALSE(bed.run("3"));

  first.reset();

  CHECK(bed.run("4"));
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
      bed.loop, [&] { meanwhile.reset(); }, [&] { bed.log.push_back("told"); });
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
      bed.loop, [] {},
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
    ThreadPool pool(1, 10);
    {
      const auto loop = event::makeLoop();
      const auto task = pool.run(
          *loop,
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
  auto pool = std::make_unique<ThreadPool>(1, 10);
  const auto running = pool->run(
      *loop,
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
