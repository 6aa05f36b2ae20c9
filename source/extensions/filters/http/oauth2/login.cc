#include "source/extensions/filters/http/oauth2/login.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "source/base/secret.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

constexpr std::string_view kRowSuffix = "row";

// Whether a time that was written down has come.
bool isOver(const std::string& end, int64_t now) {
  int64_t seconds = 0;
  return !absl::SimpleAtoi(end, &seconds) || seconds <= now;
}

std::string endOf(std::chrono::seconds lifetime, int64_t now) {
  return std::to_string(now + lifetime.count());
}

// Those of a login: its cookies have the same suffix.
template <size_t N>
std::optional<std::array<std::string, N>> opened(const CookieJar& jar, const LoginPlace& place, CookieKind kind,
                                                 Purpose purpose, std::string_view suffix) {
  const std::optional<std::string_view> value = jar.value(kind, suffix);
  if (!value) return std::nullopt;
  const std::optional<std::string> text = place.sealer.open(purpose, place.scope, *value);
  auto parts = text ? parted<N>(*text) : std::nullopt;
  return parts && !isOver(parts->back(), place.now) ? std::move(parts) : std::nullopt;
}

}  // namespace

Login Login::begin(std::string redirect_uri, std::string return_url) {
  return {.id = randomText(6),
          .nonce = randomText(16),
          .verifier = randomText(32),
          .redirect_uri = std::move(redirect_uri),
          .return_url = std::move(return_url)};
}

std::string stateOf(const Login& login, const Sealer& sealer) {
  return sealer.seal(Purpose::kState, "", joined({login.id, login.nonce, login.return_url}));
}

std::optional<Login> readState(std::string_view state, const Sealer& sealer) {
  const std::optional<std::string> text = sealer.open(Purpose::kState, "", state);
  auto parts = text ? parted<3>(*text) : std::nullopt;
  if (!parts) return std::nullopt;
  auto& [id, nonce, return_url] = *parts;
  return Login{.id = std::move(id), .nonce = std::move(nonce), .return_url = std::move(return_url)};
}

void writeLogin(const Login& login, const LoginTimes& times, const LoginPlace& place, const CookieJar& jar,
                CookieWriter& out) {
  for (const CookieKind kind : {CookieKind::kNonce, CookieKind::kVerifier}) {
    std::vector<std::string_view> known = jar.suffixes(kind);
    std::erase(known, kRowSuffix);
    for (size_t i = 0; i + kMaxLogins <= known.size(); ++i) out.clear(kind, known[i]);
  }
  const auto sealed = [&](Purpose purpose, std::initializer_list<std::string_view> parts) {
    return place.sealer.seal(purpose, place.scope, joined(parts));
  };
  out.set(CookieKind::kNonce, login.id, sealed(Purpose::kNonce, {login.id, login.nonce, endOf(times.nonce, place.now)}),
          times.nonce);
  out.set(CookieKind::kVerifier, login.id,
          sealed(Purpose::kVerifier, {login.id, login.verifier, login.redirect_uri, endOf(times.verifier, place.now)}),
          times.verifier);
}

bool readLogin(const CookieJar& jar, const LoginPlace& place, Login& login) {
  const auto nonce = opened<3>(jar, place, CookieKind::kNonce, Purpose::kNonce, login.id);
  auto verifier = opened<4>(jar, place, CookieKind::kVerifier, Purpose::kVerifier, login.id);
  if (!nonce || !verifier || (*nonce)[0] != login.id || (*verifier)[0] != login.id) return false;
  if (!base::sameSecret((*nonce)[1], login.nonce)) return false;
  login.verifier = std::move((*verifier)[1]);
  login.redirect_uri = std::move((*verifier)[2]);
  return true;
}

void endLogin(std::string_view id, CookieWriter& out) {
  out.clear(CookieKind::kNonce, id);
  out.clear(CookieKind::kVerifier, id);
}

int loginsInARow(const CookieJar& jar, const LoginPlace& place) {
  const auto parts = opened<2>(jar, place, CookieKind::kNonce, Purpose::kLogins, kRowSuffix);
  int count = 0;
  return parts && absl::SimpleAtoi((*parts)[0], &count) ? count : 0;
}

void countLogin(int in_a_row, const LoginPlace& place, CookieWriter& out) {
  out.set(CookieKind::kNonce, kRowSuffix,
          place.sealer.seal(Purpose::kLogins, place.scope, joined({std::to_string(in_a_row), endOf(kRow, place.now)})),
          kRow);
}

void forgetLogins(const CookieJar& jar, CookieWriter& out) {
  if (jar.value(CookieKind::kNonce, kRowSuffix)) out.clear(CookieKind::kNonce, kRowSuffix);
}

}  // namespace sluice::extensions::http_filters::oauth2
