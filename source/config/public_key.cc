#include "source/config/public_key.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/config/values.h"
#include "source/jwt/key_set.h"

namespace sluice::config {
namespace {

struct Scheme {
  std::string_view name;  // RFC 9421, section 6.2.2
  jwt::Algorithm algorithm;
};

// The first that a key takes is its own.
constexpr Scheme kSchemes[] = {
    {"rsa-pss-sha512", jwt::Algorithm::kPs512},    {"rsa-v1_5-sha256", jwt::Algorithm::kRs256},
    {"ecdsa-p256-sha256", jwt::Algorithm::kEs256}, {"ecdsa-p384-sha384", jwt::Algorithm::kEs384},
    {"ed25519", jwt::Algorithm::kEdDsa},
};

class JsonWebKey : public filter::PublicKey {
 public:
  // Of one key.
  explicit JsonWebKey(std::shared_ptr<const jwt::KeySet> set) : set_(std::move(set)) {}

  bool takes(std::string_view algorithm) const override { return schemeOf(algorithm) != nullptr; }
  bool verifies(std::string_view algorithm, std::string_view text, std::string_view signature) const override {
    const Scheme* const scheme = schemeOf(algorithm);
    return scheme != nullptr && entry().key->verifies(scheme->algorithm, text, signature);
  }

 private:
  const jwt::KeySet::Entry& entry() const { return set_->keys().front(); }
  // Null: it does not take it.
  const Scheme* schemeOf(std::string_view name) const {
    for (const Scheme& each : kSchemes) {
      if (!name.empty() && each.name != name) continue;
      if (entry().algorithm ? *entry().algorithm == each.algorithm : entry().key->takes(each.algorithm)) return &each;
    }
    return nullptr;
  }

  const std::shared_ptr<const jwt::KeySet> set_;
};

}  // namespace

std::unique_ptr<const filter::PublicKey> compilePublicKey(const envoy::config::core::v3::DataSource& source,
                                                          const Context& at) {
  const auto text = compileDataSource(source, at);
  if (!text) return nullptr;
  std::vector<std::string> skipped;
  std::string why;
  auto set = jwt::KeySet::parse(absl::StrCat("{\"keys\":[", *text, "]}"), skipped, why);
  if (set == nullptr || set->keys().size() != 1 || !skipped.empty()) {
    at.error(absl::StrCat("is no JSON Web Key, one object, that verifies signatures",
                          skipped.empty() ? "" : ": " + skipped.front().substr(skipped.front().find(' ') + 1)));
    return nullptr;
  }
  auto key = std::make_unique<JsonWebKey>(std::move(set));
  if (key->takes("")) return key;
  at.error("is a key that signs no messages; use one of RSA, P-256, P-384 or Ed25519, and a secret in hmac_keys");
  return nullptr;
}

}  // namespace sluice::config
