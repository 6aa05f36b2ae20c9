// Tokens that were found good, by their whole text: what a worker remembers of one provider's.
//
// An entry holds as long as the keys by which it was verified are those of the provider, and the token is in its time.
// Looking one up costs a hash of its end, one comparison and no allocation. The end of a token is its signature: who
// does not know that much of it never gets to the comparison, whose time so tells nobody anything.
// Thread: the worker's.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
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
  std::shared_ptr<const jwt::KeySet> keys;  // by which it was verified; null: it was not
  double good_until = 0;                    // seconds since 1970, with the provider's clock skew
  std::vector<std::string> audiences;       // as they are compared
  CertificateBinding binding;
  std::vector<std::pair<std::string_view, std::string>> headers;  // names of the settings
  std::shared_ptr<const stream::MetadataFields> metadata;         // null: none
  std::shared_ptr<const stream::MetadataFields> identity;
};
using ReadTokenPtr = base::LocalPtr<ReadToken>;

class TokenCache {
 public:
  explicit TokenCache(size_t capacity) : capacity_(capacity) {}
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // `now`: seconds since 1970. Null: it is not known to be good now.
  ReadTokenPtr find(std::string_view text, const jwt::KeySet* keys, double now);
  // What was not used for longest makes room.
  void add(ReadTokenPtr token);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry : base::ListNode {
    ReadTokenPtr token;
  };
  struct HashOfEnd {
    size_t operator()(std::string_view text) const {
      constexpr size_t kEnd = 32;  // characters
      return absl::Hash<std::string_view>()(text.size() > kEnd ? text.substr(text.size() - kEnd) : text);
    }
  };

  const size_t capacity_;
  absl::flat_hash_map<std::string_view, std::unique_ptr<Entry>, HashOfEnd, std::equal_to<>> entries_;  // by their text
  base::List<Entry> by_use_;  // the latest in front
};

// Of one worker, by the number of the provider.
struct TokenCaches {
  std::vector<std::unique_ptr<TokenCache>> of;
};

}  // namespace sluice::extensions::http_filters::jwt_authn
