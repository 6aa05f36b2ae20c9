// Keys made when the test runs, and tokens signed by them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::jwt::testing {

class TestKey {
 public:
  virtual ~TestKey() = default;
  // `kty` and its members (of a shared key: `k`) as those of a JSON object, without braces.
  virtual std::string members() const = 0;
  // By any algorithm whose family is the key's, as it stands in `alg`.
  virtual std::string sign(std::string_view algorithm, std::string_view text) const = 0;
};

std::unique_ptr<TestKey> makeRsaKey(int bits = 2048, unsigned exponent = 65537);
std::unique_ptr<TestKey> makeEcKey(std::string_view curve);  // "P-256", "P-384", "P-521", "secp224r1"
std::unique_ptr<TestKey> makeEdKey();
std::unique_ptr<TestKey> makeSharedKey(std::string secret);
// That signs by `algorithm`; the same one each time it is asked for.
const TestKey& keyFor(std::string_view algorithm);

// A JSON Web Key with `more` members: `"kid":"a"`.
std::string jwk(const TestKey& key, std::string_view more = "");
std::string keySet(const std::vector<std::string>& jwks);

// What stands before the last dot.
std::string signedText(std::string_view header, std::string_view payload);
// Of a header and a payload as they are.
std::string tokenOf(const TestKey& key, std::string_view algorithm, std::string_view header, std::string_view payload);
// With a header of `alg` and `more` members.
std::string token(std::string_view algorithm, std::string_view claims, std::string_view more = "");

}  // namespace sluice::jwt::testing
