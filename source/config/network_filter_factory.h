// The kind of extension that ends the filters of a chain: it serves the connection.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/filter/network.h"

namespace sluice::config {

class NetworkFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message& message,
                                                                       FactoryContext context) const = 0;
};

}  // namespace sluice::config
