// Which logins a directory has judged lately, so that it is not asked of each request.
// Thread: any worker, each has its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "source/event/timer.h"
#include "source/filter/credentials/basic_login.h"
#include "source/filter/credentials/key_table.h"
#include "source/stream/metadata.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::ldap_auth {

// Whom a login lets in.
struct Account {
  std::string name;
  std::vector<std::string> groups;
  std::shared_ptr<const stream::MetadataFields> identity;
};

class LoginMemory {
 public:
  // Wrong ones are not tried again for so long; somebody may have mistyped what he is about to set.
  static constexpr std::chrono::seconds kWrongTtl{2};
  // Of either kind, a worker: wrong logins drive no right one out.
  static constexpr size_t kMaxLogins = 1024;

  struct Judged {
    event::TimePoint until;
    std::shared_ptr<const Account> account;  // null: it is wrong
  };

  // `ttl`: of right ones; 0: none is remembered.
  LoginMemory(const worker::LocalSlots& slots, std::chrono::milliseconds ttl);

  // Null: not known. Until the next call of this worker.
  const Judged* find(const filter::Login& login, worker::WorkerServices& worker) const;
  // `account`: null: it is wrong.
  void remember(const filter::Login& login, std::shared_ptr<const Account> account,
                worker::WorkerServices& worker) const;
  // By a key of this object: it tells nothing elsewhere.
  filter::KeyDigest digestOf(const filter::Login& login) const;

 private:
  using Table = filter::KeyTable<Judged>;
  struct Tables {
    Table right, wrong;
  };

  const std::chrono::milliseconds ttl_;
  filter::KeyDigest secret_;
  const worker::WorkerLocal<Tables> tables_;
};

}  // namespace sluice::extensions::http_filters::ldap_auth
