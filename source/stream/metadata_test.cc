#include "source/stream/metadata.h"

#include <catch2/catch.hpp>
#include <optional>

#include "source/base/arena.h"

namespace sluice::stream {
namespace {

std::string textIn(const DynamicMetadata& metadata, std::string_view filter, const std::string& key) {
  const MetadataValue* const found = metadata.find(filter, {key});
  return found == nullptr ? "(none)" : std::get<std::string>(found->value);
}

TEST_CASE("texts in an arena are metadata like any other", "[metadata]") {
  base::Arena arena;
  DynamicMetadata metadata;
  std::string key = "result", text = "allowed";
  metadata.setText(arena, "rbac", key, text);
  metadata.setText(arena, "rbac", "policy", "");
  metadata.setText(arena, "other", "result", "none");
  key = "gone";
  text = "gone";
  CHECK(textIn(metadata, "rbac", "result") == "allowed");
  CHECK(textIn(metadata, "rbac", "policy").empty());
  CHECK(textIn(metadata, "other", "result") == "none");
  CHECK(metadata.find("third") == nullptr);
  REQUIRE(metadata.fields().size() == 2);
  CHECK(std::get<MetadataFields>(metadata.find("rbac")->value).size() == 2);
}

TEST_CASE("the last that is said of a key holds, however it is said", "[metadata]") {
  base::Arena arena;
  DynamicMetadata metadata;
  metadata.setText(arena, "f", "a", "first");
  metadata.set("f", "a", {std::string("second")});
  metadata.set("f", "b", {std::string("first")});
  metadata.setText(arena, "f", "b", "second");
  CHECK(textIn(metadata, "f", "a") == "second");
  CHECK(textIn(metadata, "f", "b") == "second");
}

TEST_CASE("shared fields take the place of all that stood under their filter", "[metadata]") {
  base::Arena arena;
  DynamicMetadata metadata;
  auto shared = std::make_shared<const MetadataFields>(MetadataFields{{"b", {std::string("shared")}}});
  const std::weak_ptr<const MetadataFields> kept = shared;
  metadata.setText(arena, "f", "a", "first");
  metadata.setText(arena, "other", "a", "stays");
  metadata.setShared(arena, "f", shared);
  metadata.setShared(arena, "new", std::move(shared));
  metadata.setText(arena, "f", "c", "later");
  CHECK_FALSE(kept.expired());
  CHECK(metadata.find("f", {"a"}) == nullptr);
  CHECK(textIn(metadata, "f", "b") == "shared");
  CHECK(textIn(metadata, "f", "c") == "later");
  CHECK(textIn(metadata, "new", "b") == "shared");
  CHECK(metadata.find("new", {"c"}) == nullptr);
  CHECK(textIn(metadata, "other", "a") == "stays");
  CHECK(kept.expired());  // asked for and copied
}

TEST_CASE("shared fields that nobody asks for are let go of with the metadata", "[metadata]") {
  base::Arena arena;
  auto shared = std::make_shared<const MetadataFields>();
  const std::weak_ptr<const MetadataFields> kept = shared;
  {
    DynamicMetadata metadata;
    metadata.setText(arena, "f", "a", "text");
    metadata.setShared(arena, "f", std::move(shared));
    metadata.setText(arena, "f", "b", "text");
    CHECK_FALSE(kept.expired());
  }
  CHECK(kept.expired());
}

TEST_CASE("a copy of metadata needs nothing of the arena", "[metadata]") {
  std::optional<base::Arena> arena(std::in_place);
  DynamicMetadata metadata;
  metadata.setText(*arena, "f", "a", "kept");
  const DynamicMetadata copy = metadata;
  arena.reset();
  CHECK(textIn(copy, "f", "a") == "kept");
}

}  // namespace
}  // namespace sluice::stream
