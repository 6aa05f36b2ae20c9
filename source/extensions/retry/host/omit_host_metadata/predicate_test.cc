#include "source/extensions/retry/host/omit_host_metadata/predicate.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config.pb.h"
#include "source/config/retry_predicate_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/retry/host/omit_host_metadata/factory.h"

namespace sluice::extensions::retry::host::omit_host_metadata {
namespace {

using stream::MetadataCriteria;
using stream::MetadataFields;
using stream::MetadataList;

MetadataFields hostWith(MetadataFields labels) {
  return {{"envoy.lb", {std::move(labels)}}, {"other", {MetadataFields{{"stage", {std::string("old")}}}}}};
}

bool refuses(const Predicate& predicate, const MetadataFields& metadata) {
  return predicate.refuses({.metadata = &metadata});
}

TEST_CASE("a host with all of the metadata is passed over") {
  const Predicate predicate(MetadataCriteria({{"stage", {std::string("old")}}, {"version", {2.0}}}));

  CHECK(refuses(predicate, hostWith({{"version", {2.0}}, {"stage", {std::string("old")}}, {"more", {true}}})));
  CHECK_FALSE(refuses(predicate, hostWith({{"version", {3.0}}, {"stage", {std::string("old")}}})));
  CHECK_FALSE(refuses(predicate, hostWith({{"stage", {std::string("old")}}})));
  CHECK_FALSE(refuses(predicate, hostWith({{"version", {std::string("2")}}, {"stage", {std::string("old")}}})));
  CHECK_FALSE(predicate.refuses({}));
}

TEST_CASE("one of a host's list of values is enough") {
  const Predicate predicate(MetadataCriteria({{"stage", {std::string("old")}}}));

  CHECK(refuses(predicate, hostWith({{"stage", {MetadataList{{std::string("new")}, {std::string("old")}}}}})));
  CHECK_FALSE(refuses(predicate, hostWith({{"stage", {MetadataList{{std::string("new")}}}}})));
}

TEST_CASE("only what stands under envoy.lb counts") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  using Proto = ::envoy::extensions::retry::host::omit_host_metadata::v3::OmitHostMetadataConfig;
  const auto* factory = world.registry.retry_host_predicates.find(Proto::descriptor()->full_name());
  const auto compile = [&](const std::string& json) {
    return factory->compile(config::testing::fromJson<Proto>(json), world.context());
  };
  const MetadataFields old = hostWith({{"stage", {std::string("old")}}});

  CHECK(compile(R"({"metadataMatch": {"filterMetadata": {"envoy.lb": {"stage": "old"}}}})")->refuses({&old}));
  CHECK_FALSE(compile(R"({"metadataMatch": {"filterMetadata": {"other": {"stage": "old"}}}})")->refuses({&old}));
  CHECK(world.problems() == "");
}

}  // namespace
}  // namespace sluice::extensions::retry::host::omit_host_metadata
