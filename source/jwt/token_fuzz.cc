#include <cstdint>
#include <cstdlib>

#include "source/base/base64_url.h"
#include "source/base/text.h"
#include "source/jwt/token.h"

namespace {

using namespace sluice;

const jwt::KeySet& keys() {
  static const std::shared_ptr<const jwt::KeySet> set = [] {
    std::vector<std::string> skipped;
    std::string error;
    return jwt::KeySet::parse(R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
                              R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},)"
                              R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})",
                              skipped, error);
  }();
  return *set;
}

// A token is put together again of what was read of it.
void parseOne(const std::string& text) {
  const auto result = jwt::parse(text);
  if (const auto* const failure = std::get_if<jwt::Failure>(&result)) {
    const bool known = *failure == jwt::Failure::kTooLarge || *failure == jwt::Failure::kMalformed ||
                       *failure == jwt::Failure::kAlgorithm;
    if (!known) std::abort();
    return;
  }
  const auto& token = std::get<jwt::Token>(result);
  if (base::strCat(token.signed_text, ".", base::toBase64Url(token.signature)) != text) std::abort();
  if (!token.signed_text.ends_with(base::strCat(".", token.payload))) std::abort();
  size_t tries = jwt::kMaxTries;
  (void)jwt::verify(token, keys(), tries);
}

}  // namespace

// A token as it comes, and one whose claims the bytes are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  parseOne(text);
  parseOne(base::strCat("eyJhbGciOiJFUzI1NiJ9.", base::toBase64Url(text), ".AAAA"));
  parseOne(base::strCat(base::toBase64Url(text), ".e30.AAAA"));
  return 0;
}
