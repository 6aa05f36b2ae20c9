// The users of a file of htpasswd, and who of them has shown the right password lately.
// Thread: made on main, immutable but for what each worker has of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "source/event/timer.h"
#include "source/extensions/filters/http/basic_auth/password_hash.h"
#include "source/filter/credentials/basic_login.h"
#include "source/filter/credentials/key_table.h"
#include "source/stream/metadata.h"
#include "source/worker/exchanged.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::basic_auth {

struct User {
  std::string name;
  PasswordHash hash;
  std::shared_ptr<const stream::MetadataFields> identity;
};

class Users {
 public:
  // For how long a password that was right is not tried again, and how many a worker remembers.
  static constexpr std::chrono::minutes kRemembered{5};
  static constexpr size_t kMaxRemembered = 1024;

  // What is wrong names the line, and nothing of its hash.
  static absl::StatusOr<std::shared_ptr<const Users>> parse(std::string_view text, const worker::LocalSlots& slots);

  explicit Users(const worker::LocalSlots& slots);

  // Null: there is none of that name.
  const User* find(std::string_view name) const;
  // On whom to try the password of a name that is not there, so that it takes as long; null: there is no user at all.
  const User* standIn(std::string_view name) const;

  bool isRemembered(const filter::Login& login, worker::WorkerServices& worker) const;
  // It was right.
  void remember(const filter::Login& login, worker::WorkerServices& worker) const;

 private:
  using Remembered = filter::KeyTable<event::TimePoint>;  // until when

  filter::KeyDigest digestOf(std::string_view text) const;

  std::vector<User> users_;
  absl::flat_hash_map<std::string, uint32_t> by_name_;
  filter::KeyDigest secret_;  // of this object, for what it remembers
  worker::WorkerLocal<Remembered> remembered_;
};

// Users that main may exchange.
using UserSource = worker::Exchanged<Users>;

}  // namespace sluice::extensions::http_filters::basic_auth
