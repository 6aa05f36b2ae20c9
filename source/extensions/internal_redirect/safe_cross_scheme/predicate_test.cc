#include "source/extensions/internal_redirect/safe_cross_scheme/predicate.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::internal_redirect::safe_cross_scheme {
namespace {

TEST_CASE("a request is led from https to http, not from http to https") {
  CHECK(Predicate().accepts({.from_https = true, .to_https = false}));
  CHECK(Predicate().accepts({.from_https = true, .to_https = true}));
  CHECK(Predicate().accepts({.from_https = false, .to_https = false}));
  CHECK_FALSE(Predicate().accepts({.from_https = false, .to_https = true}));
}

}  // namespace
}  // namespace sluice::extensions::internal_redirect::safe_cross_scheme
