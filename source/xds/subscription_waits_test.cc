// What a machine does with refused content, with large responses, and with those who wait.
#include "source/xds/test_machine.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;

// --- refused content

// The same cluster each time, under any version.
Response again(Variant variant, const std::string& version, const std::string& nonce,
               const std::string& content = "1") {
  const auto body = clusterBody("a", content);
  return response(kClusterType, version, nonce, {variant == Variant::kSotw ? bare(body) : named("a", version, body)});
}

TEST_CASE("content that was refused is looked at again after a while, and later each time") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.watcher.refuse = {"a"};
    f.start({"*"});
    CHECK(f.answer(again(variant, "v1", "n1")).error);
    std::chrono::milliseconds wait = 1s;
    for (int i = 2; i < 10; ++i) {
      const std::string nonce = "n" + std::to_string(i);
      REQUIRE(f.machine.onResponse(again(variant, "v" + std::to_string(i), nonce), f.now));
      CHECK_FALSE(f.machine.ackDue());
      CHECK(f.watcher.updates == i - 1);
      CHECK(f.machine.nextDeadline() == f.now + wait);
      f.now += wait;
      f.machine.onTime(f.now);
      CHECK(f.watcher.updates == i);
      const Request nack = f.machine.takeAck();
      CHECK(nack.error);
      CHECK(nack.response_nonce == nonce);
      wait = std::min<std::chrono::milliseconds>(wait * 2, 60s);
    }
  }
}

// The second time is not answered yet.
void refuseTwice(Fixture& f, Variant variant) {
  f.watcher.refuse = {"a"};
  f.start({"*"});
  f.answer(again(variant, "v1", "n1"));
  f.machine.onResponse(again(variant, "v2", "n2"), f.now);
}

TEST_CASE("other content than what was refused is taken at once, and the refused one afresh after it") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    refuseTwice(f, variant);
    f.watcher.refuse = {};
    const Request first = f.answer(again(variant, "v3", "n3", "2"));
    CHECK(first.response_nonce == "n2");  // each response is answered
    CHECK(first.error);
    const Request second = f.machine.takeAck();
    CHECK(second.response_nonce == "n3");
    CHECK_FALSE(second.error);
    CHECK_FALSE(f.machine.ackDue());
    f.watcher.refuse = {"a"};
    CHECK(f.answer(again(variant, "v4", "n4")).error);
  }
}

TEST_CASE("a change of interest answers what is held back, and a new stream looks at once") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    refuseTwice(f, variant);
    f.machine.subscribe("b", f.now);
    REQUIRE(f.machine.ackDue());
    const Request nack = f.machine.takeAck();
    CHECK(nack.response_nonce == "n2");
    CHECK(nack.error);
    f.reconnect();
    f.machine.takeInterest();
    CHECK(f.answer(again(variant, "v2", "n1")).error);
  }
}

// --- large responses

TEST_CASE("a large response is handed on in parts and answered when all of it was taken") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    f.answer(again(variant, "v0", "n0"));
    std::vector<Resource> resources;
    for (int i = 0; i < 200; ++i) {
      const std::string name = "c" + std::to_string(i);
      const auto body = clusterBody(name, "1");
      resources.push_back(variant == Variant::kSotw ? bare(body) : named(name, "v1", body));
    }
    f.watcher.refuse = {"c7", "c150"};
    const std::vector<std::string> removed = variant == Variant::kDelta ? Names{"a"} : Names{};
    REQUIRE(f.machine.onResponse(response(kClusterType, "v1", "n1", resources, removed), f.now));
    int parts = 1;
    for (; f.machine.busy(); ++parts) {
      CHECK(f.watcher.last_more);
      CHECK(f.watcher.last_removed.empty());
      CHECK_FALSE(f.machine.ackDue());
      f.machine.subscribe("c" + std::to_string(parts), f.now);
      CHECK_FALSE(f.machine.interestDue());
      f.machine.step(f.now);
    }
    CHECK(parts == 4);
    CHECK(f.watcher.largest == SubscriptionMachine::kPart);
    CHECK_FALSE(f.watcher.last_more);
    CHECK(f.watcher.last_removed == Names{"a"});
    CHECK(f.watcher.held.size() == 198);
    const std::string error = f.machine.takeAck().error->message;
    CHECK(error.find("c7") != std::string::npos);
    CHECK(error.find("c150") != std::string::npos);
    CHECK(f.verdict("c7").state == VerdictState::kRejected);
    CHECK(f.verdict("c199").state == VerdictState::kAccepted);
  }
}

TEST_CASE("a large response of a type whose resources depend on each other is taken at once") {
  Fixture f(Variant::kSotw, kScopedRouteType);
  f.start({"*"});
  std::vector<Resource> resources;
  for (int i = 0; i < 200; ++i) {
    auto body = std::make_shared<google::protobuf::Any>(*clusterBody("s" + std::to_string(i), "1"));
    body->set_type_url(std::string(kScopedRouteType));
    resources.push_back(bare(std::move(body)));
  }
  f.answer(response(kScopedRouteType, "v1", "n1", std::move(resources)));
  CHECK_FALSE(f.machine.busy());
  CHECK(f.watcher.largest == 200);
}

TEST_CASE("what a stream brought is taken to the end although the stream ended, and not answered") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 100; ++i) many.emplace_back("c" + std::to_string(i), "1");
  f.machine.onResponse(testing::sotw("v1", "n1", many), f.now);
  REQUIRE(f.machine.busy());
  f.reconnect();
  f.machine.step(f.now);
  CHECK(f.watcher.held.size() == 100);
  CHECK_FALSE(f.machine.ackDue());
  CHECK(f.machine.takeInterest().version == "v1");
}

// --- waits

TEST_CASE("a refusal ends the wait for its name, and the watcher is told") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant, kEndpointType);
    f.watcher.refuse = {"a"};
    f.start({"a", "b"});
    f.machine.onResponse(response(kEndpointType, "v1", "n1", {named("a", "v1", endpointBody("a", 140))}), f.now);
    CHECK(f.watcher.wait_refused == Names{"a"});
    f.machine.onResponse(response(kEndpointType, "v2", "n2", {named("b", "v2", clusterBody("b", "1"))}), f.now);
    CHECK(f.watcher.wait_refused == Names{"a", "b"});  // a response that is refused as a whole was for any of them
    CHECK_FALSE(f.machine.nextDeadline());
  }
}

TEST_CASE("a server that has nothing of what was asked for ends the wait") {
  Fixture sotw(Variant::kSotw, kEndpointType);
  sotw.start({"a", "b"});
  sotw.machine.onResponse(response(kEndpointType, "v1", "n1", {bare(endpointBody("b", 140))}), sotw.now);
  CHECK(sotw.watcher.wait_absent.empty());  // the other may follow
  sotw.machine.onResponse(response(kEndpointType, "v2", "n2", {}), sotw.now);
  CHECK(sotw.watcher.wait_absent == Names{"a"});
  CHECK(sotw.watcher.held.contains("b"));

  Fixture delta(Variant::kDelta, kEndpointType);
  delta.start({"a", "b"});
  delta.machine.onResponse(response(kEndpointType, "v1", "n1", {}, {"a"}), delta.now);
  CHECK(delta.watcher.wait_absent == Names{"a"});
}

TEST_CASE("sotw: an empty response that was on its way when a name was asked for does not end the wait at once") {
  Fixture f(Variant::kSotw, kEndpointType);
  f.start({"old"});
  f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("old", 140))}));
  f.machine.subscribe("new", f.now);
  f.machine.takeInterest();

  f.answer(response(kEndpointType, "v2", "n2", {}));

  CHECK(f.watcher.wait_absent.empty());
  SECTION("the answer follows") {
    f.answer(response(kEndpointType, "v2", "n3", {bare(endpointBody("new", 140))}));
    CHECK(f.watcher.held.contains("new"));
  }
  SECTION("nothing follows") {
    REQUIRE(f.machine.nextDeadline() == f.now + 1s);
    f.machine.onTime(f.now + 1s);
    CHECK(f.watcher.timed_out == Names{"new"});
  }
}

TEST_CASE("a first response that is refused as a whole ends the wait for everything") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    f.machine.onResponse(response(kClusterType, "v1", "n1", {named("a", "v1", endpointBody("a", 140))}), f.now);
    CHECK(f.watcher.wait_refused == Names{"*"});
    CHECK_FALSE(f.machine.nextDeadline());
  }
}

}  // namespace
}  // namespace sluice::xds
