// The kind of extension that is a value which matchers look at.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/match/input.h"

namespace sluice::config {

class MatchInputConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const match::Input> compile(const google::protobuf::Message& message,
                                                      FactoryContext context) const = 0;
};

}  // namespace sluice::config
