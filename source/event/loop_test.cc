#include "source/event/loop.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <thread>
#include <utility>

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

// A connected pair of TCP sockets: only those know resets.
struct TcpPair {
  TcpPair() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect(peer, reinterpret_cast<sockaddr*>(&address), size) == 0);
    ours = accept(listener, nullptr, nullptr);
    close(listener);
  }
  ~TcpPair() {
    close(ours);
    if (peer >= 0) close(peer);
  }
  void reset() {
    const linger now{1, 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(std::exchange(peer, -1));
  }
  int peer = -1, ours = -1;
};

TEST_CASE("a reset is told as such, behind bytes in the same edge too") {
  const uint32_t watched = kReadable | kWritable | kPeerClosed;
  const bool bytes_first = GENERATE(true, false);
  auto loop = makeLoop();
  TcpPair pair;
  uint32_t seen = 0;
  Recorder recorder([&](uint32_t events) {
    seen = events;
    if (events & kBroken) loop->stop();
  });
  auto watch = loop->watch(pair.ours, watched, Trigger::kEdge, recorder);
  loop->post([&] {
    if (bytes_first) REQUIRE(write(pair.peer, "x", 1) == 1);
    pair.reset();
  });
  Timer guard(loop->timers(), [&] { loop->stop(); });
  guard.arm(5s);

  loop->run();

  REQUIRE(seen == (watched | kBroken));
}

TEST_CASE("a watch that ends in the turn of its event is not called") {
  auto loop = makeLoop();
  SocketPair one, two;
  int calls = 0;
  std::unique_ptr<FdWatch> watches[2];
  Recorder recorder([&](uint32_t) {
    ++calls;
    watches[0].reset();
    watches[1].reset();
    loop->stop();
  });
  loop->post([&] {
    REQUIRE(write(one.fds[1], "x", 1) == 1);
    REQUIRE(write(two.fds[1], "x", 1) == 1);
    watches[0] = loop->watch(one.fds[0], kReadable, Trigger::kEdge, recorder);
    watches[1] = loop->watch(two.fds[0], kReadable, Trigger::kLevel, recorder);
  });

  loop->run();

  REQUIRE(calls == 1);
}

TEST_CASE("a level-triggered watch without interest tells nothing, not even errors, until it has one again") {
  auto loop = makeLoop();
  TcpPair pair;
  int calls = 0;
  std::unique_ptr<FdWatch> watch;
  Recorder recorder([&](uint32_t) {
    ++calls;
    loop->stop();
  });
  watch = loop->watch(pair.ours, kReadable, Trigger::kLevel, recorder);
  watch->setInterest(0);
  pair.reset();
  Timer later(loop->timers(), [&] {
    REQUIRE(calls == 0);
    watch->setInterest(kReadable);
  });
  later.arm(5ms);

  loop->run();

  REQUIRE(calls == 1);
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
