// The kind of extensions that say where internal redirects may lead.
#pragma once

#include <memory>
#include <string_view>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/route/internal_redirect.h"

namespace sluice::config {

// By an entry of `predicates` of an InternalRedirectPolicy.
class RedirectPredicateConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const route::RedirectPredicate> compile(const google::protobuf::Message& message,
                                                                  FactoryContext context) const = 0;
};

// Of a predicate without settings.
template <typename Proto, typename Predicate>
class PlainRedirectPredicateFactory final : public RedirectPredicateConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const route::RedirectPredicate> compile(const google::protobuf::Message&,
                                                          FactoryContext) const override {
    return std::make_shared<Predicate>();
  }
};

}  // namespace sluice::config
