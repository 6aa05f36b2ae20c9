#include <cstdint>
#include <cstdlib>

#include "source/jwt/key_set.h"

// What is a key set has keys and no error; each of its keys may be asked.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::jwt;
  std::vector<std::string> skipped;
  std::string error;
  const auto set = KeySet::parse({reinterpret_cast<const char*>(data), size}, skipped, error);
  if ((set == nullptr) == error.empty()) std::abort();
  if (set == nullptr) return 0;
  if (set->keys().empty()) std::abort();
  const KeySet::Entry& last = set->keys().back();
  if (last.algorithm && !last.key->takes(*last.algorithm)) std::abort();
  for (const Algorithm algorithm : {Algorithm::kRs256, Algorithm::kPs512, Algorithm::kEs256, Algorithm::kEdDsa}) {
    if (last.key->verifies(algorithm, "text", std::string(256, '\1'))) std::abort();
  }
  return 0;
}
