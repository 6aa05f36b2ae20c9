// The kind of extension that knows where IP addresses are, for the filters that name one.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/geoip/provider.h"

namespace sluice::config {

// By `provider`. The owner of the context is what the filter's stats begin with.
class GeoipProviderConfigFactory : public ExtensionFactory {
 public:
  // Null after reporting.
  virtual std::shared_ptr<const geoip::Provider> compile(const google::protobuf::Message& message,
                                                         FactoryContext context) const = 0;
};

}  // namespace sluice::config
