#include "source/listener/chain_guard.h"

#include "source/listener/tree_guard.h"

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

// What a tree looks at in the tests below: the server name, of clients of one address.
struct NameOfClient : match::Input {
  uint8_t needs() const override { return match::kAddresses | match::kPeer; }
  match::Value get(const match::Data& data, match::Scratch& scratch) const override {
    scratch = std::string(data.server_name) + " from " + data.remote->toString() + " by " +
              (data.application_protocols->empty() ? "nothing" : data.application_protocols->front());
    return {.text = scratch};
  }
};

TEST_CASE("where a tree chooses it is asked again with the request's host, of the same connection") {
  match::ExactMap map{std::make_shared<NameOfClient>(), {}};
  map.entries["a.com from 10.0.0.1:5 by h2"].action = 0;
  map.entries["b.com from 10.0.0.1:5 by h2"].action = 1;
  map.entries["c.com from 10.0.0.1:5 by h2"].action = 9;  // of no chain
  auto matcher = std::make_shared<match::Matcher>();
  matcher->how = std::move(map);
  filter::Accepted accepted;
  accepted.remote = *net::Address::parse("10.0.0.1:5");
  accepted.application_protocols = {"h2"};
  const TreeGuard guard({matcher, 2, 3}, accepted);
  const auto misdirected = [&](std::string_view host, size_t chain) {
    return guard.misdirected(host, ServerNameGuard::handleOf(chain));
  };

  CHECK_FALSE(misdirected("a.com", 0));
  CHECK(misdirected("b.com", 0));
  CHECK_FALSE(misdirected("b.com", 1));
  CHECK(misdirected("other.com", 0));
  CHECK_FALSE(misdirected("other.com", 2));
  CHECK(misdirected("c.com", 0));
}

}  // namespace
}  // namespace sluice::listener
