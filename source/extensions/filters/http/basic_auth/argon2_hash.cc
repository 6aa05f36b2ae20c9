#include "source/extensions/filters/http/basic_auth/argon2_hash.h"

#include <argon2.h>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::basic_auth {
namespace {

constexpr uint32_t kMaxMemory = 256 * 1024;   // KiB
constexpr uint64_t kMaxFilled = 1024 * 1024;  // KiB, of all passes
constexpr uint32_t kMaxLanes = 16;
constexpr size_t kMinSalt = 8, kMaxSalt = 64;   // bytes
constexpr size_t kMinHash = 16, kMaxHash = 64;  // bytes

// Takes `prefix` and what follows it up to `end` (or all) off `text`; nullopt: it does not begin so, or does not end.
std::optional<std::string_view> take(std::string_view& text, std::string_view prefix, char end) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  const size_t size = text.find(end);
  if (size == std::string_view::npos) return std::nullopt;
  const std::string_view out = text.substr(0, size);
  text.remove_prefix(size + 1);
  return out;
}

// 1 or more, in the one way to write it.
std::optional<uint32_t> number(std::optional<std::string_view> text) {
  uint32_t out = 0;
  if (!text || !absl::SimpleAtoi(base::toAbsl(*text), &out) || out == 0 || std::to_string(out) != *text)
    return std::nullopt;
  return out;
}

// Base64 without padding, in the one form that its bytes have.
std::optional<std::string> bytes(std::string_view text, size_t least, size_t most) {
  std::string out;
  if (!absl::Base64Unescape(base::toAbsl(text), &out) || out.size() < least || out.size() > most) return std::nullopt;
  std::string again = absl::Base64Escape(out);
  again.erase(again.find_last_not_of('=') + 1);
  return again == text ? std::optional(std::move(out)) : std::nullopt;
}

uint8_t* input(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}

}  // namespace

std::optional<Argon2Hash> Argon2Hash::parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  if (take(text, "v=", '$') != "19") return std::nullopt;
  const auto memory = number(take(text, "m=", ','));
  const auto passes = number(take(text, "t=", ','));
  const auto lanes = number(take(text, "p=", '$'));
  const auto salt = take(text, "", '$');
  if (!memory || !passes || !lanes || !salt) return std::nullopt;
  if (*lanes > kMaxLanes || *memory > kMaxMemory || *memory < 8 * *lanes) return std::nullopt;
  if (uint64_t{*memory} * *passes > kMaxFilled) return std::nullopt;
  auto salt_bytes = bytes(*salt, kMinSalt, kMaxSalt);
  auto hash_bytes = bytes(text, kMinHash, kMaxHash);
  if (!salt_bytes || !hash_bytes) return std::nullopt;

  Argon2Hash out;
  out.memory_ = *memory;
  out.passes_ = *passes;
  out.lanes_ = *lanes;
  out.salt_ = *std::move(salt_bytes);
  out.hash_ = *std::move(hash_bytes);
  return out;
}

bool Argon2Hash::matches(std::string_view password) const {
  std::string tried(password), salt = salt_, hash(hash_.size(), '\0');
  argon2_context context{};
  context.out = input(hash);
  context.outlen = static_cast<uint32_t>(hash.size());
  context.pwd = input(tried);
  context.pwdlen = static_cast<uint32_t>(tried.size());
  context.salt = input(salt);
  context.saltlen = static_cast<uint32_t>(salt.size());
  context.t_cost = passes_;
  context.m_cost = memory_;
  context.lanes = lanes_;
  context.threads = 1;
  context.version = ARGON2_VERSION_13;
  context.flags = ARGON2_DEFAULT_FLAGS;
  return argon2id_verify_ctx(&context, hash_.data()) == ARGON2_OK;
}

}  // namespace sluice::extensions::http_filters::basic_auth
