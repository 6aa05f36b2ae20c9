#include "source/extensions/retry/host/omit_canary_hosts/predicate.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::retry::host::omit_canary_hosts {
namespace {

stream::MetadataFields hostWith(std::string filter, stream::MetadataValue canary) {
  return {{std::move(filter), {stream::MetadataFields{{"canary", std::move(canary)}}}}};
}

TEST_CASE("a canary is passed over, and nothing else") {
  const Predicate predicate;
  const auto refuses = [&](const stream::MetadataFields& metadata) {
    return predicate.refuses({.metadata = &metadata});
  };

  CHECK(refuses(hostWith("envoy.lb", {true})));
  CHECK_FALSE(refuses(hostWith("envoy.lb", {false})));
  CHECK_FALSE(refuses(hostWith("envoy.lb", {std::string("true")})));
  CHECK_FALSE(refuses(hostWith("other", {true})));
  CHECK_FALSE(predicate.refuses({.tried = true}));
}

}  // namespace
}  // namespace sluice::extensions::retry::host::omit_canary_hosts
