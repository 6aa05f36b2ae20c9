#include "source/filter/credentials/spoofed_names.h"

#include <catch2/catch.hpp>

#include "source/base/arena.h"

namespace sluice::filter {
namespace {

TEST_CASE("names that differ in -, _ and . only are alike") {
  CHECK(alike("x-user-id", "x-user-id"));
  CHECK(alike("x_user.id", "x-user-id"));
  CHECK(alike("x-user", "x_user"));
  CHECK_FALSE(alike("x-user", "x-users"));
  CHECK_FALSE(alike("x-user", "xuser"));
  CHECK_FALSE(alike("x-user", "x-uses"));
}

TEST_CASE("fields under a name, and under those like it, are removed") {
  base::Arena arena;
  http::HeaderList headers(arena);
  for (const char* name : {"x_user", "a", "x-user", "x.user", "x-users"}) headers.add(name, "1");

  removeAlike(headers, "x-user");

  CHECK(headers.size() == 2);
  CHECK(headers.get("a"));
  CHECK(headers.get("x-users"));
}

TEST_CASE("several names are held, with those like them") {
  SpoofedNames names;
  names.add("x-user");
  names.add("x-groups");
  CHECK(names.holds("x_user"));
  CHECK(names.holds("x.groups"));
  CHECK_FALSE(names.holds("x-other"));
  CHECK_FALSE(names.holds("x-grouped"));
}

}  // namespace
}  // namespace sluice::filter
