// Bytes -> a template, a rewrite and a path: a line each. What matches has to match by the plain meaning too, and what
// a template says of itself (the only path, the only prefix, variables) has to be so.
#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "source/match/path_template.h"
#include "source/match/string.h"
#include "source/match/template_reference.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

std::string_view line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view out = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::match;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view text = line(input);
  const std::string_view rewrite = line(input);
  const std::string_view path = line(input);
  if (text.size() > 256 || path.size() > 64) return 0;  // the reference tries everything out

  const auto parsed = PathTemplate::parse(text);
  if (!parsed.ok()) return 0;
  const auto regex = compileRegex(parsed->pattern());
  check(regex.ok());
  check((*regex)->NumberOfCapturingGroups() == static_cast<int>(parsed->variables().size()));
  check(parsed->variables().size() <= PathTemplate::kMostVariables);

  const bool matches = re2::RE2::FullMatch(re2::StringPiece(path.data(), path.size()), **regex);
  check(matches == TemplateReference(text).matches(path));
  if (const auto only = parsed->onlyPath()) check(matches == (path == *only));
  if (const auto prefix = parsed->onlyPrefix()) check(matches == path.starts_with(*prefix));

  if (const auto substitution = parsed->substitution(rewrite); substitution.ok()) {
    std::string error;
    check((*regex)->CheckRewriteString(*substitution, &error));
  }
  return 0;
}
