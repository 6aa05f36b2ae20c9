#include "source/extensions/filters/http/key_auth/filter.h"

#include <algorithm>
#include <chrono>

#include "source/filter/context.h"
#include "source/filter/credentials/spoofed_names.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::key_auth {

bool Access::admits(const Consumer& consumer) const {
  const auto isInOne = [&consumer](const absl::flat_hash_set<std::string>& groups) {
    return std::any_of(consumer.groups.begin(), consumer.groups.end(),
                       [&groups](const std::string& group) { return groups.contains(group); });
  };
  return (allowed_groups.empty() || isInOne(allowed_groups)) && !isInOne(denied_groups);
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const std::shared_ptr<const Consumers>& consumers = settings_.file->consumers.get(context.worker());
  const filter::ShownKey shown = filter::shownKey(settings_.key_sources, headers);
  if (shown.several) return unauthorized(context, "multiple_api_keys");
  const bool is_anonymous = shown.key.empty();
  const Known* const known = is_anonymous ? consumers->anonymous() : consumers->find(shown.key);
  if (known == nullptr) return unauthorized(context, is_anonymous ? "missing_api_key" : "unknown_api_key");
  if (known->isExpired(std::chrono::floor<std::chrono::seconds>(context.wallNow())))
    return unauthorized(context, "expired_api_key");
  if (!context.settingsOr(settings_.everybody).admits(known->consumer())) {
    context.count(settings_.forbidden);
    return filter::Reply{403, "Consumer is forbidden.", "consumer_not_allowed"};
  }

  if (settings_.hide_credentials) filter::hideKeys(settings_.key_sources, headers);
  if (!settings_.forward_header.empty()) {
    filter::removeAlike(headers, settings_.forward_header);
    headers.add(settings_.forward_header, known->consumer().name);
  }
  context.setIdentity(known->identity());
  context.count(is_anonymous ? settings_.anonymous : settings_.allowed);
  return filter::Next{};
}

filter::Reply Filter::unauthorized(filter::Context& context, std::string_view details) const {
  context.count(settings_.unauthorized);
  return {401, "Client authentication failed.", details};
}

}  // namespace sluice::extensions::http_filters::key_auth
