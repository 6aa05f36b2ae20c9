#include "source/extensions/internal_redirect/previous_routes/predicate.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::internal_redirect::previous_routes {
namespace {

TEST_CASE("a redirect is followed once from a route to another") {
  CHECK(Predicate().accepts({.route = "a"}));
  CHECK_FALSE(Predicate().accepts({.route = "a", .repeated = true}));
}

}  // namespace
}  // namespace sluice::extensions::internal_redirect::previous_routes
