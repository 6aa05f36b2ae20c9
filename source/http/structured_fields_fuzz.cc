#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/http/structured_fields.h"

// Whatever a field says, it is no dictionary, or one that reads the same when it is written again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::http::structured;
  constexpr size_t kMost = 16;
  const auto dictionary = parseDictionary({reinterpret_cast<const char*>(data), size}, kMost);
  if (!dictionary) return 0;
  if (dictionary->size() > kMost) std::abort();
  std::string written;
  for (const Member& member : *dictionary) {
    written += (written.empty() ? "" : ", ") + member.key + "=" + serialize(member.value);
  }
  const auto again = parseDictionary(written, kMost);
  if (!again || again->size() != dictionary->size()) std::abort();
  for (size_t i = 0; i < again->size(); ++i) {
    if (serialize((*again)[i].value) != serialize((*dictionary)[i].value)) std::abort();
  }
  return 0;
}
