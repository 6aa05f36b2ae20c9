#include "source/extensions/matching/inputs/cel/input.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::matching::inputs::cel {
namespace {

TEST_CASE("the input shows all that there is, and no value of its own") {
  const match::Data data;
  match::Scratch scratch;

  const match::Value value = AttributesInput().get(data, scratch);

  CHECK(value.everything == &data);
  CHECK_FALSE(value.text.has_value());
  CHECK(AttributesInput().needs() == (match::kRequest | match::kStream));
}

}  // namespace
}  // namespace sluice::extensions::matching::inputs::cel
