#include "source/extensions/filters/http/hmac_auth/body_digest.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "source/base/text.h"
#include "source/http/rules.h"
#include "source/http/structured_fields.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

namespace structured = http::structured;

constexpr size_t kMost = 8;  // digests of one body

template <size_t Size, typename Function>
bool isHash(std::string_view digest, std::string_view body, Function hash) {
  uint8_t made[Size];
  hash(reinterpret_cast<const uint8_t*>(body.data()), body.size(), made);
  return std::equal(digest.begin(), digest.end(), made, made + Size,
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

}  // namespace

std::optional<BodyDigest> BodyDigest::readContentDigest(std::string_view value) {
  const auto dictionary = structured::parseDictionary(value, kMost);
  if (!dictionary) return std::nullopt;
  BodyDigest out;
  for (const structured::Member& member : *dictionary) {
    const auto* const item = std::get_if<structured::Item>(&member.value);
    const auto* const digest = item == nullptr ? nullptr : std::get_if<structured::Bytes>(&item->value);
    if (digest == nullptr || !out.add(member.key, digest->bytes)) return std::nullopt;
  }
  return out.isEmpty() ? std::nullopt : std::optional(std::move(out));
}

std::optional<BodyDigest> BodyDigest::readDigest(std::string_view value) {
  BodyDigest out;
  bool good = true;
  http::forEachElement(value, [&](std::string_view element) {
    const size_t equals = std::min(element.find('='), element.size());
    const std::string_view encoded = element.substr(std::min(equals + 1, element.size()));
    std::string digest;
    const bool is_base64 =
        absl::Base64Unescape(base::toAbsl(encoded), &digest) && absl::Base64Escape(digest) == encoded;
    const std::string name = absl::AsciiStrToLower(base::toAbsl(element.substr(0, equals)));
    // Others are written otherwise.
    if (name == "sha-256" || name == "sha-512") good = good && is_base64 && out.add(name, digest);
  });
  return good && !out.isEmpty() ? std::optional(std::move(out)) : std::nullopt;
}

bool BodyDigest::matches(std::string_view body) const {
  return (sha256_.empty() || isHash<SHA256_DIGEST_LENGTH>(sha256_, body, SHA256)) &&
         (sha512_.empty() || isHash<SHA512_DIGEST_LENGTH>(sha512_, body, SHA512)) && !isEmpty();
}

bool BodyDigest::add(std::string_view name, std::string_view digest) {
  const bool is_256 = name == "sha-256", is_512 = name == "sha-512";
  if (!is_256 && !is_512) return true;  // it says nothing here
  std::string& place = is_256 ? sha256_ : sha512_;
  if (!place.empty() || digest.size() != (is_256 ? SHA256_DIGEST_LENGTH : SHA512_DIGEST_LENGTH)) return false;
  place = digest;
  return true;
}

}  // namespace sluice::extensions::http_filters::hmac_auth
