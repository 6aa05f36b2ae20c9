#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "source/base/arena.h"
#include "source/extensions/filters/http/hmac_auth/message_signature.h"

// Two lines are the two fields. Whatever they say, there is a reason to refuse it, or a text that ends with what the
// signature says of itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  using namespace sluice::extensions::http_filters::hmac_auth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  base::Arena arena;
  http::RequestHeaders headers(arena);
  headers.method = "GET";
  headers.path = "/a?b=c&d";
  headers.authority = "example.com:443";
  headers.scheme = "https";
  headers.add("x-dictionary", "a=1, b=(2)");
  headers.add("content-digest", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
  headers.add(kSignatureInput, text.substr(0, line));
  if (line != std::string_view::npos) headers.add(kSignature, text.substr(line + 1));
  const auto out = readMessageSignature(headers, true, {}, Seconds(std::chrono::seconds(1618884473)),
                                        [](std::string_view id) { return id == "k"; });
  const auto* const request = std::get_if<SignedRequest>(&out);
  if (request == nullptr) {
    if (detailsOf(std::get<Failure>(out)).empty()) std::abort();
    return 0;
  }
  const size_t last = request->text.rfind('\n');
  const std::string_view end = std::string_view(request->text).substr(last == std::string::npos ? 0 : last + 1);
  if (!end.starts_with("\"@signature-params\": (")) std::abort();
  return 0;
}
