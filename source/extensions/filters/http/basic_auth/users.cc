#include "source/extensions/filters/http/basic_auth/users.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/text.h"
#include "source/filter/identity.h"

namespace sluice::extensions::http_filters::basic_auth {
namespace {

absl::Status problem(size_t line, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, " ", base::toAbsl(what)));
}

}  // namespace

Users::Users(const worker::LocalSlots& slots)
    : remembered_(slots, [](worker::WorkerServices&) { return std::make_unique<Remembered>(); }) {
  RAND_bytes(secret_.data(), secret_.size());
}

absl::StatusOr<std::shared_ptr<const Users>> Users::parse(std::string_view text, const worker::LocalSlots& slots) {
  const auto out = std::make_shared<Users>(slots);
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return problem(number, "has no colon; write name:hash");
    const std::string_view name = line.substr(0, colon);
    if (!filter::isUserName(name))
      return problem(number, "has no name, or one with control characters or spaces around it");
    auto hash = PasswordHash::parse(line.substr(colon + 1));
    if (!hash) {
      return problem(number,
                     "has no hash that is known, or one that takes too long; use bcrypt up to cost 15 (htpasswd -B), "
                     "sha512crypt, scrypt, yescrypt, Argon2id ($argon2id$v=19$) or {SHA} (htpasswd -s)");
    }
    if (!out->by_name_.try_emplace(std::string(name), static_cast<uint32_t>(out->users_.size())).second) {
      return problem(number, "has a name that stands above, too; leave one of them");
    }
    const std::string user(name);
    out->users_.push_back(
        {user, *std::move(hash), filter::identityFields({.method = "basic", .subject = user, .consumer = user})});
  }
  return out;
}

const User* Users::find(std::string_view name) const {
  const auto found = by_name_.find(base::toAbsl(name));
  return found == by_name_.end() ? nullptr : &users_[found->second];
}

const User* Users::standIn(std::string_view name) const {
  if (users_.empty()) return nullptr;
  return &users_[filter::detail::DigestHash()(digestOf(name)) % users_.size()];
}

bool Users::isRemembered(const filter::Login& login, worker::WorkerServices& worker) const {
  const Remembered& remembered = remembered_.get(worker);
  const auto found = remembered.find(digestOf(login.text));
  return found != remembered.end() && worker.loop.now() < found->second;
}

void Users::remember(const filter::Login& login, worker::WorkerServices& worker) const {
  Remembered& remembered = remembered_.get(worker);
  if (remembered.size() >= kMaxRemembered) remembered.erase(remembered.begin());
  remembered[digestOf(login.text)] = worker.loop.now() + kRemembered;
}

filter::KeyDigest Users::digestOf(std::string_view text) const {
  filter::KeyDigest out;
  HMAC(EVP_sha256(), secret_.data(), secret_.size(), reinterpret_cast<const uint8_t*>(text.data()), text.size(),
       out.data(), nullptr);
  return out;
}

}  // namespace sluice::extensions::http_filters::basic_auth
