#include "source/listener/chain_guard.h"

#include <catch2/catch.hpp>

namespace sluice::listener {
namespace {

TEST_CASE(
    "a request for a host of another chain is misdirected, one for the "
    "same chain is not") {
  ServerNameGuard guard;
  guard.add({"a.com", "*.a.com"}, 0);
  guard.add({"b.com"}, 1);
  guard.add({"b.com"}, 2);  // told apart by something else
  guard.add({}, 3);
  auto misdirected = [&](std::string_view host, size_t chain) {
    return guard.misdirected(host, ServerNameGuard::handleOf(chain));
  };
  CHECK_FALSE(misdirected("a.com", 0));
  CHECK_FALSE(misdirected("x.y.a.com", 0));
  CHECK(misdirected("b.com", 0));
  CHECK(misdirected("c.com", 0));
  CHECK_FALSE(misdirected("b.com", 1));
  CHECK_FALSE(misdirected("b.com", 2));
  CHECK(misdirected("a.com", 3));
  CHECK_FALSE(misdirected("c.com", 3));
  CHECK_FALSE(misdirected("", 3));
}

TEST_CASE(
    "where no chain would take a host its requests are misdirected on "
    "every chain") {
  ServerNameGuard guard;
  guard.add({"a.com"}, 0);
  CHECK(guard.misdirected("b.com", ServerNameGuard::handleOf(0)));
}

}  // namespace
}  // namespace sluice::listener
