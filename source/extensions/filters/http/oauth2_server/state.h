// What a token server has to remember: keys, codes, logins and what was revoked, and the changes of it that a journal
// keeps.
//
// A state is what its changes make of it, in their order: the same when they happen and when they are read again.
// Nothing of it shows a code or a refresh token, only digests. Thread: one at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "source/extensions/filters/http/oauth2_server/signing_key.h"
#include "source/filter/credentials/key_table.h"

namespace sluice::extensions::http_filters::oauth2_server {

using WallTime = std::chrono::sys_seconds;
using Digest = filter::KeyDigest;

// What was granted, to whom.
struct Grant {
  std::string client, subject;
  std::string scope;  // names with spaces between them; empty: none
  std::vector<std::string> audiences;

  friend bool operator==(const Grant&, const Grant&) = default;
};

// --- changes: each puts what stands in it, in place of what had the same name ---

struct KeyRecord {
  std::shared_ptr<const SigningKey> key;
  WallTime signs_from;           // until the next one does
  std::chrono::seconds longest;  // no token that it signs lives longer
};

struct CodeRecord {
  Digest digest{};
  Grant grant;
  std::string redirect_uri;
  Digest challenge{};  // SHA-256 of the verifier (RFC 7636: S256)
  WallTime expires;
  std::string login;  // what it was used for; empty: it was not
};

// All tokens that come of one code. (RFC 9700 section 4.14.2 calls those with a refresh token a family.)
struct LoginRecord {
  std::string id;  // 16 bytes
  Grant grant;
  std::string bound;  // x5t#S256 of the certificate; empty: none
  bool has_refresh = false;
  Digest current{}, previous{};  // of refresh tokens
  WallTime rotated;
  WallTime refresh_expires;  // no refresh token is taken from then on
  WallTime expires;          // nor does an access token live
};

struct LoginRevoked {
  std::string id;
};

struct TokenRevoked {
  std::string id;  // `jti`
  WallTime expires;
};

using Change = std::variant<KeyRecord, CodeRecord, LoginRecord, LoginRevoked, TokenRevoked>;

class State {
 public:
  void apply(Change change);
  // Forgets what is over.
  void expire(WallTime now);
  // Changes that make it anew.
  std::vector<Change> changes() const;

  // By signs_from.
  const std::vector<KeyRecord>& keys() const { return keys_; }
  // The one that signs at that time; null: there is none.
  const KeyRecord* signingKey(WallTime now) const;
  // Null: there is none.
  const CodeRecord* code(const Digest& digest) const;
  const LoginRecord* login(std::string_view id) const;
  bool isRevoked(std::string_view token_id) const;

  size_t codes() const { return codes_.size(); }
  size_t logins() const { return logins_.size(); }
  size_t revoked() const { return revoked_.size(); }
  // Of one user.
  size_t codesOf(std::string_view subject) const;
  size_t loginsOf(std::string_view subject) const;
  // The one of these that is over first; null: there is none.
  const LoginRecord* firstOver(std::string_view subject) const;

 private:
  void put(KeyRecord record);
  void put(CodeRecord record);
  void put(LoginRecord record);
  // Takes it out of what its user has.
  void leave(const CodeRecord& code);
  void leave(const LoginRecord& login);

  std::vector<KeyRecord> keys_;
  filter::KeyTable<CodeRecord> codes_;
  absl::flat_hash_map<std::string, LoginRecord> logins_;
  absl::flat_hash_map<std::string, WallTime> revoked_;
  // By subjects, of which each has some.
  absl::flat_hash_map<std::string, size_t> codes_of_;
  absl::flat_hash_map<std::string, absl::flat_hash_set<std::string>> logins_of_;  // their ids
};

}  // namespace sluice::extensions::http_filters::oauth2_server
