#include "source/extensions/filters/http/basic_auth/filter.h"

#include <optional>
#include <utility>

#include "source/filter/context.h"
#include "source/filter/credentials/client_hash.h"
#include "source/filter/credentials/spoofed_names.h"

namespace sluice::extensions::http_filters::basic_auth {
namespace {

constexpr std::string_view kMetadata = "envoy.filters.http.basic_auth";
constexpr size_t kMaxRealmPath = 256;

// The URL of the request, as the text of a quoted string.
std::string realmOf(const http::RequestHeaders& headers) {
  std::string out(headers.get(http::Name::kXForwardedProto).value_or(headers.scheme));
  out += "://";
  const std::string_view path = headers.get(http::Name::kXEnvoyOriginalPath).value_or(headers.path);
  for (const std::string_view part : {headers.authority, path.substr(0, kMaxRealmPath)}) {
    for (const char c : part) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace

// What a thread of the pool works with.
struct Filter::Check {
  std::shared_ptr<const Users> users;
  const User* user;   // null: there is none of that name
  const User* tried;  // whose hash it is
  filter::Login login;
  bool matches = false;
};

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  std::optional<std::string_view> value;
  bool several = false;
  for (const http::Field& field : headers) {
    if (field.name != settings_.header) continue;
    several = value.has_value();
    value = field.value;
    if (several) break;
  }
  // Nobody but this filter says who it is, also where nobody is let in as nobody.
  if (!settings_.forward_header.empty()) filter::removeAlike(headers, settings_.forward_header);

  if (several) return deny("Several credentials.", "multiple_credentials_for_basic_auth", context);
  const auto token = value ? filter::credentialsOf(*value) : std::nullopt;
  if (!token) {
    if (settings_.allow_missing) return filter::Next{};
    return value ? deny("Expected 'Basic' authentication scheme.", "invalid_scheme_for_basic_auth", context)
                 : deny("Missing username and password.", "no_credential_for_basic_auth", context);
  }
  auto login = filter::decodeLogin(*token);
  if (!login) return deny("Invalid basic credential format.", "invalid_format_for_basic_auth", context);
  return check(*std::move(login), context);
}

filter::HookResult Filter::check(filter::Login login, filter::Context& context) {
  const std::shared_ptr<const Users> users = context.settingsOr(settings_.users)->get(context.worker());
  const User* const user = users->find(login.user());
  const User* const tried = user == nullptr ? users->standIn(login.user()) : user;
  if (tried == nullptr) return denyLogin(context);
  if (!tried->hash.isSlow()) {
    if (!tried->hash.matches(login.password()) || user == nullptr) return denyLogin(context);
    admit(*user, context);
    return filter::Next{};
  }
  if (user != nullptr && users->isRemembered(login, context.worker())) {
    admit(*user, context);
    return filter::Next{};
  }

  const auto check = std::make_shared<Check>(Check{users, user, tried, std::move(login)});
  task_ = settings_.pool->run(
      context.worker().loop, filter::clientHash(context.info().downstream_remote_address),
      [check] { check->matches = check->tried->hash.matches(check->login.password()); },
      [this, check, &context] { checked(*check, context); });
  if (task_ == nullptr) {
    context.count(settings_.overflow);
    return filter::Reply{503, "Too many logins wait.", "basic_auth_overflow"};
  }
  token_ = context.resumeToken();
  return filter::Pause{};
}

void Filter::checked(const Check& check, filter::Context& context) {
  if (!token_) return;
  if (!check.matches || check.user == nullptr) return token_.reply(denyLogin(context));
  check.users->remember(check.login, context.worker());
  admit(*check.user, context);
  token_.resume();
}

void Filter::admit(const User& user, filter::Context& context) const {
  if (!settings_.forward_header.empty()) context.request().set(settings_.forward_header, user.name);
  if (settings_.emit_metadata) context.setMetadataText(kMetadata, "username", user.name);
  context.setIdentity(user.identity);
  context.count(settings_.allowed);
}

filter::Reply Filter::deny(std::string_view body, std::string_view details, filter::Context& context) const {
  context.count(settings_.denied);
  return {401,
          "User authentication failed. " + std::string(body),
          details,
          {{"www-authenticate", "Basic realm=\"" + realmOf(context.request()) + "\""}}};
}

filter::Reply Filter::denyLogin(filter::Context& context) const {
  return deny("Invalid username/password combination.", "invalid_credential_for_basic_auth", context);
}

}  // namespace sluice::extensions::http_filters::basic_auth
