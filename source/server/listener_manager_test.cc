// The listener manager with real workers: addresses, updates, what is waited for.
#include <algorithm>
#include <catch2/catch.hpp>

#include "source/server/test_listeners.h"

namespace sluice::server {
namespace {

TEST_CASE("nothing is accepted before the process says so") {
  ListenerTest t(GENERATE(1, 3));
  REQUIRE(t.set("l", t.any, "one").ok());
  CHECK_FALSE(t.allServing());
  t.listeners.startAccepting();
  CHECK(t.allServing());
  for (int i = 0; i < 10; ++i) CHECK(t.ask(t.boundOf("l")) == "one");
}

TEST_CASE("an update keeps the address, also one that the kernel chose") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  REQUIRE(t.set("l", t.any, "two").ok());
  CHECK(t.boundOf("l") == bound);
  CHECK(t.ask(bound) == "two");
  const net::Address elsewhere = unixAddress();
  REQUIRE(t.set("l", elsewhere, "three").ok());
  for (int i = 0; i < 5; ++i) CHECK(t.ask(elsewhere) == "three");
  CHECK(t.ask(bound) == "refused");
}

TEST_CASE("updates that bring ever new names of stats leave as many as there were") {
  ListenerTest t;
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  const auto update = [&](int i) {
    t.stat_name = "p" + std::to_string(i);
    return t.set("l", at, std::to_string(i)).ok();
  };
  REQUIRE(update(0));
  t.sync();
  const size_t before = t.stats.size();
  for (int i = 1; i <= 1000; ++i) REQUIRE(update(i));
  CHECK(t.ask(at) == "1000");
  t.sync();
  CHECK(t.stats.size() == before);
}

TEST_CASE("a socket that cannot be bound twice cannot be made otherwise while it serves") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  const bool abstract = GENERATE(true, false);
  t.reuse_port = abstract;
  const net::Address at = abstract ? unixAddress() : t.any;
  REQUIRE(t.set("l", at, "one").ok());
  const net::Address bound = t.boundOf("l");
  t.socket_hash = 1;
  const absl::Status changed = t.set("l", at, "two");
  CHECK(changed.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(changed.message()).find("remove the listener first") != std::string::npos);
  CHECK(t.ask(bound) == "one");
  t.socket_hash = 0;
  REQUIRE(t.set("l", at, "three").ok());
  CHECK(t.ask(bound) == "three");
}

TEST_CASE("an address that another has is refused, and what serves goes on") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  const absl::Status ours = t.set("other", bound, "two");
  CHECK(ours.code() == absl::StatusCode::kAlreadyExists);
  CHECK(std::string(ours.message()).find("belongs to listener 'l'") != std::string::npos);
  const net::Fd foreign = *net::listenOn(t.any, {});
  CHECK(t.set("l", net::localAddress(foreign.get()), "three").code() == absl::StatusCode::kAlreadyExists);
  CHECK(t.ask(bound) == "one");
  CHECK(t.stats.valueOf("listener_manager.listener_create_failure") == 2);
}

TEST_CASE("an update waits for its routes while the old one serves") {
  ListenerTest t;
  t.listeners.startAccepting();
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  config::ErrorList errors;
  const auto slot = t.routes.rds("r", {}, nullptr, config::Context(errors));
  const net::Address next = unixAddress();
  REQUIRE(t.set("l", next, "two", {of("r")}).ok());
  CHECK(t.ask(bound) == "one");
  CHECK(t.stats.valueOf("listener_manager.total_listeners_active") == 1);
  CHECK(t.stats.valueOf("listener_manager.total_listeners_warming") == 1);
  SECTION("they come") {
    t.routes.setTable(of("r"), table("r"));
  }
  SECTION("they do not come") {
    t.routes.giveUp(of("r"));
  }
  SECTION("it is refused a change first") {
    const net::Fd foreign = *net::listenOn(t.any, {});
    CHECK_FALSE(t.set("l", net::localAddress(foreign.get()), "bad", {of("r")}).ok());
    t.routes.setTable(of("r"), table("r"));
  }
  SECTION("it is changed again first") {
    REQUIRE(t.set("l", next, "two and a half", {of("r")}).ok());
    t.routes.setTable(of("r"), table("r"));
    CHECK(t.ask(next) == "two and a half");
    REQUIRE(t.set("l", next, "two").ok());
  }
  CHECK(t.ask(next) == "two");
  CHECK(t.ask(bound) == "refused");
}

TEST_CASE("an update that is taken back while it waits leaves what serves alone") {
  ListenerTest t;
  t.listeners.startAccepting();
  REQUIRE(t.set("l", t.any, "one").ok());
  const ListenerManager::Entry& entry = t.listeners.entries().at("l");
  const auto* const serving = entry.active.get();
  const net::Address bound = t.boundOf("l");
  config::ErrorList errors;
  const auto slot = t.routes.rds("r", {}, nullptr, config::Context(errors));
  REQUIRE(t.set("l", t.any, "two", {of("r")}).ok());
  REQUIRE(t.set("l", t.any, "one").ok());
  CHECK(t.stats.valueOf("listener_manager.total_listeners_warming") == 0);
  t.routes.setTable(of("r"), table("r"));
  CHECK(entry.active.get() == serving);
  CHECK(t.ask(bound) == "one");
}

TEST_CASE("a listener that is not warm takes nobody") {
  ListenerTest t(GENERATE(1, 3));
  t.reuse_port = GENERATE(true, false);
  t.listeners.startAccepting();
  config::ErrorList errors;
  const auto slot = t.routes.rds("r", {}, nullptr, config::Context(errors));
  const bool abstract = GENERATE(true, false);
  net::Address at = unixAddress();
  if (!abstract) {
    const net::Fd probe = *net::listenOn(t.any, {});
    at = net::localAddress(probe.get());
  }
  REQUIRE(t.set("l", at, "one", {of("r")}).ok());
  CHECK(t.ask(at) == "refused");
  t.routes.setTable(of("r"), table("r"));
  for (int i = 0; i < 5; ++i) CHECK(t.ask(at) == "one");
}

// Linux lets two bind, with SO_REUSEADDR, where none of them listens; the first to listen has the address.
TEST_CASE("an address that another process takes while its listener warms is told, and what serves goes on") {
  ListenerTest t(GENERATE(1, 3));
  t.reuse_port = GENERATE(true, false);
  t.listeners.startAccepting();
  config::ErrorList errors;
  const auto slot = t.routes.rds("r", {}, nullptr, config::Context(errors));
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  net::Address at;
  {
    const net::Fd probe = *net::listenOn(t.any, {});
    at = net::localAddress(probe.get());
  }
  REQUIRE(t.set("l", at, "two", {of("r")}).ok());
  REQUIRE(t.set("new", t.any, "new", {of("r")}).ok());
  const net::Fd foreign = *net::listenOn(at, {});
  t.routes.setTable(of("r"), table("r"));
  CHECK(t.stats.valueOf("listener_manager.listener_create_failure") == 1);
  CHECK(t.allServing());
  CHECK(t.ask(bound) == "one");
  CHECK(t.ask(t.boundOf("new")) == "new");
  REQUIRE(t.set("l", t.any, "three").ok());
  CHECK(t.ask(bound) == "three");
}

TEST_CASE("a listener waits for whatever was added while it was compiled, and serves when that is there") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  config::InitTarget keys;
  t.while_compiling = [&](InitManager& init) { keys = init.add("keys of 'x'", 60s); };
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.ask(at) == "refused");
  CHECK(t.boot.waits() == "listener 'l' (keys of 'x')");
  REQUIRE(t.lines.size() == 1);
  CHECK(t.lines[0].find("listener 'l' waits for keys of 'x'") != std::string::npos);
  keys.ready();
  CHECK(t.ask(at) == "one");
  CHECK(t.allServing());
}

TEST_CASE("a listener whose target does not come within its deadline serves then, and the log names it") {
  ListenerTest t;
  t.listeners.startAccepting();
  config::InitTarget keys;
  t.while_compiling = [&](InitManager& init) { keys = init.add("keys of 'x'", 20ms); };
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.boot.waits() == "listener 'l' (keys of 'x')");
  t.boot.start([&] { t.main->stop(); });
  t.main->run();
  CHECK(t.ask(at) == "one");
  CHECK(std::any_of(t.lines.begin(), t.lines.end(), [](const std::string& line) {
    return line.find("listener 'l' waits no longer for keys of 'x', which did not come within 20 ms") !=
           std::string::npos;
  }));
}

TEST_CASE("targets that are ready before the process accepts do not make a listener accept") {
  ListenerTest t;
  config::InitTarget keys;
  t.while_compiling = [&](InitManager& init) { keys = init.add("keys of 'x'"); };
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  keys.ready();
  CHECK(t.ask(at) == "refused");
  t.listeners.startAccepting();
  CHECK(t.ask(at) == "one");
}

TEST_CASE("the targets of a generation that was replaced or removed while it waited hold nobody up") {
  ListenerTest t;
  t.listeners.startAccepting();
  config::InitTarget keys;
  t.while_compiling = [&](InitManager& init) { keys = init.add("keys of 'x'"); };
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  t.while_compiling = nullptr;
  SECTION("replaced") {
    REQUIRE(t.set("l", at, "two").ok());
    CHECK(t.ask(at) == "two");
  }
  SECTION("removed") {
    t.listeners.remove("l");
    CHECK(t.ask(at) == "refused");
  }
  CHECK(t.allServing());
  CHECK_FALSE(keys.pending());
  keys.ready();
  t.sync();
}

TEST_CASE("a listener serves while the next one waits for a table that there is not") {
  ListenerTest t;
  const bool comes = GENERATE(true, false);
  t.routes.patience = t.listeners.patience = comes ? 60s : 20ms;
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  std::shared_ptr<const route::TableSlot> slot;
  t.while_compiling = [&](InitManager& init) {
    config::ErrorList errors;
    slot = t.routes.rds("r", {}, &init, config::Context(errors));
  };
  REQUIRE(t.set("l", at, "two").ok());
  t.routes.giveUp(of("r"));
  const ListenerManager::Entry& entry = t.listeners.entries().at("l");
  REQUIRE(entry.warming);
  CHECK(entry.warming->init->waits() == "routes 'r'");

  if (comes) {
    CHECK(t.ask(at) == "one");
    t.routes.setTable(of("r"), table("r"));
  } else {
    t.runFor(50ms);
    CHECK(t.lines.back().find("listener 'l' accepts") != std::string::npos);
    CHECK(t.lines[t.lines.size() - 2].find("waits no longer for routes 'r', which did not come within 20 ms") !=
          std::string::npos);
  }
  CHECK(t.ask(at) == "two");
  CHECK_FALSE(entry.warming);
}

TEST_CASE("ever new generations of a listener do not begin the wait for what is absent anew") {
  ListenerTest t;
  t.listeners.patience = 60s;
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.listeners.newInit("l")->patience() == 60s);
  config::InitTarget never;
  t.while_compiling = [&](InitManager& init) { never = init.add("it"); };
  REQUIRE(t.set("l", at, "two").ok());
  t.runFor(20ms);
  CHECK(t.listeners.newInit("l")->patience() <= 59'980ms);
  CHECK(t.listeners.newInit("another")->patience() == 0ms);
}

TEST_CASE("what served before is told until its connections had the drain time") {
  ListenerTest t;
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.listeners.drained().empty());

  REQUIRE(t.set("l", at, "two").ok());
  REQUIRE(t.listeners.drained().size() == 1);
  CHECK(t.listeners.drained().at("l").version == "one");
  CHECK(t.listeners.drained().at("l").until > t.main->now());

  t.listeners.remove("l");
  CHECK(t.listeners.drained().at("l").version == "two");
}

}  // namespace
}  // namespace sluice::server
