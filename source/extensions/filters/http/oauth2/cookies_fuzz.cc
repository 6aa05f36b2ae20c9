// Whatever a client sends as cookies and as state is no session, and nothing of it goes on.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "source/base/arena.h"
#include "source/extensions/filters/http/oauth2/login.h"
#include "source/extensions/filters/http/oauth2/session.h"
#include "source/extensions/filters/http/oauth2/urls.h"

namespace {

using namespace sluice;                                    // NOLINT
using namespace sluice::extensions::http_filters::oauth2;  // NOLINT

CookieRules rulesOf() {
  CookieRules out;
  const char* const names[] = {"B", "H", "E", "I", "R", "N", "V"};
  for (size_t i = 0; i < kCookieKinds; ++i) out.of[i].name = names[i];
  return out;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Sealer kSealer("a secret of this site", "client");
  static const CookieRules kRules = rulesOf();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  base::Arena arena;
  http::HeaderList headers(arena);
  headers.add(http::Name::kCookie, text);
  const CookieJar jar(kRules, headers);
  for (const bool encrypted : {true, false}) require(!readSession(jar, {kSealer, "a.example", encrypted}));
  Login login{.id = std::string(text.substr(0, 8)), .nonce = "n"};
  require(!readLogin(jar, {kSealer, "a.example", 0}, login));
  require(loginsInARow(jar, {kSealer, "a.example", 0}) == 0);
  require(!readState(text, kSealer));
  if (const auto host = hostOf(text)) require(!host->empty() && host->find_first_of("/@\\?# ") == std::string::npos);
  readCallback(text);
  CookieWriter writer(kRules, jar, true);
  writer.clearAll();
  for (const std::string& field : writer.take())
    require(field.find_first_of("\r\n") == std::string::npos || text.find_first_of("\r\n") != std::string_view::npos);
  removeCookies(kRules, headers);
  require(CookieJar(kRules, headers).empty());
  return 0;
}
