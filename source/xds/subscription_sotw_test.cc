// State of the world: names, versions and what is gone.
#include "source/xds/test_machine.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;

TEST_CASE("sotw: a name that was given up and is wanted again before any request is asked for anew") {
  Fixture f(Variant::kSotw, kEndpointType);
  f.start({"a", "b"});
  f.answer(response(kEndpointType, "v1", "n1", {}));

  f.machine.unsubscribe("a");
  f.machine.subscribe("a", f.now);

  REQUIRE(f.machine.interestDue());
  CHECK(f.machine.takeInterest().names == Names{"b"});
  REQUIRE(f.machine.interestDue());
  CHECK(f.machine.takeInterest().names == Names{"a", "b"});
  CHECK_FALSE(f.machine.interestDue());
}

TEST_CASE("sotw: a name that only a request with a stale nonce left out is asked for anew") {
  Fixture f(Variant::kSotw, kEndpointType);
  f.start({"a", "b"});
  f.answer(response(kEndpointType, "v1", "n1", {}));
  f.machine.unsubscribe("a");
  CHECK(f.machine.takeInterest().names == Names{"b"});
  f.machine.subscribe("a", f.now);
  CHECK(f.machine.takeInterest().names == Names{"a", "b"});

  // Sent before either came.
  const Request ack = f.answer(response(kEndpointType, "v2", "n2", {}));

  CHECK(ack.names == Names{"b"});
  REQUIRE(f.machine.interestDue());
  CHECK(f.machine.takeInterest().names == Names{"a", "b"});
  CHECK_FALSE(f.machine.interestDue());
}

TEST_CASE("sotw: what comes again with the bytes that are held is told by its name") {
  Fixture f(Variant::kSotw, kEndpointType);
  f.start({"a", "b"});
  f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("a", 140)), bare(endpointBody("b", 140))}));
  CHECK(f.watcher.last_repeated.empty());

  f.answer(response(kEndpointType, "v2", "n2", {bare(endpointBody("a", 140)), bare(endpointBody("b", 150))}));
  CHECK(f.watcher.last_repeated == Names{"a"});
  CHECK(f.watcher.last_changed == Names{"b"});
}

TEST_CASE("sotw: a request carries the accepted version, the last nonce and all names") {
  Fixture f(Variant::kSotw, kEndpointType);
  f.machine.subscribe("b", f.now);
  f.machine.subscribe("a", f.now);
  f.machine.onStreamStart(f.now);
  const Request first = f.machine.takeInterest();
  CHECK(first.version.empty());
  CHECK(first.response_nonce.empty());
  CHECK(first.names == Names{"a", "b"});

  const Request ack = f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("a", 140))}));
  CHECK(ack.version == "v1");
  CHECK(ack.response_nonce == "n1");
  CHECK(ack.names == Names{"a", "b"});

  f.machine.subscribe("c", f.now);
  const Request more = f.machine.takeInterest();
  CHECK(more.version == "v1");
  CHECK(more.response_nonce == "n1");
  CHECK(more.names == Names{"a", "b", "c"});
}

TEST_CASE("sotw: a NACK keeps the last good version, and the error goes out once") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.answer(sotw("v1", "n1", {{"a", "x"}}));
  f.watcher.refuse = {"a"};

  const Request nack = f.answer(sotw("v2", "n2", {{"a", "y"}}));
  CHECK(nack.version == "v1");
  CHECK(nack.response_nonce == "n2");
  CHECK(nack.error.has_value());

  f.machine.subscribe("b", f.now);
  const Request next = f.machine.takeInterest();
  CHECK(next.version == "v1");
  CHECK(next.response_nonce == "n2");
  CHECK_FALSE(next.error.has_value());
}

TEST_CASE("sotw: a new stream begins with the accepted version, no nonce and all names") {
  Fixture f(Variant::kSotw, kEndpointType);
  f.start({"a", "b"});
  f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("a", 140))}));

  f.reconnect();

  const Request first = f.machine.takeInterest();
  CHECK(first.version == "v1");
  CHECK(first.response_nonce.empty());
  CHECK(first.names == Names{"a", "b"});
  CHECK_FALSE(f.machine.ackDue());
}

TEST_CASE("sotw: another server is not told the version of the one before") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.answer(sotw("v1", "n1", {{"a", "1"}}));

  f.machine.onStreamEnd();
  f.machine.onStreamStart(f.now, /*same_server=*/false);

  CHECK(f.machine.takeInterest().version.empty());
}

TEST_CASE("sotw: an ACK that was not sent dies with its stream") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.machine.onResponse(sotw("v1", "n1", {}), f.now);

  f.reconnect();

  CHECK_FALSE(f.machine.ackDue());
  CHECK(f.machine.takeInterest().version == "v1");
}

TEST_CASE("sotw: what is missing among clusters is removed, and an empty response removes all") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.answer(sotw("v1", "n1", {{"a", "x"}, {"b", "x"}}));

  f.answer(sotw("v2", "n2", {{"b", "x"}}));
  CHECK(f.watcher.last_removed == Names{"a"});

  f.answer(sotw("v3", "n3", {}));
  CHECK(f.watcher.last_removed == Names{"b"});
  CHECK(f.machine.verdicts().empty());
}

TEST_CASE("sotw: what is missing among endpoints means nothing") {
  Fixture f(Variant::kSotw, kEndpointType);
  f.start({"a", "b"});
  f.answer(response(kEndpointType, "v1", "n1", {bare(endpointBody("a", 140)), bare(endpointBody("b", 140))}));

  f.answer(response(kEndpointType, "v2", "n2", {}));

  CHECK(f.watcher.last_removed.empty());
  CHECK(f.machine.stats().resources == 2);
}

TEST_CASE("sotw: a cluster asked for by name that a response does not have does not exist") {
  Fixture f(Variant::kSotw);
  f.start({"a"});

  f.answer(sotw("v1", "n1", {}));

  CHECK(f.watcher.last_removed == Names{"a"});
  CHECK(f.verdict("a").state == VerdictState::kDoesNotExist);
  CHECK_FALSE(f.machine.nextDeadline().has_value());
}

TEST_CASE("sotw: a refused cluster that was held is not missing") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.answer(sotw("v1", "n1", {{"a", "x"}}));
  f.watcher.refuse = {"a"};

  f.answer(sotw("v2", "n2", {{"a", "y"}}));

  CHECK(f.watcher.last_removed.empty());
}

TEST_CASE("sotw: a refused cluster is forgotten when the server no longer sends it") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.watcher.refuse = {"a"};
  f.answer(sotw("v1", "n1", {{"a", "x"}}));
  CHECK(f.verdict("a").state == VerdictState::kRejected);

  f.answer(sotw("v2", "n2", {}));

  CHECK(f.machine.verdicts().empty());
}

TEST_CASE("sotw: the wildcard goes from all to all and one, to one, to nothing") {
  Fixture f(Variant::kSotw);
  f.machine.subscribe("*", f.now);
  f.machine.onStreamStart(f.now);
  CHECK(f.machine.takeInterest().names.empty());

  f.machine.subscribe("a", f.now);
  CHECK(f.machine.takeInterest().names == Names{"*", "a"});
  f.machine.unsubscribe("*");
  CHECK(f.machine.takeInterest().names == Names{"a"});
  f.machine.unsubscribe("a");
  CHECK(f.machine.takeInterest().names.empty());
}

TEST_CASE("sotw: after a name was sent the wildcard is named, until the next stream") {
  Fixture f(Variant::kSotw);
  f.start({"*", "a"});
  f.machine.unsubscribe("a");
  CHECK(f.machine.takeInterest().names == Names{"*"});

  f.reconnect();

  CHECK(f.machine.takeInterest().names.empty());
}

TEST_CASE("sotw: without interest a new stream does not ask for the type, as that would mean everything") {
  Fixture f(Variant::kSotw);
  f.start({"a"});
  f.machine.unsubscribe("a");

  f.reconnect();

  CHECK_FALSE(f.machine.interestDue());
}

TEST_CASE("sotw: a wrapped resource gives its name and version") {
  Fixture f(Variant::kSotw);
  f.start({"*"});

  f.answer(response(kClusterType, "v1", "n1", {item("a", "7"), bare(clusterBody("b", "x"))}));

  CHECK(f.watcher.held == Held{{"a", "7"}, {"b", "v1"}});
}

TEST_CASE("sotw: heartbeats of some clusters do not remove the others") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  Resource timed = named("a", "", clusterBody("a", "x"));
  timed.ttl = 5000ms;
  f.answer(response(kClusterType, "v1", "n1", {timed, bare(clusterBody("b", "x"))}));

  timed.body = nullptr;
  f.answer(response(kClusterType, "v1", "n2", {timed}));

  CHECK(f.watcher.held.size() == 2);
}

}  // namespace
}  // namespace sluice::xds
