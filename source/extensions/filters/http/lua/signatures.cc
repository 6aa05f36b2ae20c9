#include "source/extensions/filters/http/lua/signatures.h"

#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <luajit-2.1/lua.hpp>

#include "source/base/ascii.h"
#include "source/extensions/filters/http/lua/bindings.h"
#include "source/extensions/filters/http/lua/machine.h"

namespace sluice::extensions::http_filters::lua {
namespace {

// What is longer is checked for too long, with one look at the time behind it.
constexpr size_t kMostKey = 4 * 1024;
constexpr size_t kMostSignature = 2 * 1024;
constexpr size_t kMostData = 16 * 1024 * 1024;
constexpr uint64_t kSteps = 20'000;  // of one key, about

// The first bytes of argument `index`, as many as the argument behind it says.
std::string_view bytesAt(lua_State* state, int index, size_t most) {
  const std::string_view text = textAt(state, index);
  const lua_Integer length = luaL_checkinteger(state, index + 1);
  luaL_argcheck(state, length >= 0 && static_cast<size_t>(length) <= text.size(), index + 1,
                "the length must be 0 to that of the bytes");
  luaL_argcheck(state, static_cast<size_t>(length) <= most, index + 1, "the bytes are too many");
  return text.substr(0, static_cast<size_t>(length));
}

const uint8_t* dataOf(std::string_view bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

bssl::UniquePtr<EVP_PKEY> parse(std::string_view der) {
  if (der.size() > kMostKey) return nullptr;
  CBS bytes;
  CBS_init(&bytes, dataOf(der), der.size());
  bssl::UniquePtr<EVP_PKEY> key(EVP_parse_public_key(&bytes));
  ERR_clear_error();
  return key;
}

const EVP_MD* hashOf(std::string_view name) {
  if (base::equalsIgnoringCase(name, "sha1")) return EVP_sha1();
  if (base::equalsIgnoringCase(name, "sha224")) return EVP_sha224();
  if (base::equalsIgnoringCase(name, "sha256")) return EVP_sha256();
  if (base::equalsIgnoringCase(name, "sha384")) return EVP_sha384();
  if (base::equalsIgnoringCase(name, "sha512")) return EVP_sha512();
  return nullptr;
}

enum class Verdict : uint8_t { kGood, kBad, kNoKey, kNotForHash };

// Raises no error of Lua: what it holds would be left behind.
Verdict verify(const EVP_MD* hash, std::string_view der, std::string_view signature, std::string_view data) {
  const bssl::UniquePtr<EVP_PKEY> key = parse(der);
  if (key == nullptr) return Verdict::kNoKey;
  bssl::ScopedEVP_MD_CTX context;
  const bool ready = EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key.get()) == 1;
  const bool good =
      ready && EVP_DigestVerify(context.get(), dataOf(signature), signature.size(), dataOf(data), data.size()) == 1;
  ERR_clear_error();
  if (good) return Verdict::kGood;
  return ready ? Verdict::kBad : Verdict::kNotForHash;
}

int fail(lua_State* state) {
  lua_pushboolean(state, 0);
  lua_insert(state, -2);
  return 2;
}

}  // namespace

int publicKey(lua_State* state) {
  runOf(state, Kind::kHandle);
  const std::string_view der = bytesAt(state, 2, kMostKey);
  machineOf(state).spend(state, kSteps);
  const bool good = parse(der) != nullptr;
  good ? pushText(state, der) : lua_pushnil(state);
  return 1;
}

int verifySignature(lua_State* state) {
  runOf(state, Kind::kHandle);
  const std::string_view name = textAt(state, 2), der = textAt(state, 3);
  const std::string_view signature = bytesAt(state, 4, kMostSignature), data = bytesAt(state, 6, kMostData);
  machineOf(state).spend(state, kSteps + data.size());
  const EVP_MD* const hash = hashOf(name);
  if (hash == nullptr) {
    lua_pushfstring(state, "%s is not supported.", name.data());
    return fail(state);
  }
  switch (verify(hash, der, signature, data)) {
    case Verdict::kGood:
      lua_pushboolean(state, 1);
      return 1;
    case Verdict::kBad:
      lua_pushliteral(state, "Failed to verify digest. Error code: 0");
      return fail(state);
    case Verdict::kNotForHash:
      lua_pushliteral(state, "Failed to initialize digest verify.");
      return fail(state);
    case Verdict::kNoKey:
      break;
  }
  return luaL_error(state, "invalid public key");
}

}  // namespace sluice::extensions::http_filters::lua
