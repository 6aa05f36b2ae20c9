#include "source/base/intrusive_list.h"

#include <catch2/catch.hpp>

#include <string>

namespace sluice::base {
namespace {

struct Letter : ListNode {
  explicit Letter(char c) : letter(c) {}
  const char letter;
};

std::string read(List<Letter>& list) {
  std::string out;
  list.forEach([&](Letter& at) { out += at.letter; });
  return out;
}

struct World {
  World() {
    for (Letter* at : {&a, &b, &c}) list.pushBack(*at);
  }

  Letter a{'a'}, b{'b'}, c{'c'};
  List<Letter> list;
};

}  // namespace

TEST_CASE("elements of a list move to either end from any place") {
  World w;
  w.list.pushFront(w.b);
  CHECK(read(w.list) == "bac");
  w.list.pushFront(w.c);
  CHECK(read(w.list) == "cba");
  w.list.pushBack(w.b);
  CHECK(read(w.list) == "cab");
}

TEST_CASE("an element that is at an end of a list may be pushed there") {
  World w;

  w.list.pushFront(w.a);
  REQUIRE(&w.list.front() == &w.a);
  w.list.pushBack(w.c);
  REQUIRE(&w.list.back() == &w.c);
  w.a.unlink();

  CHECK_FALSE(w.a.linked());
  CHECK(read(w.list) == "bc");
}

TEST_CASE("the only element of a list may be pushed again") {
  Letter a('a');
  List<Letter> list;
  list.pushFront(a);

  list.pushFront(a);
  REQUIRE(&list.front() == &a);
  list.pushBack(a);
  a.unlink();

  CHECK(list.empty());
}

TEST_CASE("a list takes all of another one in order") {
  World w;
  Letter d('d');
  List<Letter> other;
  other.pushBack(d);

  other.takeAll(w.list);

  CHECK(w.list.empty());
  CHECK(read(other) == "dabc");
}

}  // namespace sluice::base
