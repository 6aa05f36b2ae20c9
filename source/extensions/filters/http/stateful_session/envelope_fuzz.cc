#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "source/extensions/filters/http/stateful_session/envelope.h"

// Whatever is understood is the same when it is sealed and opened again, and no header can follow from it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::extensions::http_filters::stateful_session;
  const auto opened = openEnvelope({reinterpret_cast<const char*>(data), size});
  if (!opened) return 0;
  if (opened->value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) std::abort();
  const auto again = openEnvelope(sealEnvelope(opened->address, opened->value));
  if (!again || again->address != opened->address || again->value != opened->value) std::abort();
  return 0;
}
