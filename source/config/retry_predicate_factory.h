// The kinds of extensions that say where a retry goes: which hosts it passes over, and which priorities.
#pragma once

#include <memory>
#include <string_view>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/route/retry_policy.h"

namespace sluice::config {

// By an entry of `retry_host_predicate`.
class RetryPredicateConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const route::RetryHostPredicate> compile(const google::protobuf::Message& message,
                                                                   FactoryContext context) const = 0;
};

// Of a predicate without settings.
template <typename Proto, typename Predicate>
class PlainRetryPredicateFactory final : public RetryPredicateConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const route::RetryHostPredicate> compile(const google::protobuf::Message&,
                                                           FactoryContext) const override {
    return std::make_shared<Predicate>();
  }
};

// By `retry_priority`.
class RetryPriorityConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const route::RetryPriority> compile(const google::protobuf::Message& message,
                                                              FactoryContext context) const = 0;
};

}  // namespace sluice::config
