// The public keys of who signs tokens: a JSON Web Key Set. (RFC 7517, 7518, 8037)
//
// Immutable: parsed on main, read by all workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::jwt {

// What a token may be signed by: RS, PS and ES of 256, 384 and 512 bits, EdDSA (Ed25519) and HS.
enum class Algorithm : uint8_t {
  kRs256,
  kRs384,
  kRs512,
  kPs256,
  kPs384,
  kPs512,
  kEs256,
  kEs384,
  kEs512,
  kEdDsa,
  kHs256,
  kHs384,
  kHs512,
};
// As in `alg`; nullopt: none that is known here, "none" among them.
std::optional<Algorithm> algorithmNamed(std::string_view name);
std::string_view nameOf(Algorithm algorithm);
constexpr size_t kAlgorithmCount = 13;

class Key {
 public:
  virtual ~Key() = default;
  // Whether its type, its curve or its length are the algorithm's.
  virtual bool takes(Algorithm algorithm) const = 0;
  // False, too, of an algorithm that it does not take.
  virtual bool verifies(Algorithm algorithm, std::string_view signed_text, std::string_view signature) const = 0;
};

class KeySet {
 public:
  static constexpr size_t kMaxText = 1 << 20;  // bytes
  static constexpr size_t kMaxKeys = 1000;

  struct Entry {
    std::string id;                      // `kid`; empty: none
    std::optional<Algorithm> algorithm;  // `alg`: the only one
    std::unique_ptr<const Key> key;
  };

  // Keys of other kinds, for encryption, too weak (RSA below 2048 bits, a curve that is not its algorithm's) or broken
  // are left out, and `skipped` says each and why. Null where the text is no key set or no key is left: `error` says
  // why. Neither holds anything of the text.
  static std::shared_ptr<const KeySet> parse(std::string_view json, std::vector<std::string>& skipped,
                                             std::string& error);

  explicit KeySet(std::vector<Entry> keys) : keys_(std::move(keys)) {}
  const std::vector<Entry>& keys() const { return keys_; }

 private:
  const std::vector<Entry> keys_;
};

}  // namespace sluice::jwt
