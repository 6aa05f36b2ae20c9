#include "source/filter/credentials/consumers.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <string>
#include <variant>

#include "source/filter/credentials/group_access.h"

namespace sluice::filter {
namespace {

const stream::MetadataValue* fieldOf(const IdentityPtr& identity, const std::string& name) {
  for (const auto& field : *identity) {
    if (field.name == name) return &field.value;
  }
  return nullptr;
}

std::string textOf(const IdentityPtr& identity, const std::string& name) {
  const stream::MetadataValue* const value = fieldOf(identity, name);
  return value == nullptr ? "" : std::get<std::string>(value->value);
}

TEST_CASE("a consumer is found by the digest of its credential") {
  Consumers consumers;
  const Consumer* const one = consumers.add({"one", {"staff"}, {}});
  REQUIRE(one != nullptr);
  REQUIRE(consumers.addCredential(*one, CredentialKind::kKey, digestOf("k"), {.method = "key", .prefix = "p"}));

  const KnownConsumer* const known = consumers.find(CredentialKind::kKey, "k");

  REQUIRE(known != nullptr);
  CHECK(known->consumer().name == "one");
  CHECK(textOf(known->identity(), "method") == "key");
  CHECK(textOf(known->identity(), "subject") == "one");
  CHECK(fieldOf(known->identity(), "claims") != nullptr);
  CHECK(known->identity() == known->identity());
  CHECK(consumers.find(CredentialKind::kKey, "other") == nullptr);
}

TEST_CASE("a credential has a kind, a secret and a subject of its own") {
  Consumers consumers;
  const Consumer& one = *consumers.add({"one", {}, {}});
  REQUIRE(consumers.addCredential(one, CredentialKind::kSignature, digestOf("id"),
                                  {.method = "hmac", .subject = "id", .secret = "sesame"}));

  const KnownConsumer* const known = consumers.find(CredentialKind::kSignature, "id");

  REQUIRE(known != nullptr);
  CHECK(known->secret() == "sesame");
  CHECK(textOf(known->identity(), "subject") == "id");
  CHECK(textOf(known->identity(), "consumer") == "one");
  CHECK(consumers.find(CredentialKind::kKey, "id") == nullptr);
}

TEST_CASE("names and credentials are of one consumer each") {
  Consumers consumers;
  const Consumer& one = *consumers.add({"one", {}, {}});
  const Consumer& two = *consumers.add({"two", {}, {}});
  REQUIRE(consumers.addCredential(one, CredentialKind::kKey, digestOf("k"), {.method = "key"}));

  CHECK(consumers.add({"one", {}, {}}) == nullptr);
  CHECK_FALSE(consumers.addCredential(two, CredentialKind::kKey, digestOf("k"), {.method = "key"}));
  CHECK_FALSE(consumers.setAnonymous("three"));
  CHECK(consumers.anonymous() == nullptr);
  CHECK(consumers.setAnonymous("two"));
  CHECK(consumers.anonymous()->consumer().name == "two");
}

TEST_CASE("a credential is out of date from its last day on") {
  const WallTime end{std::chrono::seconds(1000)};
  const Consumer consumer{"one", {}, {}};
  const KnownConsumer ending(consumer, {.method = "key", .expires = end}), endless(consumer, {.method = "key"});

  CHECK_FALSE(ending.isExpired(end - std::chrono::seconds(1)));
  CHECK(ending.isExpired(end));
  CHECK_FALSE(endless.isExpired(end));
}

TEST_CASE("groups are denied before they are allowed") {
  const GroupAccess all, some{{"a", "b"}, {}}, none_of{{}, {"a"}}, both{{"b"}, {"a"}};

  CHECK(all.admits({}));
  CHECK(some.admits({"x", "b"}));
  CHECK_FALSE(some.admits({"x"}));
  CHECK_FALSE(some.admits({}));
  CHECK(none_of.admits({}));
  CHECK_FALSE(none_of.admits({"b", "a"}));
  CHECK_FALSE(both.admits({"a", "b"}));
  CHECK(both.admits({"b"}));
}

}  // namespace
}  // namespace sluice::filter
