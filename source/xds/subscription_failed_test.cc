// What a machine does when the server has an error of a resource.
#include "source/xds/test_machine.h"

namespace sluice::xds {
namespace {

constexpr int kNotFound = 5, kPermissionDenied = 7, kUnavailable = 14;

// Endpoints in the form of the variant, and errors.
Response endpoints(Variant variant, const std::string& version, const Held& overprovisioning,
                   std::vector<FailedResource> failed) {
  std::vector<Resource> resources;
  for (const auto& [name, factor] : overprovisioning) {
    const auto body = endpointBody(name, static_cast<uint32_t>(std::stoul(factor)));
    resources.push_back(variant == Variant::kSotw ? bare(body) : named(name, version, body));
  }
  Response out = response(kEndpointType, version, "n" + version, std::move(resources));
  out.failed = std::move(failed);
  return out;
}

TEST_CASE("an error of the server's is no reason to refuse, ends the wait for its name, and its neighbours are taken") {
  const Variant variant = GENERATE(Variant::kSotw, Variant::kDelta);
  Fixture f(variant, kEndpointType);
  f.start({"a", "b", "c"});

  const Request ack = f.answer(endpoints(variant, "1", {{"b", "140"}}, {{"a", {kPermissionDenied, "not yours"}}}));

  CHECK_FALSE(ack.error);
  CHECK(f.watcher.held == Held{{"b", "1"}});
  CHECK(f.watcher.wait_refused == Names{"a"});
  CHECK(f.watcher.wait_absent.empty());
  CHECK(f.watcher.last_failed == Names{"a"});
  CHECK(f.verdict("a").state == VerdictState::kFailed);
  CHECK(f.verdict("a").error == "PERMISSION_DENIED: not yours");
  CHECK(f.verdict("c").state == VerdictState::kRequested);
  CHECK(f.machine.stats().update_success == 1);
}

TEST_CASE("what is held serves on under an error, which lasts until the resource comes") {
  const Variant variant = GENERATE(Variant::kSotw, Variant::kDelta);
  Fixture f(variant, kEndpointType);
  f.start({"a", "b"});
  f.answer(endpoints(variant, "1", {{"a", "140"}}, {}));

  f.answer(endpoints(variant, "2", {}, {{"a", {kUnavailable, "later"}}}));
  CHECK(f.watcher.held == Held{{"a", "1"}});
  CHECK(f.verdict("a").version == "1");
  CHECK(f.verdict("a").error == "UNAVAILABLE: later");

  f.answer(endpoints(variant, "3", {{"b", "140"}}, {}));
  CHECK(f.verdict("a").state == VerdictState::kFailed);

  SECTION("by the same bytes") {
    f.answer(endpoints(variant, "4", {{"a", "140"}}, {}));
  }
  SECTION("by others") {
    f.answer(endpoints(variant, "4", {{"a", "150"}}, {}));
    CHECK(f.watcher.held.at("a") == "4");
  }
  CHECK(f.verdict("a").state == VerdictState::kAccepted);
  CHECK(f.verdict("a").error.empty());
}

TEST_CASE("an error that says that there is none is an absence, in both variants, and its text is kept") {
  const Variant variant = GENERATE(Variant::kSotw, Variant::kDelta);
  Fixture f(variant, kEndpointType);
  f.start({"a", "b", "c"});
  f.answer(endpoints(variant, "1", {{"a", "140"}}, {}));

  f.answer(endpoints(variant, "2", {}, {{"a", {kNotFound, "moved"}}, {"b", {kNotFound, ""}}}));

  CHECK(f.watcher.held.empty());
  CHECK(f.watcher.last_removed == Names{"a", "b"});
  CHECK(f.watcher.wait_absent == Names{"b"});
  CHECK(f.watcher.last_failed.empty());
  CHECK(f.verdict("a").state == VerdictState::kDoesNotExist);
  CHECK(f.verdict("a").error == "NOT_FOUND: moved");
  CHECK(f.verdict("c").state == VerdictState::kRequested);  // an answer that holds errors only is not nothing

  f.answer(endpoints(variant, "3", {{"b", "140"}}, {}));
  CHECK(f.verdict("b").state == VerdictState::kAccepted);
}

TEST_CASE("sotw: a cluster with an error is not missing, and one that nobody named is shown until it is") {
  Fixture f(Variant::kSotw);
  f.start({"*"});
  f.answer(sotw("v1", "n1", {{"a", "1"}, {"b", "1"}}));

  Response half = sotw("v2", "n2", {});
  half.failed = {{"a", {kUnavailable, "later"}}, {"new", {0, "no code"}}};
  f.answer(half);

  CHECK(f.watcher.held == Held{{"a", "v1"}});
  CHECK(f.watcher.last_removed == Names{"b"});
  CHECK(f.verdict("new").error == "UNKNOWN: no code");

  f.answer(sotw("v3", "n3", {{"a", "1"}}));
  CHECK(f.machine.verdicts().size() == 1);
  CHECK(f.verdict("a").state == VerdictState::kAccepted);
}

TEST_CASE("delta: who removes a resource and has an error of it has none") {
  Fixture f(Variant::kDelta);
  f.start({"*", "a"});
  f.answer(response(kClusterType, "v1", "n1", {item("a", "1")}));

  Response gone = response(kClusterType, "v2", "n2", {}, {"a"});
  gone.failed = {{"a", {kPermissionDenied, "taken away"}}};
  f.answer(gone);

  CHECK(f.watcher.held.empty());
  CHECK(f.verdict("a").state == VerdictState::kDoesNotExist);
  CHECK(f.verdict("a").error == "PERMISSION_DENIED: taken away");
}

TEST_CASE("an error of a resource that is sent too, that has no name or that nobody asked for is none") {
  const Variant variant = GENERATE(Variant::kSotw, Variant::kDelta);
  Fixture f(variant, kEndpointType);
  f.start({"a"});

  f.answer(endpoints(variant, "1", {{"a", "140"}},
                     {{"a", {kUnavailable, "later"}}, {"", {kUnavailable, ""}}, {"other", {kNotFound, ""}}}));

  CHECK(f.machine.verdicts().size() == 1);
  CHECK(f.verdict("a").state == VerdictState::kAccepted);
  CHECK(f.watcher.last_failed.empty());
}

TEST_CASE("a new stream forgets errors, as the server may have got over them while it was away") {
  const Variant variant = GENERATE(Variant::kSotw, Variant::kDelta);
  Fixture f(variant, kEndpointType);
  f.start({"a", "b"});
  f.answer(endpoints(variant, "1", {{"a", "140"}}, {}));
  f.answer(endpoints(variant, "2", {}, {{"a", {kUnavailable, ""}}, {"b", {kUnavailable, ""}}}));

  f.reconnect();

  CHECK(f.verdict("a").state == VerdictState::kAccepted);
  CHECK(f.verdict("b").state == VerdictState::kRequested);
}

TEST_CASE("the text of an error is cut, and valid for whoever shows it") {
  Fixture f(Variant::kDelta, kEndpointType);
  f.start({"a"});

  f.answer(endpoints(Variant::kDelta, "1", {}, {{"a", {99, std::string(10'000, 'x')}}}));

  CHECK(f.verdict("a").error.size() == 4096);
  CHECK(f.verdict("a").error.starts_with("UNKNOWN: xxx"));
}

}  // namespace
}  // namespace sluice::xds
