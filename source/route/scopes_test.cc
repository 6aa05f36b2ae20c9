#include "source/route/scopes.h"

#include <catch2/catch.hpp>

namespace sluice::route {
namespace {

ScopeFragment byIndex(std::string header, std::string separator, uint32_t index) {
  return {.header = std::move(header), .element_separator = std::move(separator), .index = index};
}

ScopeFragment byKey(std::string header, std::string separator, std::string between, std::string key) {
  return {.header = std::move(header),
          .element_separator = std::move(separator),
          .element = ScopeFragment::Element{std::move(between), std::move(key)}};
}

// What is taken of a header with that value.
std::string taken(const ScopeFragment& fragment, std::string_view value) {
  base::Arena arena;
  http::RequestHeaders request(arena);
  request.authority = "a.example";
  request.add("x-scope", value);
  request.add("x-scope", "second");
  return std::string(fragment.of(request).value_or("none"));
}

TEST_CASE("a fragment is the element of that number of the header's first line") {
  CHECK(taken(byIndex("x-scope", "", 0), "a,b") == "a,b");
  CHECK(taken(byIndex("x-scope", ",", 0), "a,b") == "a");
  CHECK(taken(byIndex("x-scope", ",", 1), "a,b") == "b");
  CHECK(taken(byIndex("x-scope", ",", 2), "a,b") == "none");
  CHECK(taken(byIndex("x-scope", ",", 1), "a,") == "");
  CHECK(taken(byIndex("x-scope", "::", 1), "a::b::c") == "b");
  CHECK(taken(byIndex("x-other", ",", 0), "a") == "none");
  CHECK(taken(byIndex(":authority", ".", 1), "") == "example");
}

TEST_CASE("a fragment by key is the value of the first element that has it") {
  const ScopeFragment fragment = byKey("x-scope", ",", "=", "vip");
  CHECK(taken(fragment, "a=1,vip=172.10.10.20,vip=2") == "172.10.10.20");
  CHECK(taken(fragment, "vip=a=b") == "a=b");
  CHECK(taken(fragment, "vip") == "");
  CHECK(taken(fragment, "vip=") == "");
  CHECK(taken(fragment, "a,,vipx=1") == "none");
  CHECK(taken(fragment, "") == "none");
}

TEST_CASE("a request is of the scope whose fragments are all its own") {
  const ScopeKeyBuilder builder({byIndex("x-a", "", 0), byIndex("x-b", "", 0)});
  ScopeIndex::Scopes scopes;
  const std::vector<std::string> key{"one", "two"};
  scopes[scopeKey(key)].table = std::make_shared<TableSlot>(TableSlot{7});
  const ScopeIndex index(std::move(scopes));
  const auto slot = [&](std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    base::Arena arena;
    http::RequestHeaders request(arena);
    for (const auto& [name, value] : fields) request.add(name, value);
    const std::optional<std::string_view> made = builder.keyOf(request, arena);
    const Scope* scope = made ? index.find(*made) : nullptr;
    return scope == nullptr ? -1 : static_cast<int>(scope->table->id);
  };
  CHECK(slot({{"x-a", "one"}, {"x-b", "two"}}) == 7);
  CHECK(slot({{"x-a", "two"}, {"x-b", "one"}}) == -1);
  CHECK(slot({{"x-a", "one"}}) == -1);
  CHECK(slot({{"x-a", "onetwo"}, {"x-b", ""}}) == -1);
}

}  // namespace
}  // namespace sluice::route
