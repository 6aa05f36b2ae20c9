#include "source/config/sticky_split.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/config/cookies.h"
#include "source/config/route_texts.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

namespace v1 = route::v1;
using Key = route::StickySplit::Key;

constexpr size_t kLeastSecret = 16;  // bytes

std::vector<Key> compileKeys(const v1::StickySplit& config, const Context& context) {
  std::vector<Key> out;
  for (int i = 0; i < config.keys_size(); ++i) {
    const v1::StickySplit::UserKey& key = config.keys(i);
    const Context at = context.child("keys", static_cast<size_t>(i));
    switch (key.source_case()) {
      case v1::StickySplit::UserKey::kHeader:
        if (!isToken(key.header())) {
          at.child("header").error("is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
        }
        out.push_back({Key::Source::kHeader, absl::AsciiStrToLower(key.header())});
        break;
      case v1::StickySplit::UserKey::kCookie:
        checkCookieName(key.cookie(), at.child("cookie"));
        out.push_back({Key::Source::kCookie, key.cookie()});
        break;
      case v1::StickySplit::UserKey::kSourceAddress:
        out.push_back({Key::Source::kAddress, ""});
        break;
      case v1::StickySplit::UserKey::kMetadata:
        out.push_back({Key::Source::kMetadata,
                       key.metadata().filter(),
                       {key.metadata().path().begin(), key.metadata().path().end()}});
        break;
      case v1::StickySplit::UserKey::SOURCE_NOT_SET:
        break;  // a rule of validate()
    }
  }
  return out;
}

route::StickySplit::Anonymous compileAnonymous(const v1::StickySplit::AnonymousUsers& config, const Context& context) {
  route::StickySplit::Anonymous out;
  out.cookie.name = config.cookie_name();
  checkCookieName(config.cookie_name(), context.child("cookie_name"));
  out.cookie.path = config.path().empty() ? "/" : config.path();
  if (out.cookie.path[0] != '/') context.child("path").error("has to begin with '/'");
  checkCookieText(config.path(), context.child("path"));
  if (config.has_ttl()) {
    out.cookie.max_age = std::chrono::duration_cast<std::chrono::seconds>(compileDuration(config.ttl()));
  }
  out.cookie.attributes = {{"SameSite", "Lax"}};
  for (int i = 0; i < config.secrets_size(); ++i) {
    const Context at = context.child("secrets", static_cast<size_t>(i));
    std::optional<std::string> secret = compileDataSource(config.secrets(i), at);
    if (!secret) continue;
    if (secret->size() < kLeastSecret) {
      at.error(absl::StrCat("has ", secret->size(), " bytes, which can be guessed; give it at least ", kLeastSecret,
                            ", as of `openssl rand -hex 32`"));
    }
    out.secrets.push_back(*std::move(secret));
  }
  return out;
}

}  // namespace

std::shared_ptr<const route::StickySplit> compileStickySplit(const v1::StickySplit& config, const Context& context) {
  const ErrorMark mark(context);
  if (config.keys().empty() && !config.has_anonymous_users()) {
    context.error("tells no user from another; give it keys, or anonymous_users");
  }
  std::optional<route::StickySplit::Anonymous> anonymous;
  if (config.has_anonymous_users()) {
    anonymous = compileAnonymous(config.anonymous_users(), context.child("anonymous_users"));
  }
  std::vector<Key> keys = compileKeys(config, context);
  if (mark.hit()) return nullptr;
  return std::make_shared<const route::StickySplit>(config.rollout(), std::move(keys), std::move(anonymous));
}

}  // namespace sluice::config
