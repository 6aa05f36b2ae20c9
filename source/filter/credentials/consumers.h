// Who calls APIs, and by which credentials they are known.
// Thread: made on main, then immutable.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/filter/credentials/key_table.h"
#include "source/filter/credentials/public_key.h"
#include "source/stream/metadata.h"

namespace sluice::filter {

// Years up to 9999 fit.
using WallTime = std::chrono::sys_seconds;
using IdentityPtr = std::shared_ptr<const stream::MetadataFields>;

struct Consumer {
  std::string name;
  std::vector<std::string> groups;
  stream::MetadataFields plan;
};

// How a consumer is known: by a credential, or without one.
class KnownConsumer {
 public:
  struct Credential {
    const char* method;       // of identities: "key"
    std::string prefix = {};  // of a key, for logs
    std::optional<WallTime> expires = {};
    std::string subject = {};                          // of identities; empty: the consumer
    std::string secret = {};                           // by which it signs; empty: it does not
    std::unique_ptr<const PublicKey> public_key = {};  // by which it is known to have signed; null: it does not
  };

  KnownConsumer(const Consumer& consumer, Credential credential);

  const Consumer& consumer() const { return consumer_; }
  bool isExpired(WallTime now) const { return credential_.expires && now >= *credential_.expires; }
  std::string_view secret() const { return credential_.secret; }
  const PublicKey* publicKey() const { return credential_.public_key.get(); }
  // For Context::setIdentity(), its subject the credential's. Made when it is first asked for: most of many never are.
  // Any thread.
  const IdentityPtr& identity() const;
  // The same with a subject, and what the credential says besides, which only a request tells.
  IdentityPtr identityOf(std::string subject, stream::MetadataFields claims) const;

 private:
  const Consumer& consumer_;
  const Credential credential_;
  mutable std::once_flag made_;
  mutable IdentityPtr identity_;
};

// What a credential is; those of different kinds never stand for each other.
enum class CredentialKind : uint8_t {
  kKey,
  kCertificate,  // its DER form
  kSubject,      // of a certificate, RFC 2253
  kDnsName,      // of a certificate, in lower case
  kUriName,
  kEmailName,
  kSignature,  // the id of a key that verifies some
};

class Consumers {
 public:
  Consumers() = default;
  Consumers(const Consumers&) = delete;
  Consumers& operator=(const Consumers&) = delete;

  // The reference lives as long as this. Null: there is one of that name.
  const Consumer* add(Consumer consumer);
  // Of a consumer that was added: the digest of what shows it. False: it is there.
  bool addCredential(const Consumer& consumer, CredentialKind kind, const KeyDigest& digest,
                     KnownConsumer::Credential credential);
  // False: there is no such consumer.
  bool setAnonymous(std::string_view name);

  // Null: nobody's.
  const KnownConsumer* find(CredentialKind kind, const KeyDigest& digest) const;
  const KnownConsumer* find(CredentialKind kind, std::string_view shown) const { return find(kind, digestOf(shown)); }
  // Null: requests without a credential are refused.
  const KnownConsumer* anonymous() const { return anonymous_ ? &*anonymous_ : nullptr; }

 private:
  static constexpr size_t kKinds = static_cast<size_t>(CredentialKind::kSignature) + 1;

  std::deque<Consumer> consumers_;
  absl::flat_hash_map<std::string_view, const Consumer*> by_name_;
  std::deque<KnownConsumer> known_;
  std::array<KeyTable<const KnownConsumer*>, kKinds> by_credential_;
  std::optional<KnownConsumer> anonymous_;
};

}  // namespace sluice::filter
