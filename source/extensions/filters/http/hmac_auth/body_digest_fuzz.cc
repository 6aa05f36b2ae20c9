#include <cstdint>
#include <string_view>

#include "source/extensions/filters/http/hmac_auth/body_digest.h"

// Whatever the field says, it is no digest, or one that a body has or has not.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sluice::extensions::http_filters::hmac_auth::BodyDigest;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& digest : {BodyDigest::readContentDigest(text), BodyDigest::readDigest(text)}) {
    if (digest) (void)digest->matches("body");
  }
  return 0;
}
