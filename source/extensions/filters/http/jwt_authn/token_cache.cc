#include "source/extensions/filters/http/jwt_authn/token_cache.h"

namespace sluice::extensions::http_filters::jwt_authn {

ReadTokenPtr TokenCache::find(std::string_view text, const jwt::KeySet* keys, double now) {
  const auto at = entries_.find(text);
  if (at == entries_.end()) return {};
  Entry& entry = *at->second;
  if (entry.token->keys.get() != keys || now > entry.token->good_until) {
    entries_.erase(at);
    return {};
  }
  by_use_.pushFront(entry);
  return entry.token;
}

void TokenCache::add(ReadTokenPtr token) {
  if (capacity_ == 0 || entries_.contains(std::string_view(token->text))) return;
  if (entries_.size() >= capacity_) entries_.erase(std::string_view(by_use_.back().token->text));
  auto entry = std::make_unique<Entry>();
  by_use_.pushFront(*entry);
  const std::string_view text = token->text;
  entry->token = std::move(token);
  entries_.emplace(text, std::move(entry));
}

}  // namespace sluice::extensions::http_filters::jwt_authn
