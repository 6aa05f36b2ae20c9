// Tokens that were found good, by their whole text: what a worker remembers of one provider's.
//
// An entry holds as long as the keys by which it was verified are those of the provider, and the token is in its time.
// Looking one up costs a hash of its end, one comparison and no allocation. The end of a token is its signature, and
// the hash is keyed: who does not know that much of it never gets to the comparison, whose time so tells nobody
// anything. Thread: the worker's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/entropy.h"
#include "source/base/intrusive_list.h"
#include "source/base/local_ptr.h"
#include "source/filter/credentials/key_table.h"
#include "source/jwt/key_set.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::jwt_authn {

// The client certificate that a token is bound to. (RFC 8705 section 3.1: `x5t#S256` of the claim `cnf`)
struct CertificateBinding {
  bool bound = false;
  std::optional<filter::KeyDigest>
      certificate;  // SHA-256 of the DER form; nothing where it is bound: it cannot be read
};

// A token, and all that it leaves in a request.
struct ReadToken : base::LocalCounted {
  std::string text;
  const std::vector<std::string>* fits = nullptr;  // audiences that it is known to be for; null: none
  std::shared_ptr<const jwt::KeySet> keys;         // by which it was verified; null: it was not
  double good_until = 0;                           // seconds since 1970, with the provider's clock skew
  std::vector<std::string> audiences;              // as they are compared
  CertificateBinding binding;
  std::vector<std::pair<std::string_view, std::string>> headers;  // names of the settings
  std::shared_ptr<const stream::MetadataFields> metadata;         // null: none
  std::shared_ptr<const stream::MetadataFields> identity;
};
using ReadTokenPtr = base::LocalPtr<ReadToken>;

class TokenCache {
 public:
  explicit TokenCache(size_t capacity) : capacity_(capacity), seed_{base::drawSeed(), base::drawSeed()} {}
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // `now`: seconds since 1970. Null: it is not known to be good now. Stays valid until the next call.
  ReadToken* find(std::string_view text, const jwt::KeySet* keys, double now);
  // What was not used for longest makes room.
  void add(ReadTokenPtr token);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry : base::ListNode {
    uint64_t hash = 0;
    ReadTokenPtr token;
  };
  struct AsItIs {
    size_t operator()(uint64_t hash) const { return hash; }
  };
  // Characters that are hashed: 96 bits of a signature. No token is as short.
  static constexpr size_t kEnd = 16;

  uint64_t hashOf(std::string_view text) const;

  const size_t capacity_;
  const std::array<uint64_t, 2> seed_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Entry>, AsItIs> entries_;  // by their hash
  base::List<Entry> by_use_;                                               // the latest in front
};

// Of one worker, by the number of the provider.
struct TokenCaches {
  std::vector<std::unique_ptr<TokenCache>> of;
};

}  // namespace sluice::extensions::http_filters::jwt_authn
