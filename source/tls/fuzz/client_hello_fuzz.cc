// Any bytes: no crash, an answer that more bytes only refine, and names that are safe to route and log by.
#include <cstdlib>
#include <string_view>

#include "source/tls/client_hello.h"
#include "source/tls/fingerprint.h"

namespace sluice::tls {
namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

SniffResult sniff(std::string_view bytes, ClientHello& hello) {
  // A copy of the exact size lets the sanitizer see a read beyond the end.
  const std::string copy(bytes);
  std::string body;
  const SniffResult result = sniffClientHello(copy, hello, nullptr, &body);
  if (result == SniffResult::kFound) {
    body.shrink_to_fit();
    check(ja3Of(body).size() == 32 && ja4Of(body).size() == 36);
  }
  return result;
}

}  // namespace
}  // namespace sluice::tls

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::tls;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ClientHello hello;
  const SniffResult whole = sniff(bytes, hello);
  for (const char c : hello.server_name) check(c > 0x20 && c < 0x7f);
  if (whole == SniffResult::kFound) check(!hello.versions.empty() || hello.legacy_version == 0);
  const size_t step = size / 64 + 1;
  for (size_t cut = 0; cut < size; cut += step) {
    ClientHello early;
    const SniffResult part = sniff(bytes.substr(0, cut), early);
    if (part == SniffResult::kNotTls) check(whole == SniffResult::kNotTls);
    if (part == SniffResult::kFound) check(whole == SniffResult::kFound && early.server_name == hello.server_name);
  }
  return 0;
}
