#include "source/extensions/retry/host/previous_hosts/predicate.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::retry::host::previous_hosts {
namespace {

TEST_CASE("a host that was tried is passed over, another one is not") {
  CHECK(Predicate().refuses({.tried = true}));
  CHECK_FALSE(Predicate().refuses({.tried = false}));
}

}  // namespace
}  // namespace sluice::extensions::retry::host::previous_hosts
