#include "source/stream/filter_state.h"

#include <catch2/catch.hpp>

namespace sluice::stream {
namespace {

using Sharing = FilterState::Sharing;

std::string textOf(const FilterState& state, std::string_view name) {
  const auto* object = state.get<FilterState::Object>(name);
  return object == nullptr ? "none" : std::string(object->text());
}

std::shared_ptr<FilterState::Object> text(std::string_view value) {
  return std::make_shared<FilterState::Text>(value);
}

TEST_CASE("what is read-only stays, and all else is replaced") {
  FilterState state;
  CHECK(state.set("a", "1"));
  CHECK(state.set("a", text("2"), {.read_only = true}));

  CHECK_FALSE(state.set("a", "3"));

  CHECK(textOf(state, "a") == "2");
  CHECK(state.size() == 1);
}

TEST_CASE("objects go on as far as they are shared") {
  FilterState state;
  CHECK(state.shared() == nullptr);
  state.set("own", "1");
  CHECK(state.shared() == nullptr);
  state.set("once", text("2"), {.sharing = Sharing::kOnce});
  state.set("on", text("3"), {.sharing = Sharing::kTransitive});

  const std::shared_ptr<const FilterState> next = state.shared();
  REQUIRE(next);
  CHECK(textOf(*next, "own") == "none");
  CHECK(textOf(*next, "once") == "2");
  CHECK(textOf(*next, "on") == "3");
  const std::shared_ptr<const FilterState> second = next->shared();
  REQUIRE(second);
  CHECK(textOf(*second, "once") == "none");
  CHECK(textOf(*second, "on") == "3");
}

TEST_CASE("a copy has the same objects and goes its own way") {
  FilterState state;
  state.set("a", "1");

  FilterState copy = state;
  copy.set("a", "2");

  CHECK(textOf(state, "a") == "1");
  CHECK(textOf(copy, "a") == "2");
}

TEST_CASE("an identity tells states apart by names, texts and options") {
  const auto identity = [](std::string_view name, std::string_view value, Sharing sharing, bool read_only = false) {
    FilterState state;
    state.set(name, text(value), {.sharing = sharing, .read_only = read_only});
    return state.identity();
  };
  const std::string one = identity("a", "b", Sharing::kOnce);
  CHECK(one == identity("a", "b", Sharing::kOnce));
  CHECK(one != identity("ab", "", Sharing::kOnce));
  CHECK(one != identity("a", "c", Sharing::kOnce));
  CHECK(one != identity("a", "b", Sharing::kTransitive));
  CHECK(one != identity("a", "b", Sharing::kOnce, true));
}

}  // namespace
}  // namespace sluice::stream
