#include "source/extensions/filters/http/api_key_auth/filter.h"

#include "source/filter/context.h"
#include "source/filter/credentials/spoofed_names.h"
#include "source/filter/identity.h"

namespace sluice::extensions::http_filters::api_key_auth {

const std::shared_ptr<const stream::MetadataFields>& Client::identity() const {
  std::call_once(made_, [this] {
    identity_ = filter::identityFields({.method = "api_key", .subject = name_, .consumer = name_});
  });
  return identity_;
}

bool Credentials::add(std::string_view key, std::string client) {
  if (!by_key_.try_emplace(filter::digestOf(key), static_cast<uint32_t>(clients_.size())).second) return false;
  clients_.emplace_back(std::move(client));
  return true;
}

const Client* Credentials::find(std::string_view key) const {
  const auto found = by_key_.find(filter::digestOf(key));
  return found == by_key_.end() ? nullptr : &clients_[found->second];
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const Policy& own = settings_.policy;
  const Policy& route = context.settingsOr(own);
  const Credentials& credentials = route.credentials.empty() ? own.credentials : route.credentials;
  const auto& key_sources = route.key_sources.empty() ? own.key_sources : route.key_sources;
  const auto& forwarding = route.forwarding ? route.forwarding : own.forwarding;

  if (key_sources.empty()) return unauthorized(context, "missing_key_sources");
  if (credentials.empty()) return unauthorized(context, "missing_credentials");
  const filter::ShownKey shown = filter::shownKey(key_sources, headers);
  if (shown.key.empty()) return unauthorized(context, "missing_api_key");
  if (shown.several) return unauthorized(context, "multiple_api_keys");
  const Client* const client = credentials.find(shown.key);
  if (client == nullptr) return unauthorized(context, "unkonwn_api_key");  // Envoy spells it so
  if (!route.allowed_clients.empty() && !route.allowed_clients.contains(client->name())) {
    context.count(settings_.forbidden);
    return filter::Reply{403, "Client is forbidden.", "client_not_allowed"};
  }

  if (forwarding && forwarding->hide_credentials) filter::hideKeys(key_sources, headers);
  // Also where the route says nothing of it: hosts may believe in the header.
  if (own.forwarding) filter::removeAlike(headers, own.forwarding->header);
  if (forwarding && !forwarding->header.empty()) {
    filter::removeAlike(headers, forwarding->header);
    headers.add(forwarding->header, client->name());
  }
  context.setIdentity(client->identity());
  context.count(settings_.allowed);
  return filter::Next{};
}

filter::Reply Filter::unauthorized(filter::Context& context, std::string_view details) const {
  context.count(settings_.unauthorized);
  return {401, "Client authentication failed.", details};
}

}  // namespace sluice::extensions::http_filters::api_key_auth
