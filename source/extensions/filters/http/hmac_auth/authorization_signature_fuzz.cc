#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/base/arena.h"
#include "source/extensions/filters/http/hmac_auth/authorization_signature.h"

// Whatever the parameters say, there is a reason to refuse them, or a text with the date in it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  using namespace sluice::extensions::http_filters::hmac_auth;
  base::Arena arena;
  http::RequestHeaders headers(arena);
  headers.method = "GET";
  headers.path = "/a?b=c";
  headers.authority = "example.com";
  headers.add("date", "Thu, 22 Jun 2017 17:15:21 GMT");
  headers.add("digest", "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=");
  headers.add("authorization", "hmac " + std::string(reinterpret_cast<const char*>(data), size));
  const auto out =
      readAuthorizationSignature(headers, true, {.hashes = {Hash::kSha256}}, Seconds(std::chrono::seconds(1498151721)));
  const auto* const request = std::get_if<SignedRequest>(&out);
  if (request == nullptr) {
    if (detailsOf(std::get<Failure>(out)).empty()) std::abort();
    return 0;
  }
  if (request->text.find("date: Thu, 22 Jun") == std::string::npos) std::abort();
  return 0;
}
