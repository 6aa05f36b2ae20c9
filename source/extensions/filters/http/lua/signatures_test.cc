#include <catch2/catch.hpp>

#include "source/extensions/filters/http/lua/filter.h"
#include "test/support/filter/harness.h"

namespace sluice::extensions::http_filters::lua {
namespace {

using filter::testing::Harness;

// Keys that openssl made, and what it signed "hello" with by them.
constexpr const char* kRsaKey =
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100a075e004bda3434510b3cd03555b409a54"
    "c0ab0e0aa96b9d564d8fa24d7724b62aa8aea1d9229948f8fd10cf63d4959c57a180cfebb8847271017758ecfb255c2149e3"
    "d9e8cf562b8d5c679f3663d4d7c81e69edd9aa2c92dce38472c5a42ae2965fa2c0e418d0f94f3739ee052e85cb5742e94995"
    "99e863bf4b893604093a9c1dbe4d42f99f92b137aa0a97dc4c2856f5cf67852fb09fade1ff300ce060a96e11b50e38d77db4"
    "a7ef9a87a3b09fbcc17eec70294056ddda68459e96295d38ed7eb4c62a65f7192d991a132a703578a352a49f540633c366f3"
    "4bdb3071a40c631d9a89bb11d4d887675b3a7f2430f33c099d559f79df62cd30c549662bd24d2f0203010001";
constexpr const char* kRsaSha256 =
    "365c1b92699472dda2f549efb7f885c9dd0464c4d97ae48a68cb041340a6cb00d9f82f8ee799a401814cdad5dd09fa6b32bd"
    "49f6c6ef98707c980dfd2fe88856326b7669f99535b84d52348d77439bf2d68deba535257a3db890c33a7da2761f0dbe8d5b"
    "3e177f7f952bc2014e5dc63aefa28f1176cf68b02bbeb4ea3a28fdc07905b73db1fb65faa56699d8ad9eb8217b549a434a68"
    "c1317e827197e0cdb033cffdf9c47c0e9a876fd955a827c853d42caf565bfca157019eb0a67c277408ac7292523e8b344303"
    "42b277180c82de235e5471eeae846ffe3abce291128698214b0c8aa7f302d39a490b314afaeea69851338b6452dc7c2913c0"
    "97f4b4e248d3";
constexpr const char* kRsaSha512 =
    "8ead9d9fd44a324e772039862195531fb52e23270f0609569c024d40dceec7de6664a0b24407808f6f3cc7a5e63d50bd76b2"
    "6334f1eb37cf56df1db6351538f61ae47075ffef7d89da3719c3990c343dfa154215b0cce7e7716331e6aba83a6c45f31b0a"
    "aa9c61260a3a0fab15f8ac50831a8d2f1d13e4167181c571c8d3fc1e2bfef60a11f239c98c0c3d55aa21f0b3b25417092c00"
    "3ffc017f1e1cfcee92733b3b8cc7d018701d0ab7cc82d7dae98b9ecfc4894acd593045b2275884b0df7ce19308a8b19fd1d2"
    "ce8debb64d82818f156b10b194a8045c38607742b875a2bf2d9df5870357516d9539fdd7951a8f0f0f8f4c52c0ac9efd7b56"
    "22808148043a";
constexpr const char* kEcKey =
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004e7a9f85cc391a6a3d6fe5409cc9d74e900b0f2c6959a4f"
    "f736edda3873e7af4af06c28566e22e21c211fa9d9c7e7da36026479b08b0c9a14e93c3d9dc1ebe779";
constexpr const char* kEcSha384 =
    "3045022100caede1534481153dde782c97347ecc05209a527aef552899c95e1ad88f91082d0220578916a27ce1aa0a58c23f"
    "0157b71e0008ccde22ffbc6624155091b1fca0dbd2";
constexpr const char* kEdKey =
    "302a300506032b657003210075ae9227439ea8b1f0086fde466b53ef78dae8d92b51b9498362a5fe300d5c1d";

// What the last of `code` returns, as text; a failed one has "failed".
std::string out(const std::string& code) {
  Settings settings;
  settings.script = std::make_shared<Script>(R"(
function bytes(hex) return (hex:gsub('%x%x', function(byte) return string.char(tonumber(byte, 16)) end)) end
function verify(handle, hash, key, signature, data)
  local der, signed = bytes(key), bytes(signature)
  local imported = handle:importPublicKey(der, #der):get()
  return handle:verifySignature(hash, imported, signed, #signed, data, #data)
end
function envoy_on_request(handle)
  local results = {(function() )" + code + R"( end)()}
  handle:headers():add('x-out', tostring(results[1]) .. ' ' .. tostring(results[2]))
end)",
                                             "test", Limits{}, nullptr, worker::LocalSlots());
  Harness h({std::make_shared<FilterFactory>(std::move(settings))}, {nullptr});
  h.request("GET", {}, true);
  if (h.client.status == 500) return "failed";
  REQUIRE(h.terminal.headers.size() == 1);
  return h.terminal.headers[0].second;
}

std::string verified(const std::string& hash, const std::string& key, const std::string& signature,
                     const std::string& data) {
  return out("return verify(handle, '" + hash + "', '" + key + "', '" + signature + "', '" + data + "')");
}

TEST_CASE("signatures of RSA and EC keys are verified") {
  CHECK(verified("sha256", kRsaKey, kRsaSha256, "hello") == "true nil");
  CHECK(verified("SHA512", kRsaKey, kRsaSha512, "hello") == "true nil");
  CHECK(verified("sha384", kEcKey, kEcSha384, "hello") == "true nil");

  const std::string bad = "false Failed to verify digest. Error code: 0";
  CHECK(verified("sha256", kRsaKey, kRsaSha256, "hellO") == bad);
  CHECK(verified("sha1", kRsaKey, kRsaSha256, "hello") == bad);
  CHECK(verified("sha384", kEcKey, kRsaSha256, "hello") == bad);
  CHECK(verified("sha224", kRsaKey, "", "hello") == bad);
  CHECK(verified("md5", kRsaKey, kRsaSha256, "hello") == "false md5 is not supported.");
  CHECK(verified("sha256", kEdKey, kRsaSha256, "hello") == "false Failed to initialize digest verify.");
}

TEST_CASE("only so many bytes are looked at as the lengths say") {
  const std::string key = std::string("local key, sig = bytes('") + kRsaKey + "'), bytes('" + kRsaSha256 + "') ";
  CHECK(out(key + "return handle:verifySignature('sha256', key, sig .. 'x', #sig, 'hello you', 5)") == "true nil");
  CHECK(out(key + "return handle:importPublicKey(key .. 'x', #key):get() == key") == "true nil");
  CHECK(out(key + "return handle:importPublicKey(key, #key - 1):get()") == "nil nil");
  for (const char* call : {"verifySignature('sha256', key, sig, #sig + 1, 'hello', 5)",
                           "verifySignature('sha256', key, sig, #sig, 'hello', 6)",
                           "verifySignature('sha256', key, sig, #sig, 'hello', -1)",
                           "verifySignature('sha256', key, ('x'):rep(5000), 5000, 'hello', 5)",
                           "verifySignature('sha256', key, sig, #sig, ('x'):rep(2e7), 2e7)",
                           "importPublicKey(key, #key + 1)", "importPublicKey(('x'):rep(5000), 5000)"}) {
    INFO(call);
    CHECK(out(key + "return handle:" + call) == "failed");
  }
}

TEST_CASE("a key that is none is nil, and no signature can be verified by it") {
  CHECK(out("return handle:importPublicKey('no key', 6):get()") == "nil nil");
  CHECK(out("return handle:importPublicKey('', 0):get()") == "nil nil");
  CHECK(out("return handle:verifySignature('sha256', nil, 'x', 1, 'y', 1)") == "failed");
  CHECK(out("return handle:verifySignature('sha256', 'no key', 'x', 1, 'y', 1)") == "failed");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::lua
