#include "source/extensions/filters/http/ldap_auth/login_memory.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <utility>

namespace sluice::extensions::http_filters::ldap_auth {

LoginMemory::LoginMemory(const worker::LocalSlots& slots, std::chrono::milliseconds ttl)
    : ttl_(ttl), tables_(slots, [](worker::WorkerServices&) { return std::make_unique<Tables>(); }) {
  RAND_bytes(secret_.data(), secret_.size());
}

const LoginMemory::Judged* LoginMemory::find(const filter::Login& login, worker::WorkerServices& worker) const {
  const Tables& tables = tables_.get(worker);
  const filter::KeyDigest digest = digestOf(login);
  for (const Table* table : {&tables.right, &tables.wrong}) {
    const auto found = table->find(digest);
    if (found != table->end() && worker.loop.now() < found->second.until) return &found->second;
  }
  return nullptr;
}

void LoginMemory::remember(const filter::Login& login, std::shared_ptr<const Account> account,
                           worker::WorkerServices& worker) const {
  Tables& tables = tables_.get(worker);
  const filter::KeyDigest digest = digestOf(login);
  Table& table = account == nullptr ? tables.wrong : tables.right;
  (account == nullptr ? tables.right : tables.wrong).erase(digest);
  const std::chrono::milliseconds ttl = account == nullptr ? kWrongTtl : ttl_;
  if (ttl.count() == 0) return;
  if (table.size() >= kMaxLogins) table.erase(table.begin());
  table[digest] = {worker.loop.now() + ttl, std::move(account)};
}

// A name has no colon: nobody's login reads as another's.
filter::KeyDigest LoginMemory::digestOf(const filter::Login& login) const {
  filter::KeyDigest out;
  HMAC(EVP_sha256(), secret_.data(), secret_.size(), reinterpret_cast<const uint8_t*>(login.text.data()),
       login.text.size(), out.data(), nullptr);
  return out;
}

}  // namespace sluice::extensions::http_filters::ldap_auth
