#include "source/extensions/filters/http/jwt_authn/token_cache.h"

#include <cstring>

namespace sluice::extensions::http_filters::jwt_authn {

uint64_t TokenCache::hashOf(std::string_view text) const {
  uint64_t words[2];
  static_assert(sizeof(words) == kEnd);
  std::memcpy(words, text.data() + text.size() - kEnd, kEnd);
  const auto product = static_cast<unsigned __int128>(words[0] ^ seed_[0]) * (words[1] ^ seed_[1]);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

ReadToken* TokenCache::find(std::string_view text, const jwt::KeySet* keys, double now) {
  if (text.size() < kEnd) return nullptr;
  const auto at = entries_.find(hashOf(text));
  if (at == entries_.end() || at->second->token->text != text) return nullptr;
  Entry& entry = *at->second;
  if (entry.token->keys.get() != keys || now > entry.token->good_until) {
    entries_.erase(at);
    return nullptr;
  }
  if (&entry != &by_use_.front()) by_use_.pushFront(entry);
  return entry.token.get();
}

void TokenCache::add(ReadTokenPtr token) {
  if (capacity_ == 0 || token->text.size() < kEnd) return;
  const uint64_t hash = hashOf(token->text);
  if (entries_.contains(hash)) return;
  if (entries_.size() >= capacity_) entries_.erase(by_use_.back().hash);
  auto entry = std::make_unique<Entry>();
  entry->hash = hash;
  entry->token = std::move(token);
  by_use_.pushFront(*entry);
  entries_.emplace(hash, std::move(entry));
}

}  // namespace sluice::extensions::http_filters::jwt_authn
