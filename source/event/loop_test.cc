#include "source/event/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace sluice::event {
namespace {

class Recorder : public FdHandler {
 public:
  explicit Recorder(std::function<void(uint32_t)> on_events) : on_events_(std::move(on_events)) {}
  void onFdEvents(uint32_t events) override { on_events_(events); }

 private:
  std::function<void(uint32_t)> on_events_;
};

class Task : public TurnTask {
 public:
  explicit Task(std::function<void()> run) : run_(std::move(run)) {}
  void runAtTurnEnd() override { run_(); }

 private:
  std::function<void()> run_;
};

struct SocketPair {
  SocketPair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0); }
  ~SocketPair() {
    close(fds[0]);
    if (fds[1] >= 0) close(fds[1]);
  }
  int fds[2];
};

TEST_CASE("posted work runs on the loop's thread in the order it was posted") {
  auto loop = makeLoop();
  std::string order;
  std::thread::id ran_on;
  std::thread other([&] {
    loop->post([&] { order += '1'; });
    loop->post([&] {
      order += '2';
      ran_on = std::this_thread::get_id();
      loop->stop();
    });
  });

  loop->run();
  other.join();

  REQUIRE(order == "12");
  REQUIRE(ran_on == std::this_thread::get_id());
}

TEST_CASE("a timer ends the wait of the loop") {
  auto loop = makeLoop();
  int fired = 0;
  Timer late(loop->timers(), [&] { loop->stop(); });
  Timer early(loop->timers(), [&] { ++fired; });
  late.arm(20ms);
  early.arm(1ms);

  loop->run();

  REQUIRE(fired == 1);
}

TEST_CASE("an edge-triggered watch tells data and the peer's end once") {
  auto loop = makeLoop();
  SocketPair pair;
  uint32_t seen = 0;
  Recorder recorder([&](uint32_t events) {
    seen |= events;
    if (events & kPeerClosed) loop->stop();
  });
  auto watch = loop->watch(pair.fds[0], kReadable | kWritable | kPeerClosed, Trigger::kEdge, recorder);
  loop->post([&] {
    REQUIRE(write(pair.fds[1], "x", 1) == 1);
    close(pair.fds[1]);
    pair.fds[1] = -1;
  });

  loop->run();

  REQUIRE(seen == (kReadable | kWritable | kPeerClosed));
}

TEST_CASE("turn tasks run after the events of the turn, once however often they were scheduled") {
  auto loop = makeLoop();
  std::string order;
  Task task([&] { order += 't'; });
  loop->post([&] {
    order += 'a';
    loop->atTurnEnd(task);
    loop->atTurnEnd(task);
  });
  loop->post([&] {
    order += 'b';
    loop->stop();
  });

  loop->run();

  REQUIRE(order == "abt");
}

TEST_CASE("what is deleted later lives until the end of the turn") {
  auto loop = makeLoop();
  std::string order;
  struct Object : Deferred {
    explicit Object(std::string& o) : order(o) {}
    ~Object() override { order += 'd'; }
    std::string& order;
  };
  loop->post([&] {
    loop->deleteLater(std::make_unique<Object>(order));
    order += 'a';
    loop->stop();
  });

  loop->run();

  REQUIRE(order == "ad");
}

TEST_CASE("work that has not run when the loop goes is dropped, what its end posts too") {
  auto loop = makeLoop();
  bool ran = false;
  // Posts when it is destroyed, as the last owner of something shared may.
  struct Poster {
    Poster(Loop& l, bool& r) : loop(l), ran(r) {}
    Loop& loop;
    bool& ran;
    ~Poster() {
      loop.post([&ran = ran] { ran = true; });
    }
  };
  loop->post([&ran, poster = std::make_shared<Poster>(*loop, ran)] { ran = true; });

  loop.reset();

  REQUIRE_FALSE(ran);
}

TEST_CASE("a signal is delivered on the loop's thread") {
  auto loop = makeLoop();
  bool got = false;
  loop->onSignal(SIGUSR2, [&] {
    got = true;
    loop->stop();
  });
  loop->post([] { raise(SIGUSR2); });

  loop->run();

  REQUIRE(got);
}

}  // namespace
}  // namespace sluice::event
