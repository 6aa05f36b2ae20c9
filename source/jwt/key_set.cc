#include "source/jwt/key_set.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "source/base/text.h"
#include "source/jwt/key.h"
#include "source/stream/strict_json.h"

namespace sluice::jwt {
namespace {

// Nullopt: left out, `why` says the reason.
using Made = std::optional<KeySet::Entry>;

// Takes a member that is a text or not there; false: it is something else.
bool takeText(const stream::MetadataFields& jwk, std::string_view name, std::string& out) {
  const stream::MetadataValue* const value = stream::findMetadata(jwk, name, {});
  if (value == nullptr) return true;
  const auto* const text = std::get_if<std::string>(&value->value);
  if (text != nullptr) out = *text;
  return text != nullptr;
}

bool isForVerifying(const stream::MetadataFields& jwk) {
  std::string use = "sig";
  if (!takeText(jwk, "use", use) || use != "sig") return false;
  const stream::MetadataValue* const operations = stream::findMetadata(jwk, "key_ops", {});
  if (operations == nullptr) return true;
  const auto* const list = std::get_if<stream::MetadataList>(&operations->value);
  return list != nullptr && std::any_of(list->begin(), list->end(), [](const stream::MetadataValue& each) {
           const auto* const text = std::get_if<std::string>(&each.value);
           return text != nullptr && *text == "verify";
         });
}

Made makeEntry(const stream::MetadataValue& value, std::string_view& why) {
  const auto* const jwk = std::get_if<stream::MetadataFields>(&value.value);
  why = "a key must be an object";
  if (jwk == nullptr) return std::nullopt;
  why = "'use' and 'key_ops' do not say that it verifies signatures";
  if (!isForVerifying(*jwk)) return std::nullopt;
  KeySet::Entry entry;
  why = "'kid' must be a text";
  if (!takeText(*jwk, "kid", entry.id)) return std::nullopt;
  entry.key = makeKey(*jwk, why);
  if (entry.key == nullptr) return std::nullopt;
  if (stream::findMetadata(*jwk, "alg", {}) == nullptr) return entry;
  std::string name;
  entry.algorithm = takeText(*jwk, "alg", name) ? algorithmNamed(name) : std::nullopt;
  why = "'alg' is no signature that a key of this type, curve and length may verify";
  return entry.algorithm && entry.key->takes(*entry.algorithm) ? Made(std::move(entry)) : std::nullopt;
}

}  // namespace

std::shared_ptr<const KeySet> KeySet::parse(std::string_view json, std::vector<std::string>& skipped,
                                            std::string& error) {
  const auto refuse = [&error](std::string why) {
    error = std::move(why);
    return nullptr;
  };
  if (json.size() > kMaxText) return refuse(base::strCat("the key set is larger than ", kMaxText, " bytes"));
  const std::optional<stream::MetadataFields> set = stream::readStrictJson(json);
  if (!set) return refuse("the key set must be a JSON object in which no object has two members of one name");
  const stream::MetadataValue* const member = stream::findMetadata(*set, "keys", {});
  const auto* const list = member == nullptr ? nullptr : std::get_if<stream::MetadataList>(&member->value);
  if (list == nullptr) return refuse("the key set has no list 'keys'");
  if (list->size() > kMaxKeys) return refuse(base::strCat("the key set has more than ", kMaxKeys, " keys"));
  std::vector<Entry> keys;
  for (size_t i = 0; i < list->size(); ++i) {
    std::string_view why;
    if (Made made = makeEntry((*list)[i], why)) {
      keys.push_back(*std::move(made));
    } else {
      skipped.push_back(base::strCat("keys[", i, "]: ", why));
    }
  }
  if (keys.empty()) return refuse("the key set has no key that may verify signatures");
  return std::make_shared<const KeySet>(std::move(keys));
}

}  // namespace sluice::jwt
