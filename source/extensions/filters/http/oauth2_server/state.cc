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

void State::put(CodeRecord record) {
  if (const auto found = codes_.find(record.digest); found != codes_.end()) leave(found->second);
  ++codes_of_[record.grant.subject];
  const Digest digest = record.digest;
  codes_.insert_or_assign(digest, std::move(record));
}

void State::put(LoginRecord record) {
  if (const auto found = logins_.find(record.id); found != logins_.end()) leave(found->second);
  logins_of_[record.grant.subject].insert(record.id);
  std::string id = record.id;
  logins_.insert_or_assign(std::move(id), std::move(record));
}

void State::leave(const CodeRecord& code) {
  const auto found = codes_of_.find(code.grant.subject);
  if (--found->second == 0) codes_of_.erase(found);
}

void State::leave(const LoginRecord& login) {
  const auto found = logins_of_.find(login.grant.subject);
  found->second.erase(login.id);
  if (found->second.empty()) logins_of_.erase(found);
}

void State::apply(Change change) {
  std::visit(
      [this](auto& record) {
        using Record = std::decay_t<decltype(record)>;
        if constexpr (std::is_same_v<Record, LoginRevoked>) {
          const auto found = logins_.find(record.id);
          if (found == logins_.end()) return;
          leave(found->second);
          logins_.erase(found);
        } else if constexpr (std::is_same_v<Record, TokenRevoked>) {
          revoked_.insert_or_assign(std::move(record.id), record.expires);
        } else {
          put(std::move(record));
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
  const auto isOver = [&](const auto& record) {
    if (record.expires > now) return false;
    leave(record);
    return true;
  };
  erase(codes_, isOver);
  erase(logins_, isOver);
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

size_t State::codesOf(std::string_view subject) const {
  const auto found = codes_of_.find(base::toAbsl(subject));
  return found == codes_of_.end() ? 0 : found->second;
}

size_t State::loginsOf(std::string_view subject) const {
  const auto found = logins_of_.find(base::toAbsl(subject));
  return found == logins_of_.end() ? 0 : found->second.size();
}

const LoginRecord* State::firstOver(std::string_view subject) const {
  const LoginRecord* out = nullptr;
  const auto found = logins_of_.find(base::toAbsl(subject));
  if (found == logins_of_.end()) return nullptr;
  for (const std::string& id : found->second) {
    const LoginRecord& login = logins_.find(id)->second;
    if (out == nullptr || login.expires < out->expires) out = &login;
  }
  return out;
}

bool State::isRevoked(std::string_view token_id) const {
  return revoked_.contains(base::toAbsl(token_id));
}

}  // namespace sluice::extensions::http_filters::oauth2_server
