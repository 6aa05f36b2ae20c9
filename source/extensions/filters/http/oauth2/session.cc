#include "source/extensions/filters/http/oauth2/session.h"

#include "absl/strings/numbers.h"
#include "source/base/percent.h"
#include "source/base/secret.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

struct Part {
  CookieKind kind;
  Purpose purpose;
  std::string Session::*text;
};
constexpr Part kParts[] = {
    {CookieKind::kBearerToken, Purpose::kBearerToken, &Session::access_token},
    {CookieKind::kIdToken, Purpose::kIdToken, &Session::id_token},
    {CookieKind::kRefreshToken, Purpose::kRefreshToken, &Session::refresh_token},
};

std::string macOf(const Session& session, const SessionForm& form) {
  return form.sealer.mac(
      form.scope, {std::to_string(session.expires), session.access_token, session.id_token, session.refresh_token});
}

}  // namespace

std::optional<Session> readSession(const CookieJar& jar, const SessionForm& form) {
  const std::optional<std::string> expires = jar.value(CookieKind::kExpires), mac = jar.value(CookieKind::kHmac);
  Session out;
  if (!expires || !mac || !absl::SimpleAtoi(*expires, &out.expires)) return std::nullopt;
  for (const Part& part : kParts) {
    const std::optional<std::string> value = jar.value(part.kind);
    if (!value) continue;
    std::optional<std::string> text =
        form.encrypted ? form.sealer.open(part.purpose, form.scope, *value) : base::percentDecoded(*value);
    if (!text) return std::nullopt;
    out.*part.text = *std::move(text);
  }
  if (!base::sameSecret(*mac, macOf(out, form))) return std::nullopt;
  return out;
}

bool writeSession(const Session& session, std::chrono::seconds max_age, const SessionForm& form, CookieWriter& out) {
  for (const Part& part : kParts) {
    const std::string& text = session.*part.text;
    if (text.empty()) {
      out.clear(part.kind);
      continue;
    }
    const std::string value =
        form.encrypted ? form.sealer.seal(part.purpose, form.scope, text) : base::percentEncoded(text);
    if (!out.set(part.kind, value, max_age)) return false;
  }
  return out.set(CookieKind::kExpires, std::to_string(session.expires), max_age) &&
         out.set(CookieKind::kHmac, macOf(session, form), max_age) && out.bytes() <= kMaxSession;
}

}  // namespace sluice::extensions::http_filters::oauth2
