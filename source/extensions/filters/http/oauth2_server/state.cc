#include "source/extensions/filters/http/oauth2_server/state.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "source/base/text.h"

namespace sluice::extensions::http_filters::oauth2_server {

void State::put(KeyRecord record) {
  const std::string id = record.key->id();
  std::erase_if(keys_, [&](const KeyRecord& known) { return known.key->id() == id; });
  const auto place = std::upper_bound(keys_.begin(), keys_.end(), record.signs_from,
                                      [](WallTime from, const KeyRecord& known) { return from < known.signs_from; });
  keys_.insert(place, std::move(record));
}

void State::apply(Change change) {
  std::visit(
      [this](auto& record) {
        using Record = std::decay_t<decltype(record)>;
        if constexpr (std::is_same_v<Record, KeyRecord>) {
          put(std::move(record));
        } else if constexpr (std::is_same_v<Record, CodeRecord>) {
          const Digest digest = record.digest;
          codes_.insert_or_assign(digest, std::move(record));
        } else if constexpr (std::is_same_v<Record, LoginRecord>) {
          std::string id = record.id;
          logins_.insert_or_assign(std::move(id), std::move(record));
        } else if constexpr (std::is_same_v<Record, LoginRevoked>) {
          logins_.erase(record.id);
        } else {
          revoked_.insert_or_assign(std::move(record.id), record.expires);
        }
      },
      change);
}

void State::expire(WallTime now) {
  const auto erase = [](auto& table, auto is_over) {
    for (auto at = table.begin(); at != table.end();) {
      const auto here = at++;
      if (is_over(here->second)) table.erase(here);
    }
  };
  erase(codes_, [&](const CodeRecord& code) { return code.expires <= now; });
  erase(logins_, [&](const LoginRecord& login) { return login.expires <= now; });
  erase(revoked_, [&](WallTime expires) { return expires <= now; });
  // A key's last token is made before the next key signs.
  while (keys_.size() > 1 && keys_[1].signs_from + keys_[0].longest <= now) keys_.erase(keys_.begin());
}

std::vector<Change> State::changes() const {
  std::vector<Change> out(keys_.begin(), keys_.end());
  out.reserve(keys_.size() + codes_.size() + logins_.size() + revoked_.size());
  for (const auto& [digest, code] : codes_) out.push_back(code);
  for (const auto& [id, login] : logins_) out.push_back(login);
  for (const auto& [id, expires] : revoked_) out.push_back(TokenRevoked{id, expires});
  return out;
}

const KeyRecord* State::signingKey(WallTime now) const {
  const KeyRecord* out = nullptr;
  for (const KeyRecord& key : keys_) {
    if (out == nullptr || key.signs_from <= now) out = &key;
  }
  return out;
}

const CodeRecord* State::code(const Digest& digest) const {
  const auto found = codes_.find(digest);
  return found == codes_.end() ? nullptr : &found->second;
}

const LoginRecord* State::login(std::string_view id) const {
  const auto found = logins_.find(base::toAbsl(id));
  return found == logins_.end() ? nullptr : &found->second;
}

bool State::isRevoked(std::string_view token_id) const {
  return revoked_.contains(base::toAbsl(token_id));
}

}  // namespace sluice::extensions::http_filters::oauth2_server
