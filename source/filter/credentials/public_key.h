// The public key of a consumer that signs its messages.
// Thread: immutable, any.
#pragma once

#include <string_view>

namespace sluice::filter {

class PublicKey {
 public:
  PublicKey() = default;
  PublicKey(const PublicKey&) = delete;
  PublicKey& operator=(const PublicKey&) = delete;
  virtual ~PublicKey() = default;

  // Of algorithms by their names in RFC 9421 ("ed25519"); empty: the key's own.
  virtual bool takes(std::string_view algorithm) const = 0;
  // False, too, of an algorithm that it does not take.
  virtual bool verifies(std::string_view algorithm, std::string_view text, std::string_view signature) const = 0;
};

}  // namespace sluice::filter
