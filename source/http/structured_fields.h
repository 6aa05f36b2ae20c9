// Structured fields: dictionaries whose members are items and inner lists. (RFC 8941)
//
// Stricter than the RFC in two points, as what decides about access must not be read in two ways: a key that stands
// twice, in a dictionary or among parameters, is refused instead of the last one counting, and so are bytes in another
// base64 than the one that they are written in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::http::structured {

struct Decimal {
  int64_t thousandths = 0;
};
struct Token {
  std::string text;
};
struct Bytes {
  std::string bytes;
};
using Bare = std::variant<int64_t, Decimal, std::string, Token, Bytes, bool>;

struct Parameter {
  std::string key;
  Bare value;
};
using Parameters = std::vector<Parameter>;

struct Item {
  Bare value;
  Parameters parameters;
};
struct InnerList {
  std::vector<Item> items;
  Parameters parameters;
};

struct Member {
  std::string key;
  std::variant<Item, InnerList> value;
};
using Dictionary = std::vector<Member>;

// Null: there is none.
const Bare* find(const Parameters& parameters, std::string_view key);
const Member* find(const Dictionary& dictionary, std::string_view key);

// Of all values of the field, joined by commas. nullopt: it is none, or holds more than `most` members, or one of more
// than `most` items or parameters.
std::optional<Dictionary> parseDictionary(std::string_view text, size_t most);

// In the one form that section 4.1 gives them.
std::string serialize(const Item& item);
std::string serialize(const InnerList& list);
std::string serialize(const std::variant<Item, InnerList>& value);

}  // namespace sluice::http::structured
