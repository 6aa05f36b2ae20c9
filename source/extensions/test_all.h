// What the tests of all extensions together stand on.
#pragma once

#include <catch2/catch.hpp>

#include "source/config/test_world.h"
#include "source/extensions/all.h"

namespace sluice::extensions {

struct World : config::testing::TestWorld {
  World() { registerAll(registry); }
};

}  // namespace sluice::extensions

#define CHECK_SAYS(problems, text) CHECK_THAT((problems), Catch::Contains(text))
