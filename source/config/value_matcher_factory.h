// The kind of extension that is a condition on a value, for matchers.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/match/input.h"

namespace sluice::config {

class ValueMatcherConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const match::ValueMatcher> compile(const google::protobuf::Message& message,
                                                             FactoryContext context) const = 0;
};

}  // namespace sluice::config
