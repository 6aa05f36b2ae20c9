// The kind of extension that stands in front of the last network filter of a chain.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/filter/network_filter.h"

namespace sluice::config {

class ConnectionFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::NetworkFilterFactory> compile(const google::protobuf::Message& message,
                                                                      FactoryContext context) const = 0;
  // It goes by the server name that a client asks for.
  virtual bool needsServerName() const { return false; }
};

}  // namespace sluice::config
