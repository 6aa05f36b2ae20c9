// What filters that know consumers do once they have found the credential of a request.
//
//   const auto& consumers = settings_.gate.consumers(context);
//   const KnownConsumer* const known = consumers.find(CredentialKind::kKey, key);
//   if (known == nullptr) return settings_.gate.unauthorized("unknown_api_key", context);
//   return settings_.gate.admit(*known, headers, context);
//
// Per-route settings of the filter are route::RouteSettings<GroupAccess>. Immutable, shared by all streams and workers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "source/filter/context.h"
#include "source/filter/credentials/consumers.h"
#include "source/filter/credentials/group_access.h"
#include "source/filter/result.h"
#include "source/http/headers.h"
#include "source/observability/stats.h"
#include "source/worker/exchanged.h"
#include "source/worker/services.h"

namespace sluice::filter {

class ConsumerGate {
 public:
  struct Settings {
    std::shared_ptr<const worker::Exchanged<Consumers>> consumers;
    std::string forward_header;  // lower case; empty: the consumer is not told
    observability::Counter allowed, anonymous, unauthorized, forbidden;
    // The detail of the answer to a credential that is out of date. Static storage.
    std::string_view expired_details = "expired_credential";
  };

  ConsumerGate() = default;
  explicit ConsumerGate(Settings settings) : settings_(std::move(settings)) {}

  // As they stand now, until this worker asks again: who waits, or keeps one of them, copies the pointer.
  const std::shared_ptr<const Consumers>& consumers(Context& context) const {
    return settings_.consumers->get(context.worker());
  }

  // Next, with the identity set and the header filled, or the answer: out of date, or of no group of the route.
  HookResult admit(const KnownConsumer& known, http::RequestHeaders& headers, Context& context) const {
    return admit(known, known.identity(), settings_.allowed, headers, context);
  }
  // The same for an identity of KnownConsumer::identityOf().
  HookResult admit(const KnownConsumer& known, const IdentityPtr& identity, http::RequestHeaders& headers,
                   Context& context) const {
    return admit(known, identity, settings_.allowed, headers, context);
  }
  // A request without a credential; `missing`: the detail of the answer where nobody is anonymous.
  HookResult admitAnonymous(std::string_view missing, http::RequestHeaders& headers, Context& context) const;
  // 401, counted. `details`: static storage.
  Reply unauthorized(std::string_view details, Context& context) const;

 private:
  HookResult admit(const KnownConsumer& known, const IdentityPtr& identity, observability::Counter admitted,
                   http::RequestHeaders& headers, Context& context) const;

  Settings settings_;
  GroupAccess everybody_;
};

}  // namespace sluice::filter
