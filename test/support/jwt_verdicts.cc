// What source/jwt says about tokens, for integration tests: reads lines "KEY SET<TAB>TOKEN" and prints a line for each,
// the name of its failure ("jwt_ok": none). A key set of which no key is left is "jwt_no_keys".
#include <iostream>
#include <string>
#include <string_view>

#include "source/jwt/token.h"

namespace {

using namespace sluice;

jwt::Failure verdictOf(std::string_view json, std::string text) {
  std::vector<std::string> skipped;
  std::string error;
  const auto keys = jwt::KeySet::parse(json, skipped, error);
  if (keys == nullptr) return jwt::Failure::kNoKeys;
  const auto parsed = jwt::parse(std::move(text));
  const auto* const failure = std::get_if<jwt::Failure>(&parsed);
  size_t tries = jwt::kMaxTries;
  return failure != nullptr ? *failure : jwt::verify(std::get<jwt::Token>(parsed), *keys, tries);
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) return 2;
    std::cout << jwt::nameOf(verdictOf(std::string_view(line).substr(0, tab), line.substr(tab + 1))) << '\n';
  }
  return 0;
}
