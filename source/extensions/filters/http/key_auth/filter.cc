#include "source/extensions/filters/http/key_auth/filter.h"

#include "source/filter/context.h"

namespace sluice::extensions::http_filters::key_auth {

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  filter::HookResult result = admit(headers, context);
  if (settings_.hide_credentials && result.kind() == filter::HookResult::Kind::kNext) {
    filter::hideKeys(settings_.key_sources, headers);
  }
  return result;
}

filter::HookResult Filter::admit(http::RequestHeaders& headers, filter::Context& context) const {
  const filter::ConsumerGate& gate = settings_.gate;
  const filter::ShownKey shown = filter::shownKey(settings_.key_sources, headers);
  if (shown.several) return gate.unauthorized("multiple_api_keys", context);
  if (shown.key.empty()) return gate.admitAnonymous("missing_api_key", headers, context);
  const auto* const known = gate.consumers(context)->find(filter::CredentialKind::kKey, shown.key);
  if (known == nullptr) return gate.unauthorized("unknown_api_key", context);
  return gate.admit(*known, headers, context);
}

}  // namespace sluice::extensions::http_filters::key_auth
