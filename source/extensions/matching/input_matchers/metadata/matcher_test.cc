#include "source/extensions/matching/input_matchers/metadata/matcher.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "envoy/extensions/matching/input_matchers/metadata/v3/metadata.pb.h"
#include "source/config/test_world.h"
#include "source/config/value_matcher_factory.h"
#include "source/extensions/matching/input_matchers/metadata/factory.h"

namespace sluice::extensions::matching::input_matchers::metadata {
namespace {

using Proto = envoy::extensions::matching::input_matchers::metadata::v3::Metadata;

std::shared_ptr<const match::ValueMatcher> compiled(const std::string& yaml) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  Proto proto;
  REQUIRE(world.load(yaml, proto));
  const auto* factory = world.registry.value_matchers.find(Proto::descriptor()->full_name());
  REQUIRE(factory);
  return factory->compile(proto, world.context());
}

TEST_CASE("a value of metadata matches by its type") {
  const stream::MetadataValue admin{std::string("admin")}, seven{7.0};
  const stream::MetadataValue groups{stream::MetadataList{{std::string("users")}, {std::string("admin")}}};
  const auto is_admin = compiled("{value: {string_match: {exact: admin}}}");
  const auto has_admin = compiled("{value: {list_match: {one_of: {string_match: {exact: admin}}}}}");

  CHECK(is_admin->matches({.text = "admin", .structured = &admin}));
  CHECK_FALSE(is_admin->matches({.structured = &seven}));
  CHECK_FALSE(is_admin->matches({.structured = &groups}));
  CHECK(has_admin->matches({.structured = &groups}));
  CHECK_FALSE(has_admin->matches({.structured = &admin}));
}

TEST_CASE("invert turns the result round, also of what is not there") {
  const stream::MetadataValue admin{std::string("admin")};
  const auto not_admin = compiled("{value: {string_match: {exact: admin}}, invert: true}");

  CHECK_FALSE(not_admin->matches({.structured = &admin}));
  CHECK(not_admin->matches({}));
  CHECK_FALSE(compiled("{value: {string_match: {exact: admin}}}")->matches({}));
}

}  // namespace
}  // namespace sluice::extensions::matching::input_matchers::metadata
