// A private key by which access tokens are signed.
// Thread: any; immutable.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::oauth2_server {

enum class SigningAlgorithm : unsigned char { kEs256 = 0, kRs256 = 1 };
std::string_view nameOf(SigningAlgorithm algorithm);

class SigningKey {
 public:
  virtual ~SigningKey() = default;

  // RSA (2048 bits) takes a good part of a second.
  static std::shared_ptr<const SigningKey> generate(SigningAlgorithm algorithm);
  // Of what privateDer() gave. Null: it is no key of that algorithm.
  static std::shared_ptr<const SigningKey> read(SigningAlgorithm algorithm, std::string_view der);

  virtual SigningAlgorithm algorithm() const = 0;
  virtual std::string privateDer() const = 0;
  // Members of its JSON Web Key in the order of RFC 7638: {"crv":"P-256","kty":...}.
  virtual std::string publicJwk() const = 0;
  // As a JWS has it. (RFC 7518 section 3)
  virtual std::string sign(std::string_view text) const = 0;

  // The thumbprint of RFC 7638.
  std::string id() const;
};

}  // namespace sluice::extensions::http_filters::oauth2_server
