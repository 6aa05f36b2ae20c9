#include "source/extensions/filters/http/hmac_auth/message_signature.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "source/base/text.h"
#include "source/extensions/filters/http/hmac_auth/component.h"
#include "source/http/structured_fields.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

namespace structured = http::structured;

constexpr size_t kMost = 32;  // signatures of a request, and components of a signature
constexpr std::string_view kContentDigest = "content-digest";
// Of section 6.2.2, with a secret or a public key.
constexpr std::string_view kHmac = "hmac-sha256";
constexpr std::string_view kPublic[] = {"rsa-pss-sha512", "rsa-v1_5-sha256", "ecdsa-p256-sha256", "ecdsa-p384-sha384",
                                        "ed25519"};

// A parameter of that type, if it is there; false: it is of another one.
template <typename Type>
bool readParameter(const structured::Parameters& parameters, std::string_view name, std::optional<Type>& out) {
  const structured::Bare* const found = structured::find(parameters, name);
  if (found == nullptr) return true;
  const auto* const value = std::get_if<Type>(found);
  if (value != nullptr) out = *value;
  return value != nullptr;
}

// A member of signature-input.
struct Input {
  const structured::Member* member = nullptr;
  const structured::InnerList* list = nullptr;
  std::optional<int64_t> created, expires;
  std::optional<std::string> algorithm, key_id, tag, nonce;
};

std::optional<Input> readInput(const structured::Member& member) {
  Input out{.member = &member, .list = std::get_if<structured::InnerList>(&member.value)};
  if (out.list == nullptr) return std::nullopt;
  const structured::Parameters& parameters = out.list->parameters;
  const bool good = readParameter(parameters, "created", out.created) &&
                    readParameter(parameters, "expires", out.expires) &&
                    readParameter(parameters, "alg", out.algorithm) && readParameter(parameters, "keyid", out.key_id) &&
                    readParameter(parameters, "tag", out.tag) && readParameter(parameters, "nonce", out.nonce);
  return good ? std::optional(std::move(out)) : std::nullopt;
}

// The one that counts.
std::variant<Input, Failure> choose(const structured::Dictionary& inputs, std::string_view tag,
                                    absl::FunctionRef<bool(std::string_view)> knows_key) {
  std::optional<Input> out;
  bool known = false;
  for (const structured::Member& member : inputs) {
    auto input = readInput(member);
    if (!input) return Failure::kMalformed;
    if (known || (!tag.empty() && input->tag != tag)) continue;
    known = knows_key(input->key_id.value_or(""));
    if (known || !out) out = std::move(input);
  }
  if (!out) return Failure::kMissing;
  return *std::move(out);
}

// nullopt: it may be used now.
std::optional<Failure> checkTime(const Input& input, const MessageRules& rules, Seconds now) {
  const int64_t at = now.time_since_epoch().count();
  const int64_t skew = rules.clock_skew.count();
  if (!input.created) return Failure::kUndated;
  if (*input.created > at + skew || *input.created < at - skew - rules.max_age.count()) return Failure::kStale;
  if (input.expires && *input.expires <= at - skew) return Failure::kExpired;
  return std::nullopt;
}

bool signsAll(const structured::InnerList& list, const std::vector<std::string>& required, bool has_body) {
  return std::all_of(required.begin(), required.end(), [&](const std::string& name) {
    if (name == kContentDigest && !has_body) return true;
    return std::any_of(list.items.begin(), list.items.end(),
                       [&](const structured::Item& item) { return covers(item, name); });
  });
}

// Section 2.5. One of the components twice is refused: they would not be a set.
std::variant<std::string, Failure> signatureBase(const structured::InnerList& list,
                                                 const http::RequestHeaders& headers) {
  std::string out;
  std::vector<std::string> names;
  Components components(headers);
  for (const structured::Item& item : list.items) {
    auto value = components.valueOf(item);
    if (const auto* const failure = std::get_if<Failure>(&value)) return *failure;
    std::string name = structured::serialize(item);
    if (std::find(names.begin(), names.end(), name) != names.end()) return Failure::kMalformed;
    base::strAppend(out, name, ": ", std::get<std::string>(value), "\n");
    names.push_back(std::move(name));
  }
  base::strAppend(out, "\"@signature-params\": ", structured::serialize(list));
  return out;
}

std::optional<std::string> signatureOf(const structured::Dictionary& signatures, std::string_view label) {
  const structured::Member* const member = structured::find(signatures, label);
  const auto* const item = member == nullptr ? nullptr : std::get_if<structured::Item>(&member->value);
  const auto* const bytes = item == nullptr ? nullptr : std::get_if<structured::Bytes>(&item->value);
  return bytes == nullptr ? std::nullopt : std::optional(bytes->bytes);
}

// Or a member of it.
bool signsDigest(const structured::InnerList& list) {
  return std::any_of(list.items.begin(), list.items.end(), [](const structured::Item& item) {
    const auto* const name = std::get_if<std::string>(&item.value);
    return name != nullptr && *name == kContentDigest;
  });
}

std::variant<SignedRequest, Failure> readChosen(const Input& input, std::string signature,
                                                const http::RequestHeaders& headers) {
  SignedRequest out{.key_id = input.key_id.value_or(""), .signature = std::move(signature)};
  if (input.algorithm) {
    out.algorithm = *input.algorithm;
    if (out.algorithm != kHmac && std::find(std::begin(kPublic), std::end(kPublic), out.algorithm) == std::end(kPublic))
      return Failure::kAlgorithm;
  }
  if (!input.algorithm || out.algorithm == kHmac) out.hash = Hash::kSha256;
  auto text = signatureBase(*input.list, headers);
  if (const auto* const failure = std::get_if<Failure>(&text)) return *failure;
  out.text = std::get<std::string>(std::move(text));
  if (!signsDigest(*input.list)) return out;
  out.digest = BodyDigest::readContentDigest(fieldValue(headers, kContentDigest).value_or(""));
  if (!out.digest) return Failure::kDigest;
  return out;
}

}  // namespace

std::variant<SignedRequest, Failure> readMessageSignature(const http::RequestHeaders& headers, bool has_body,
                                                          const MessageRules& rules, Seconds now,
                                                          absl::FunctionRef<bool(std::string_view)> knows_key) {
  const auto input_field = fieldValue(headers, kSignatureInput), signature_field = fieldValue(headers, kSignature);
  if (!input_field && !signature_field) return Failure::kMissing;
  const auto inputs = structured::parseDictionary(input_field.value_or(""), kMost);
  const auto signatures = structured::parseDictionary(signature_field.value_or(""), kMost);
  if (!inputs || !signatures || inputs->empty()) return Failure::kMalformed;
  auto chosen = choose(*inputs, rules.tag, knows_key);
  if (const auto* const failure = std::get_if<Failure>(&chosen)) return *failure;
  const Input& input = std::get<Input>(chosen);
  auto signature = signatureOf(*signatures, input.member->key);
  if (!signature) return Failure::kMalformed;
  if (const auto failure = checkTime(input, rules, now)) return *failure;
  if (!signsAll(*input.list, rules.required, has_body)) return Failure::kUnsigned;
  return readChosen(input, *std::move(signature), headers);
}

}  // namespace sluice::extensions::http_filters::hmac_auth
