#include "source/server/merge_window.h"

#include <catch2/catch.hpp>

#include "source/event/simulated_loop.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

struct WindowTest {
  void change() {
    if (!window.waits(length)) tell();
  }
  void tell() {
    ++count;
    window.told();
  }
  event::SimulatedLoop loop;
  event::Duration length = 100ms;
  int count = 0;
  MergeWindow window{loop, [this] { tell(); }};
};

TEST_CASE("the first change is told at once, and those that follow together at the end of the window") {
  WindowTest t;
  t.change();
  CHECK(t.count == 1);
  t.loop.advance(10ms);
  t.change();
  t.change();
  t.loop.advance(89ms);
  CHECK(t.count == 1);
  t.loop.advance(1ms);
  CHECK(t.count == 2);

  t.loop.advance(50ms);
  t.change();
  CHECK(t.count == 2);
  t.loop.advance(50ms);
  CHECK(t.count == 3);
  t.loop.advance(1s);
  CHECK(t.count == 3);
}

TEST_CASE("a change after the window is told at once") {
  WindowTest t;
  t.change();
  t.loop.advance(100ms);
  t.change();
  CHECK(t.count == 2);
}

TEST_CASE("what is told for another reason is told of what waits, too") {
  WindowTest t;
  t.change();
  t.loop.advance(10ms);
  t.change();
  t.tell();
  t.loop.advance(95ms);
  CHECK(t.count == 2);
  t.change();
  t.loop.advance(5ms);
  CHECK(t.count == 3);
}

TEST_CASE("without a window each change is told") {
  WindowTest t;
  t.length = 0ms;
  t.change();
  t.change();
  CHECK(t.count == 2);
}

}  // namespace
}  // namespace sluice::server
