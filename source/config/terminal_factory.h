// The kind of extension that ends an HTTP chain.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/filter/terminal.h"

namespace sluice::config {

class TerminalConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::TerminalConfig> compile(const google::protobuf::Message& message,
                                                                FactoryContext context) const = 0;
};

}  // namespace sluice::config
