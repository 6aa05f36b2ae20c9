#include "source/filter/credentials/consumer_gate.h"

#include <chrono>

#include "source/filter/credentials/spoofed_names.h"

namespace sluice::filter {

HookResult ConsumerGate::admitAnonymous(std::string_view missing, http::RequestHeaders& headers,
                                        Context& context) const {
  const KnownConsumer* const known = consumers(context)->anonymous();
  if (known == nullptr) return unauthorized(missing, context);
  return admit(*known, known->identity(), settings_.anonymous, headers, context);
}

HookResult ConsumerGate::admit(const KnownConsumer& known, const IdentityPtr& identity, observability::Counter admitted,
                               http::RequestHeaders& headers, Context& context) const {
  if (known.isExpired(std::chrono::floor<std::chrono::seconds>(context.wallNow()))) {
    return unauthorized(settings_.expired_details, context);
  }
  if (!context.settingsOr(everybody_).admits(known.consumer().groups)) {
    context.count(settings_.forbidden);
    return Reply{403, "Consumer is forbidden.", "consumer_not_allowed"};
  }
  if (!settings_.forward_header.empty()) {
    removeAlike(headers, settings_.forward_header);
    headers.add(settings_.forward_header, known.consumer().name);
  }
  context.setIdentity(identity);
  context.count(admitted);
  return Next{};
}

Reply ConsumerGate::unauthorized(std::string_view details, Context& context) const {
  context.count(settings_.unauthorized);
  return {401, "Client authentication failed.", details};
}

}  // namespace sluice::filter
