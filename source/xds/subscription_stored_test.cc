// What an earlier process accepted, for as long as the server says nothing.
#include "source/xds/test_machine.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;

struct StoredFixture {
  explicit StoredFixture(Variant variant = Variant::kSotw, std::string_view type = kClusterType)
      : machine({.type = typeInfo(type), .variant = variant, .source = "s", .stored = stored(type)}, watcher) {}
  std::shared_ptr<const StoredType> stored(std::string_view type) const {
    auto out = std::make_shared<StoredType>();
    out->from = now + 1s;
    for (const char* name : {"a", "b"}) {
      auto body = type == kClusterType ? clusterBody(name, "old") : endpointBody(name, 140);
      out->resources.push_back({name, "7", std::move(body)});
    }
    return out;
  }
  void pass(std::chrono::milliseconds time) {
    now += time;
    machine.onTime(now);
  }

  TimePoint now{std::chrono::hours(1)};
  testing::RecordingWatcher watcher;
  SubscriptionMachine machine;
};

TEST_CASE("what is stored is given when the server has said nothing in time, and shown as such") {
  StoredFixture f;
  f.machine.subscribe("*", f.now);
  CHECK(f.machine.nextDeadline() == f.now + 1s);
  f.pass(999ms);
  CHECK(f.watcher.held.empty());
  f.pass(1ms);
  CHECK(f.watcher.held == Held{{"a", "7"}, {"b", "7"}});
  CHECK(f.watcher.stored == 1);
  const std::vector<Verdict> verdicts = f.machine.verdicts();
  REQUIRE(verdicts.size() == 2);
  CHECK(verdicts[0].stored);
  CHECK(verdicts[0].state == VerdictState::kAccepted);
  CHECK(f.machine.stats().update_success == 0);
}

TEST_CASE("a server that has spoken is believed in the place of what is stored") {
  StoredFixture f;
  f.machine.subscribe("*", f.now);
  f.machine.onStreamStart(f.now);
  f.machine.takeInterest();
  REQUIRE(f.machine.onResponse(sotw("1", "n", {{"c", "new"}}), f.now));
  f.pass(2s);
  CHECK(f.watcher.held == Held{{"c", "1"}});
  f.machine.subscribe("a", f.now);
  f.pass(1s);
  CHECK_FALSE(f.watcher.held.contains("a"));
}

TEST_CASE("a server that comes later is asked for everything, and what it does not have goes") {
  StoredFixture f;
  f.machine.subscribe("*", f.now);
  f.pass(1s);
  f.machine.onStreamStart(f.now);
  CHECK(f.machine.takeInterest().version.empty());
  REQUIRE(f.machine.onResponse(sotw("1", "n", {{"a", "old"}, {"c", "new"}}), f.now));
  CHECK(f.watcher.last_changed == Names{"c"});
  CHECK(f.watcher.last_repeated == Names{"a"});
  CHECK(f.watcher.last_removed == Names{"b"});
  for (const Verdict& verdict : f.machine.verdicts()) CHECK_FALSE(verdict.stored);
}

TEST_CASE("delta: a server is told of what is stored under no version of its own, so that it tells what has gone") {
  StoredFixture f(Variant::kDelta);
  f.machine.subscribe("*", f.now);
  f.pass(1s);
  f.machine.onStreamStart(f.now);
  const auto versions = f.machine.takeInterest().initial_versions;
  REQUIRE(versions.size() == 2);
  CHECK(versions.at("a") != "7");
  REQUIRE(f.machine.onResponse(response(kClusterType, "v", "n", {item("a", "8")}, {"b"}), f.now));
  CHECK(f.watcher.held == Held{{"a", "8"}});
  f.machine.onStreamEnd();
  f.machine.onStreamStart(f.now);
  CHECK(f.machine.takeInterest().initial_versions == std::map<std::string, std::string>{{"a", "8"}});
}

TEST_CASE(
    "of names only those are given that are wanted, later ones at once if the server is away, and others are waited "
    "for as ever") {
  StoredFixture f(Variant::kSotw, kEndpointType);
  f.machine.subscribe("a", f.now);
  f.machine.subscribe("none", f.now);
  f.pass(1s);
  CHECK(f.watcher.held == Held{{"a", "7"}});
  CHECK(f.watcher.wait_absent.empty());
  f.machine.onStreamEnd();
  f.pass(1s);
  f.machine.subscribe("b", f.now);
  CHECK(f.machine.nextDeadline() == f.now);
  f.pass(0ms);
  CHECK(f.watcher.held == Held{{"a", "7"}, {"b", "7"}});
  f.pass(15s);
  CHECK(f.watcher.timed_out == Names{"none"});
}

TEST_CASE("a server that may be there has its time to answer for what is wanted later") {
  StoredFixture f(Variant::kSotw, kEndpointType);
  SECTION("on a stream that stands") {
    f.machine.onStreamStart(f.now);
  }
  SECTION("on one that is yet to be made") {}
  f.pass(1h);
  f.machine.subscribe("a", f.now);
  f.pass(500ms);
  f.machine.subscribe("b", f.now);
  f.pass(499ms);
  CHECK(f.watcher.held.empty());
  f.pass(1ms);
  CHECK(f.watcher.held == Held{{"a", "7"}, {"b", "7"}});
}

TEST_CASE("what a server sends first and is refused is as it was stored, and told as refused") {
  StoredFixture f;
  f.machine.subscribe("*", f.now);
  f.machine.onStreamStart(f.now);
  f.machine.takeInterest();
  f.watcher.refuse = {"a", "d"};
  f.watcher.during_update = [&](const Update& update) {
    if (update.stored) return;
    f.watcher.refuse = {"d"};
  };
  REQUIRE(f.machine.onResponse(sotw("9", "n", {{"a", "bad"}, {"c", "new"}, {"d", "bad"}}), f.now));

  CHECK(f.watcher.held == Held{{"a", "7"}, {"c", "9"}});
  const std::vector<Verdict> verdicts = f.machine.verdicts();
  REQUIRE(verdicts.size() == 3);
  CHECK(verdicts[0].state == VerdictState::kRejected);
  CHECK(verdicts[0].rejected_version == "9");
  CHECK(verdicts[0].version == "7");
  CHECK(verdicts[0].stored);
  CHECK(verdicts[2].body == nullptr);
  REQUIRE(f.machine.ackDue());
  CHECK(f.machine.takeAck().error.has_value());
  CHECK_FALSE(f.machine.ackDue());

  REQUIRE(f.machine.onResponse(sotw("10", "o", {{"c", "new"}}), f.now));
  CHECK(f.watcher.held == Held{{"c", "9"}});
}

TEST_CASE("a response that nobody can read takes nothing of what is stored") {
  StoredFixture f;
  f.machine.subscribe("*", f.now);
  f.machine.onStreamStart(f.now);
  f.machine.takeInterest();
  REQUIRE(f.machine.onResponse(response(kClusterType, "9", "n", {bare(endpointBody("a", 140))}), f.now));
  CHECK(f.watcher.held.empty());
  f.pass(1s);
  CHECK(f.watcher.held == Held{{"a", "7"}, {"b", "7"}});
  REQUIRE(f.machine.onResponse(sotw("10", "o", {{"c", "new"}}), f.now));
  CHECK(f.watcher.held == Held{{"c", "10"}});
}

TEST_CASE("what is stored and does not pass any more is refused as what a server sends") {
  StoredFixture f;
  f.watcher.refuse = {"a"};
  f.machine.subscribe("*", f.now);
  f.pass(1s);
  CHECK(f.watcher.held == Held{{"b", "7"}});
  CHECK(f.machine.verdicts()[0].state == VerdictState::kRejected);
  f.machine.onStreamStart(f.now);
  CHECK_FALSE(f.machine.ackDue());
}

}  // namespace
}  // namespace sluice::xds
