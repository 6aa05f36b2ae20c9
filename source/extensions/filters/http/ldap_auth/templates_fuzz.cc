#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/ldap_auth/templates.h"

// The first line is a template, the rest a name: whatever it is, the filter has as many parentheses as with a plain
// one, and stays one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::extensions::http_filters::ldap_auth;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\n');
  const std::string_view name = end == std::string_view::npos ? "a" : input.substr(end + 1);
  const auto parsed = FilterTemplate::parse(input.substr(0, end), true);
  if (!parsed.ok()) return 0;
  const auto countOf = [](const std::string& text, char c) { return std::count(text.begin(), text.end(), c); };
  const std::string plain = parsed->fill("a", "b"), filled = parsed->fill(name, name);
  for (const char c : {'(', ')', '*', '='}) {
    if (countOf(plain, c) != countOf(filled, c)) std::abort();
  }
  if (filled.find('\0') != std::string::npos) std::abort();
  return 0;
}
