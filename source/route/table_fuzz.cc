// Bytes -> a random table and requests; the table has to find what the linear reference finds.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "source/route/linear_reference.h"
#include "source/route/random_tables.h"
#include "source/route/table.h"

namespace sluice::route {
namespace {

// Choices by input bytes; all the same once they run out.
struct InputChoices {
  const uint8_t* data;
  size_t size;
  uint32_t below(uint32_t n) {
    if (size == 0) return 0;
    --size;
    return *data++ % n;
  }
  // Free text, up to a zero byte.
  std::string text(size_t most) {
    std::string out;
    while (size > 0 && out.size() < most) {
      const uint8_t byte = *data++;
      --size;
      if (byte == 0) break;
      out += static_cast<char>(byte);
    }
    return out;
  }
};

// Replaces some paths by free text, and some routes' kinds with them.
void freePaths(TableSpec& spec, InputChoices& choices) {
  for (VirtualHostSpec& host : spec.virtual_hosts) {
    for (RouteSpec& route : host.routes) {
      if (choices.below(4) != 1 || !route.name.empty()) continue;
      const std::string text = choices.text(40);
      if (choices.below(3) != 1) {
        if (route.path_kind != PathKind::kRegex) route.path = text;
        continue;
      }
      const auto regex = compileRegex(text);
      if (!regex.ok()) continue;
      route.path_kind = PathKind::kRegex;
      route.path = text;
      route.regex = *regex;
      route.case_sensitive = true;
    }
  }
}

}  // namespace
}  // namespace sluice::route

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::route;
  InputChoices choices{data, size};
  RandomTables<InputChoices> random(choices);
  TableSpec spec = random.table(24);
  freePaths(spec, choices);
  const auto table = Table::build(spec);
  if (!table.ok()) std::abort();
  const LinearReference reference(spec);

  for (int i = 0; i < 8; ++i) {
    TestRequest request = random.request(spec);
    const std::string text = choices.below(3) == 1 ? choices.text(60) : "";
    if (!text.empty()) request->path = text;
    const uint64_t chance = random.random();
    const LinearReference::Result expected = reference.match(*request, chance, request.toldInfo());
    const Match found = matchOf(**table, request, chance);
    const long got = found.route == nullptr ? -1 : static_cast<long>(found.route - found.virtual_host->routes.data());
    if (got == expected.route) continue;
    std::fprintf(stderr, "path \"%.*s\": linear search finds route %d, the index %ld\n",
                 static_cast<int>(request->path.size()), request->path.data(), expected.route, got);
    std::abort();
  }
  return 0;
}
