#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "source/extensions/filters/http/stateful_session/session_value.h"

// Whatever is understood is the same when it is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::extensions::http_filters::stateful_session;
  const auto value = decodeSession({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const auto again = decodeSession(encodeCookie(*value));
  if (!again || again->address != value->address || again->expires != value->expires) std::abort();
  const auto in_header = decodeSession(encodeHeader(value->address));
  if (!in_header || in_header->address != value->address) std::abort();
  return 0;
}
