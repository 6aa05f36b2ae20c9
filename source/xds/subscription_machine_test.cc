// What a machine does by either protocol.
#include "source/xds/test_machine.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;

TEST_CASE("nothing is sent while there is no stream or no interest") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    CHECK_FALSE(f.machine.interestDue());
    f.machine.onStreamStart(f.now);
    CHECK_FALSE(f.machine.interestDue());
    f.machine.subscribe("a", f.now);
    CHECK(f.machine.interestDue());
    f.machine.onStreamEnd();
    CHECK_FALSE(f.machine.interestDue());
  }
}

TEST_CASE("each response is answered with its own nonce") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});

    f.machine.onResponse(response(kClusterType, "v1", "n1", {}), f.now);
    f.machine.onResponse(response(kClusterType, "v2", "n2", {}), f.now);

    CHECK(f.machine.takeAck().response_nonce == "n1");
    CHECK(f.machine.takeAck().response_nonce == "n2");
    CHECK_FALSE(f.machine.ackDue());
  }
}

TEST_CASE("the good resources of a bad response are taken and the NACK names the bad ones") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    f.watcher.refuse = {"bad"};

    const Request nack = f.answer(response(kClusterType, "v1", "n1", {item("bad", "1"), item("good", "1")}));

    REQUIRE(nack.error.has_value());
    CHECK(nack.error->code == 13);
    CHECK(nack.error->message == "envoy.config.cluster.v3.Cluster \"bad\": connect_timeout: must be greater than 0s");
    CHECK(f.watcher.held == Held{{"good", "1"}});
    CHECK(f.verdict("good").state == VerdictState::kAccepted);
    CHECK(f.verdict("bad").state == VerdictState::kRejected);
    CHECK(f.verdict("bad").error == "connect_timeout: must be greater than 0s");
    CHECK(f.machine.stats().update_rejected == 1);
  }
}

// The first version of a cluster is held, the second one was refused.
void refuseTheSecond(Fixture& f) {
  f.start({"*"});
  f.answer(response(kClusterType, "v1", "n1", {item("a", "1")}));
  f.watcher.refuse = {"a"};
  f.answer(response(kClusterType, "v2", "n2", {item("a", "2")}));
}

TEST_CASE("a refused version leaves the last good one in place") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);

    refuseTheSecond(f);

    CHECK(f.verdict("a").version == "1");
    CHECK(f.verdict("a").rejected_version == "2");
    CHECK(f.verdict("a").body->value() == clusterBody("a", "1")->value());
    CHECK(f.verdict("a").rejected_body->value() == clusterBody("a", "2")->value());
  }
}

TEST_CASE("a server that takes a bad version back clears the verdict") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    refuseTheSecond(f);

    const Request ack = f.answer(response(kClusterType, "v3", "n3", {item("a", "1")}));

    CHECK_FALSE(ack.error.has_value());
    CHECK(f.verdict("a").state == VerdictState::kAccepted);
    CHECK(f.verdict("a").error.empty());
    CHECK(f.verdict("a").rejected_body == nullptr);
  }
}

TEST_CASE("a new stream forgets refusals, as the server may have taken them back while it was away") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    f.answer(response(kClusterType, "v1", "n1", {item("a", "1")}));
    f.watcher.refuse = {"a", "b"};
    f.answer(response(kClusterType, "v2", "n2", {item("a", "2"), item("b", "2")}));

    f.reconnect();

    CHECK(f.verdict("a").state == VerdictState::kAccepted);
    CHECK(f.verdict("a").version == "1");
    CHECK(f.machine.verdicts().size() == 1);
  }
}

TEST_CASE("a watcher may refuse a response as a whole") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    f.answer(response(kClusterType, "v1", "n1", {item("a", "1")}));
    f.watcher.veto = true;

    const Request nack = f.answer(response(kClusterType, "v2", "n2", {item("b", "2")}));

    CHECK(nack.error->message == "envoy.config.cluster.v3.Cluster: vetoed");
    CHECK(f.verdict("a").body != nullptr);
    CHECK(f.verdict("b").state == VerdictState::kRejected);
  }
}

TEST_CASE("a resource of another type refuses the whole response") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});

    const Request nack =
        f.answer(response(kClusterType, "v1", "n1", {item("a", "1"), named("e", "1", endpointBody("e", 140))}));

    CHECK(nack.error->message ==
          "envoy.config.cluster.v3.Cluster \"e\": its type is envoy.config.endpoint.v3.ClusterLoadAssignment; "
          "a response holds one type");
    CHECK(f.watcher.updates == 0);
    CHECK(f.machine.stats().resources == 0);
  }
}

TEST_CASE("a name that stands twice in a response is refused, its neighbours are taken") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});

    const Request nack = f.answer(response(kClusterType, "v1", "n1", {item("a", "1"), item("b", "1"), item("a", "2")}));

    CHECK(nack.error->message == "envoy.config.cluster.v3.Cluster \"a\": stands in one response twice; send it once");
    CHECK(f.watcher.held == Held{{"b", "1"}});
    CHECK(f.watcher.last_rejected == Names{"a"});
  }
}

TEST_CASE("names that nobody asked for are ignored without a NACK") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"a"});

    const Request ack = f.answer(response(kClusterType, "v1", "n1", {item("a", "1"), item("b", "1")}));

    CHECK_FALSE(ack.error.has_value());
    CHECK(f.watcher.held == Held{{"a", "1"}});
  }
}

TEST_CASE("a response before any request of its type is dropped without an answer") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.machine.onStreamStart(f.now);

    CHECK_FALSE(f.machine.onResponse(response(kClusterType, "v1", "n1", {item("a", "1")}), f.now));

    CHECK_FALSE(f.machine.ackDue());
    CHECK(f.watcher.updates == 0);
  }
}

TEST_CASE("a resource with the bytes that are held is not handed on again") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    f.answer(response(kClusterType, "v1", "n1", {item("a", "1"), item("b", "1")}));

    f.answer(response(kClusterType, "v2", "n2", {item("a", "1"), item("b", "2")}));

    CHECK(f.watcher.last_changed == Names{"b"});
  }
}

TEST_CASE("a resource that is asked for again after it was given up is handed on again") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"a"});
    f.answer(response(kClusterType, "v1", "n1", {item("a", "1")}));
    f.machine.unsubscribe("a");
    f.machine.subscribe("a", f.now);

    f.answer(response(kClusterType, "v1", "n2", {item("a", "1")}));

    CHECK(f.watcher.last_changed == Names{"a"});
  }
}

TEST_CASE("a body that is broken refuses its resource and removes nothing") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.answer(sotw("v1", "n1", {{"a", "x"}, {"b", "x"}}));
  auto broken = std::make_shared<google::protobuf::Any>(*clusterBody("b", "y"));
  broken->mutable_value()->pop_back();

  const Request nack = f.answer(response(kClusterType, "v2", "n2", {bare(clusterBody("a", "z")), bare(broken)}));

  CHECK(nack.error->message ==
        "envoy.config.cluster.v3.Cluster \"resources[1]\": the bytes are not a protobuf message");
  CHECK(f.watcher.last_changed == Names{"a"});
  CHECK(f.watcher.last_removed.empty());
}

TEST_CASE("initial_fetch_timeout ends the wait of each name, and the name may come later") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant, kEndpointType);
    f.start({"a"});
    f.now += 10s;
    f.machine.subscribe("b", f.now);
    CHECK(*f.machine.nextDeadline() == f.now + 5s);

    f.now += 5s;
    f.machine.onTime(f.now);

    CHECK(f.watcher.timed_out == Names{"a"});
    CHECK(f.verdict("a").state == VerdictState::kTimeout);
    CHECK(*f.machine.nextDeadline() == f.now + 10s);
    CHECK(f.machine.stats().init_fetch_timeout == 1);

    f.answer(response(kEndpointType, "v1", "n1",
                      {named("a", "1", endpointBody("a", 140)), named("b", "1", endpointBody("b", 140))}));
    CHECK(f.watcher.held.size() == 2);
    CHECK_FALSE(f.machine.nextDeadline().has_value());
  }
}

TEST_CASE("a rejection ends the wait as an update does") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant, kEndpointType);
    f.start({"a"});
    f.watcher.refuse = {"a"};

    f.answer(response(kEndpointType, "v1", "n1", {named("a", "1", endpointBody("a", 140))}));

    CHECK_FALSE(f.machine.nextDeadline().has_value());
  }
}

TEST_CASE("the wait of a wildcard ends with the first response, an empty one too") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    CHECK(f.machine.nextDeadline().has_value());

    f.answer(response(kClusterType, "v1", "n1", {}));

    CHECK_FALSE(f.machine.nextDeadline().has_value());
    CHECK(f.watcher.updates == 1);
  }
}

TEST_CASE("the wait goes on over a reconnect and ends without a server too") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.now += 14s;
  f.reconnect();

  f.now += 1s;
  f.machine.onTime(f.now);

  CHECK(f.watcher.timed_out == Names{"*"});
}

TEST_CASE("a resource whose TTL is over is removed") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    Resource timed = item("a", "1");
    timed.ttl = 5000ms;
    f.answer(response(kClusterType, "v1", "n1", {timed, item("b", "1")}));
    CHECK(*f.machine.nextDeadline() == f.now + 5s);

    f.now += 5s;
    f.machine.onTime(f.now);

    CHECK(f.watcher.last_removed == Names{"a"});
    CHECK(f.watcher.held == Held{{"b", "1"}});
    CHECK_FALSE(f.machine.ackDue());
  }
}

TEST_CASE("a heartbeat moves the TTL and is no update") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    Resource timed = item("a", "1");
    timed.ttl = 5000ms;
    f.answer(response(kClusterType, "1", "n1", {timed, item("b", "1")}));
    f.now += 4s;

    Resource heartbeat = timed;
    heartbeat.body = nullptr;
    const Request ack = f.answer(response(kClusterType, "1", "n2", {heartbeat}));

    CHECK_FALSE(ack.error.has_value());
    CHECK(f.watcher.updates == 1);
    CHECK(f.watcher.held.size() == 2);
    CHECK(*f.machine.nextDeadline() == f.now + 5s);
  }
}

TEST_CASE("a resource sent again without a TTL stays") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    Resource timed = item("a", "1");
    timed.ttl = 5000ms;
    f.answer(response(kClusterType, "v1", "n1", {timed}));

    f.answer(response(kClusterType, "v2", "n2", {item("a", "1")}));

    CHECK_FALSE(f.machine.nextDeadline().has_value());
  }
}

TEST_CASE("a resource without a body and of a version that is not held is refused") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant);
    f.start({"*"});
    f.answer(response(kClusterType, "v1", "n1", {item("a", "1")}));

    const Request nack = f.answer(response(kClusterType, "v2", "n2", {named("a", "9", nullptr)}));

    CHECK(nack.error->message ==
          "envoy.config.cluster.v3.Cluster \"a\": resource: is missing, and no such version is held");
    CHECK(f.watcher.last_removed.empty());
  }
}

TEST_CASE("a paused type keeps its change of interest back, but not its ACKs") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant, kEndpointType);
    f.start({"a"});
    f.machine.pause();
    f.machine.pause();
    f.machine.subscribe("b", f.now);
    f.machine.onResponse(response(kEndpointType, "v1", "n1", {}), f.now);
    CHECK(f.machine.ackDue());
    CHECK_FALSE(f.machine.interestDue());

    f.machine.resume();
    CHECK_FALSE(f.machine.interestDue());
    f.machine.resume();
    CHECK(f.machine.interestDue());
  }
}

TEST_CASE("a watcher may change the interest while it takes an update") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    Fixture f(variant, kEndpointType);
    f.start({"a", "b"});
    f.watcher.during_update = [&](const Update&) {
      f.machine.unsubscribe("a");
      f.machine.subscribe("c", f.now);
    };

    f.answer(response(kEndpointType, "v1", "n1",
                      {named("a", "1", endpointBody("a", 140)), named("b", "1", endpointBody("b", 140))}));

    CHECK(f.machine.verdicts().size() == 2);
    CHECK(f.verdict("b").state == VerdictState::kAccepted);
    CHECK(f.verdict("c").state == VerdictState::kRequested);
  }
}

TEST_CASE("interest set as a whole becomes the difference") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a", "b"});

  f.machine.setInterest({"b", "c", "c"}, f.now);

  const Request request = f.machine.takeInterest();
  CHECK(request.subscribe == Names{"c"});
  CHECK(request.unsubscribe == Names{"a"});
}

}  // namespace
}  // namespace sluice::xds
