#include "source/extensions/filters/http/ldap_auth/filter.h"

#include <optional>
#include <utility>

#include "source/filter/context.h"
#include "source/filter/credentials/client_hash.h"
#include "source/filter/credentials/spoofed_names.h"

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

constexpr size_t kMaxUser = 256;
constexpr size_t kMaxPassword = 4096;

// A directory lets in whoever brings no password. (RFC 4513 section 5.1.2)
bool mayBeRight(const filter::Login& login) {
  return login.user().size() <= kMaxUser && filter::isUserName(login.user()) && !login.password().empty() &&
         login.password().size() <= kMaxPassword;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  std::optional<std::string_view> value;
  bool several = false;
  for (const http::Field& field : headers) {
    if (field.name != settings_.header) continue;
    several = several || value.has_value();
    value = field.value;
  }
  // Nobody but this filter says who it is, also where nobody is let in as nobody.
  if (!settings_.forward_header.empty()) filter::removeAlike(headers, settings_.forward_header);

  if (several) return unauthorized("multiple_credentials_for_ldap_auth", context);
  const auto credentials = value ? filter::credentialsOf(*value, settings_.scheme) : std::nullopt;
  if (!credentials) {
    // Nobody is in no group.
    if (settings_.allow_missing && context.settingsOr(settings_.everybody).admits({})) return filter::Next{};
    return unauthorized(value ? "invalid_scheme_for_ldap_auth" : "no_credential_for_ldap_auth", context);
  }
  const auto login = filter::decodeLogin(*credentials);
  if (!login) return unauthorized("invalid_format_for_ldap_auth", context);
  if (!mayBeRight(*login)) return admit(nullptr, context);
  return judge(*login, context);
}

filter::HookResult Filter::judge(const filter::Login& login, filter::Context& context) {
  if (const auto* known = settings_.logins->memory().find(login, context.worker())) {
    const std::shared_ptr<const Account> account = known->account;
    return admit(account.get(), context);
  }
  std::shared_ptr<const std::string> secret =
      settings_.secret == nullptr ? std::make_shared<std::string>() : settings_.secret->get(context.worker());
  if (secret == nullptr) return unavailable(settings_.unavailable, "ldap_auth_no_secret", context);

  wait_ =
      settings_.logins->ask(login, std::move(secret), filter::clientHash(context.info().downstream_remote_address),
                            context.worker(), [this, &context](const Verdict& verdict) { judged(verdict, context); });
  if (wait_ == nullptr) return unavailable(settings_.overflow, "ldap_auth_overflow", context);
  token_ = context.resumeToken();
  return filter::Pause{};
}

void Filter::judged(const Verdict& verdict, filter::Context& context) {
  if (!token_) return;
  switch (verdict.kind) {
    case Answer::Kind::kError:
      return token_.reply(unavailable(settings_.error, "ldap_auth_error", context));
    case Answer::Kind::kUnavailable:
      return token_.reply(unavailable(settings_.unavailable, "ldap_auth_unavailable", context));
    case Answer::Kind::kRight:
    case Answer::Kind::kWrong:
      break;
  }
  filter::HookResult result = admit(verdict.account.get(), context);
  if (result.kind() == filter::HookResult::Kind::kNext) return token_.resume();
  token_.reply(std::move(result.reply()));
}

filter::HookResult Filter::admit(const Account* account, filter::Context& context) const {
  if (account == nullptr) return unauthorized("invalid_credential_for_ldap_auth", context);
  if (!context.settingsOr(settings_.everybody).admits(account->groups)) {
    context.count(settings_.forbidden);
    return filter::Reply{403, "User is forbidden.", "user_not_allowed"};
  }
  http::RequestHeaders& headers = context.request();
  if (settings_.hide_credentials) headers.remove(settings_.header);
  if (!settings_.forward_header.empty()) headers.set(settings_.forward_header, account->name);
  context.setIdentity(account->identity);
  context.count(settings_.allowed);
  return filter::Next{};
}

filter::Reply Filter::unauthorized(std::string_view details, filter::Context& context) const {
  context.count(settings_.unauthorized);
  return {401, "User authentication failed.", details, {{"www-authenticate", settings_.challenge}}};
}

filter::Reply Filter::unavailable(observability::Counter counter, std::string_view details,
                                  filter::Context& context) const {
  context.count(counter);
  return {503, "User authentication is not available.", details};
}

}  // namespace sluice::extensions::http_filters::ldap_auth
