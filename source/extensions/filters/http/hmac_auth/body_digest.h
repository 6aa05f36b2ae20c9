// What a request says its body hashes to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::hmac_auth {

class BodyDigest {
 public:
  // content-digest (RFC 9530): "sha-256=:...:, sha-512=:...:". nullopt: it cannot be read, or has neither of these.
  static std::optional<BodyDigest> readContentDigest(std::string_view value);
  // digest (RFC 3230): "SHA-256=...,SHA-512=...". nullopt: the same.
  static std::optional<BodyDigest> readDigest(std::string_view value);

  // By all that it has.
  bool matches(std::string_view body) const;

 private:
  // False: it is no digest of that name, or the second.
  bool add(std::string_view name, std::string_view digest);
  bool isEmpty() const { return sha256_.empty() && sha512_.empty(); }

  std::string sha256_, sha512_;  // empty: it does not say
};

}  // namespace sluice::extensions::http_filters::hmac_auth
