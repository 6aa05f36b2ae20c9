// Delta: changes, versions held and what is gone.
#include "source/xds/test_machine.h"

namespace sluice::xds {
namespace {

TEST_CASE("delta: the first request lists all names, later ones only the change") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.machine.subscribe("a", f.now);
  f.machine.subscribe("b", f.now);
  f.machine.onStreamStart(f.now);

  const Request first = f.machine.takeInterest();
  CHECK(first.subscribe == Names{"a", "b"});
  CHECK(first.initial_versions.empty());
  CHECK(first.response_nonce.empty());

  f.machine.subscribe("c", f.now);
  f.machine.unsubscribe("a");
  const Request change = f.machine.takeInterest();
  CHECK(change.subscribe == Names{"c"});
  CHECK(change.unsubscribe == Names{"a"});
  CHECK(change.response_nonce.empty());
  CHECK_FALSE(f.machine.interestDue());
}

TEST_CASE("delta: an ACK carries the nonce and the change that is waiting") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a"});
  f.machine.subscribe("b", f.now);

  const Request ack = f.answer(response(kEndpointType, "v1", "n1", {named("a", "1", endpointBody("a", 140))}));

  CHECK(ack.response_nonce == "n1");
  CHECK(ack.subscribe == Names{"b"});
  CHECK_FALSE(f.machine.interestDue());
}

// A virtual host that is known by other names, too.
Resource aliased(const std::string& name, const std::string& version, std::vector<std::string> aliases,
                 bool there = true) {
  auto body = std::make_shared<google::protobuf::Any>();
  body->set_type_url(std::string(kVirtualHostType));
  Resource out = named(name, version, there ? std::move(body) : nullptr);
  out.aliases = std::move(aliases);
  return out;
}

TEST_CASE("delta: a resource is taken under the names that it was asked for by") {
  Fixture f(Variant::kDelta, kVirtualHostType);
  f.start({"r/a", "r/b", "r/own", "r/none"});

  const Request ack = f.answer(response(kVirtualHostType, "v1", "n1",
                                        {aliased("r/host", "1", {"r/a", "r/b", "r/unasked"}), aliased("r/own", "1", {}),
                                         aliased("r/other", "1", {"r/none"}, /*there=*/false)}));

  CHECK_FALSE(ack.error);
  CHECK(f.watcher.held == std::map<std::string, std::string>{{"r/a", "1"}, {"r/b", "1"}, {"r/own", "1"}});
  CHECK(f.watcher.last_removed == Names{"r/none"});
  CHECK(f.verdict("r/none").state == VerdictState::kDoesNotExist);
}

TEST_CASE("delta: a resource that goes by its own name goes by those that it was asked for by") {
  Fixture f(Variant::kDelta, kVirtualHostType);
  f.start({"r/a", "r/b"});
  f.answer(response(kVirtualHostType, "v1", "n1", {aliased("r/host", "1", {"r/a", "r/b"})}));

  f.answer(response(kVirtualHostType, "v2", "n2", {}, {"r/host"}));

  CHECK(f.watcher.held.empty());
}

TEST_CASE("delta: aliases of earlier answers stay a resource's own") {
  Fixture f(Variant::kDelta, kVirtualHostType);
  f.start({"r/a", "r/b"});
  f.answer(response(kVirtualHostType, "v1", "n1", {aliased("r/host", "1", {"r/a"})}));
  f.answer(response(kVirtualHostType, "v2", "n2", {aliased("r/host", "1", {"r/b"})}));

  SECTION("when it changes") {
    f.answer(response(kVirtualHostType, "v3", "n3", {aliased("r/host", "3", {})}));
    f.reconnect();
    CHECK(f.machine.takeInterest().initial_versions == Held{{"r/a", "3"}, {"r/b", "3"}});
  }
  SECTION("when it goes") {
    f.answer(response(kVirtualHostType, "v3", "n3", {}, {"r/host"}));
    CHECK(f.watcher.held.empty());
  }
  SECTION("until they are taken away") {
    f.answer(response(kVirtualHostType, "v3", "n3", {}, {"r/a"}));
    f.answer(response(kVirtualHostType, "v4", "n4", {aliased("r/host", "4", {})}));
    CHECK(f.watcher.held == Held{{"r/b", "1"}});
  }
  SECTION("until they are taken away by the answer that changes it") {
    const Request ack = f.answer(response(kVirtualHostType, "v3", "n3", {aliased("r/host", "3", {})}, {"r/a"}));
    CHECK_FALSE(ack.error);
    CHECK(f.watcher.held == Held{{"r/b", "1"}});  // its content is the same
  }
  SECTION("until another one has them") {
    f.answer(response(kVirtualHostType, "v3", "n3", {aliased("r/host", "3", {}), aliased("r/other", "2", {"r/a"})}));
    f.answer(response(kVirtualHostType, "v4", "n4", {}, {"r/host"}));
    CHECK(f.watcher.held == Held{{"r/a", "1"}});  // its content is the same
  }
  SECTION("until they stand for nothing") {
    f.answer(response(kVirtualHostType, "v3", "n3", {aliased("r/host", "3", {"r/a"}, /*there=*/false)}));
    CHECK(f.watcher.held == Held{{"r/b", "1"}});
    f.answer(response(kVirtualHostType, "v4", "n4", {aliased("r/host", "1", {})}));
    CHECK(f.watcher.held == Held{{"r/b", "1"}});
  }
}

TEST_CASE("delta: a resource may stand in a response once for each of its aliases") {
  Fixture f(Variant::kDelta, kVirtualHostType);
  f.start({"r/a", "r/b"});

  const Request ack = f.answer(
      response(kVirtualHostType, "v1", "n1", {aliased("r/host", "1", {"r/a"}), aliased("r/host", "1", {"r/b"})}));

  CHECK_FALSE(ack.error);
  CHECK(f.watcher.held == Held{{"r/a", "1"}, {"r/b", "1"}});
}

TEST_CASE("delta: what was refused under an alias waits when it comes again") {
  Fixture f(Variant::kDelta, kVirtualHostType);
  f.start({"r/a"});
  f.watcher.refuse = {"r/a"};
  Response refused = response(kVirtualHostType, "v1", "n1", {aliased("r/host", "1", {"r/a"})});
  CHECK(f.answer(refused).error);

  refused.nonce = "n2";
  REQUIRE(f.machine.onResponse(refused, f.now));

  CHECK_FALSE(f.machine.ackDue());
}

TEST_CASE("delta: a new stream tells the versions held and asks for all names again") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a", "b"});
  f.answer(response(kEndpointType, "v1", "n1", {named("a", "1", endpointBody("a", 140))}));

  f.reconnect();

  const Request first = f.machine.takeInterest();
  CHECK(first.subscribe == Names{"a", "b"});
  CHECK(first.initial_versions == Held{{"a", "1"}});
  f.machine.subscribe("c", f.now);
  CHECK(f.machine.takeInterest().initial_versions.empty());
}

TEST_CASE("delta: another server is told what is held under no version, until it has sent it itself") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a"});
  f.answer(response(kEndpointType, "v1", "n1", {named("a", "1", endpointBody("a", 140))}));

  f.machine.onStreamEnd();
  f.machine.onStreamStart(f.now, /*same_server=*/false);
  CHECK(f.machine.takeInterest().initial_versions == Held{{"a", std::string(SubscriptionMachine::kForeignVersion)}});
  f.reconnect();
  CHECK(f.machine.takeInterest().initial_versions == Held{{"a", std::string(SubscriptionMachine::kForeignVersion)}});

  f.answer(response(kEndpointType, "v2", "n2", {named("a", "7", endpointBody("a", 140))}));
  f.reconnect();
  CHECK(f.machine.takeInterest().initial_versions == Held{{"a", "7"}});
}

TEST_CASE("delta: what a stream brought is of its server, although it is taken when the next one stands") {
  Fixture f(Variant::kDelta);
  f.start({"*"});
  std::vector<Resource> many;
  for (int i = 0; i < 100; ++i) many.push_back(item("c" + std::to_string(i), "1"));
  f.machine.onResponse(response(kClusterType, "v1", "n1", std::move(many)), f.now);
  REQUIRE(f.machine.busy());

  f.machine.onStreamEnd();
  f.machine.onStreamStart(f.now, /*same_server=*/false);
  f.machine.step(f.now);

  const Request first = f.machine.takeInterest();
  CHECK(first.initial_versions.size() == 100);
  CHECK(first.initial_versions.at("c99") == SubscriptionMachine::kForeignVersion);
}

TEST_CASE("delta: a resource that is only newer in version is not handed on, but told at the reconnect") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a"});
  f.answer(response(kEndpointType, "v1", "n1", {named("a", "1", endpointBody("a", 140))}));

  f.answer(response(kEndpointType, "v2", "n2", {named("a", "2", endpointBody("a", 140))}));

  CHECK(f.watcher.last_changed.empty());
  f.reconnect();
  CHECK(f.machine.takeInterest().initial_versions == Held{{"a", "2"}});
}

TEST_CASE("delta: a refused version is not among the versions held") {
  Fixture f(Variant::kDelta);
  f.start({"*"});
  f.answer(response(kClusterType, "v1", "n1", {item("a", "1")}));
  f.watcher.refuse = {"a", "b"};
  f.answer(response(kClusterType, "v2", "n2", {item("a", "2"), item("b", "2")}));

  f.reconnect();

  CHECK(f.machine.takeInterest().initial_versions == Held{{"a", "1"}});
}

TEST_CASE("delta: a name given up and wanted again before anything was sent is subscribed once more") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a"});
  f.machine.unsubscribe("a");
  f.machine.subscribe("a", f.now);

  const Request request = f.machine.takeInterest();

  CHECK(request.subscribe == Names{"a"});
  CHECK(request.unsubscribe.empty());
}

TEST_CASE("delta: a name wanted and given up before anything was sent is never heard of") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a"});
  f.machine.subscribe("b", f.now);
  f.machine.unsubscribe("b");

  CHECK_FALSE(f.machine.interestDue());
}

TEST_CASE("delta: removed resources are removed, and names not held or not wanted are ignored") {
  Fixture f(Variant::kDelta);
  f.start({"*"});
  f.answer(response(kClusterType, "v1", "n1", {item("a", "1"), item("b", "1")}));

  const Request ack = f.answer(response(kClusterType, "v2", "n2", {}, {"a", "a", "never-held"}));

  CHECK_FALSE(ack.error.has_value());
  CHECK(f.watcher.last_removed == Names{"a"});
  CHECK(f.watcher.held == Held{{"b", "1"}});
}

TEST_CASE("delta: a removed name that is subscribed does not exist, stays subscribed and may appear later") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a"});

  f.answer(response(kEndpointType, "v1", "n1", {}, {"a"}));
  CHECK(f.watcher.last_removed == Names{"a"});
  CHECK(f.verdict("a").state == VerdictState::kDoesNotExist);
  CHECK_FALSE(f.machine.nextDeadline().has_value());

  f.answer(response(kEndpointType, "v2", "n2", {named("a", "1", endpointBody("a", 140))}));
  CHECK(f.verdict("a").state == VerdictState::kAccepted);
}

TEST_CASE("delta: a name both sent and removed is refused and stays as it was") {
  Fixture f(Variant::kDelta);
  f.start({"*"});
  f.answer(response(kClusterType, "v1", "n1", {item("a", "1")}));

  const Request nack = f.answer(response(kClusterType, "v2", "n2", {item("a", "2"), item("b", "2")}, {"a"}));

  CHECK(nack.error->message ==
        "envoy.config.cluster.v3.Cluster \"a\": stands in resources and in removed_resources; send it in one of them");
  CHECK(f.watcher.held == Held{{"a", "1"}, {"b", "2"}});
}

TEST_CASE("delta: a name outside that differs from the one inside is refused") {
  Fixture f(Variant::kDelta);
  f.start({"*"});

  const Request nack = f.answer(response(kClusterType, "v1", "n1", {named("a", "1", clusterBody("b", "x"))}));

  CHECK(nack.error->message ==
        "envoy.config.cluster.v3.Cluster \"a\": name: is \"b\" inside; both names must be the same");
}

TEST_CASE("delta: the wildcard goes from all to all and one, to one, to nothing") {
  Fixture f(Variant::kDelta);
  f.machine.subscribe("*", f.now);
  f.machine.onStreamStart(f.now);
  const Request all = f.machine.takeInterest();
  CHECK(all.subscribe.empty());
  CHECK(all.unsubscribe.empty());

  f.machine.subscribe("a", f.now);
  CHECK(f.machine.takeInterest().subscribe == Names{"a"});
  f.machine.unsubscribe("*");
  CHECK(f.machine.takeInterest().unsubscribe == Names{"*"});
  f.machine.unsubscribe("a");
  CHECK(f.machine.takeInterest().unsubscribe == Names{"a"});
}

TEST_CASE("delta: a new stream with names and the wildcard names the wildcard") {
  Fixture f(Variant::kDelta);
  f.start({"*", "a"});

  f.reconnect();

  CHECK(f.machine.takeInterest().subscribe == Names{"*", "a"});
}

TEST_CASE("delta: giving up the wildcard forgets what only the wildcard brought") {
  Fixture f(Variant::kDelta);
  f.start({"*", "a"});
  f.answer(response(kClusterType, "v1", "n1", {item("a", "1"), item("b", "1")}));

  f.machine.unsubscribe("*");

  CHECK(f.machine.verdicts().size() == 1);
  CHECK(f.verdict("a").version == "1");
}

TEST_CASE("delta: a name given up under a wildcard stays until the server says whose it is") {
  Fixture f(Variant::kDelta);
  f.start({"*", "a", "b"});
  f.answer(response(kClusterType, "v1", "n1", {item("a", "1"), item("b", "1")}));
  f.machine.unsubscribe("a");
  f.machine.unsubscribe("b");
  f.machine.takeInterest();
  CHECK(f.machine.stats().resources == 2);

  f.answer(response(kClusterType, "v2", "n2", {item("a", "1")}, {"b"}));

  CHECK(f.watcher.held == Held{{"a", "1"}});
  CHECK(f.machine.stats().resources == 1);
  f.reconnect();
  const Request first = f.machine.takeInterest();
  CHECK(first.subscribe.empty());
  CHECK(first.initial_versions == Held{{"a", "1"}});
}

}  // namespace
}  // namespace sluice::xds
