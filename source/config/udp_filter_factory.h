// The kind of extension that serves the datagrams of a UDP listener.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/filter/udp.h"

namespace sluice::config {

class UdpFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::UdpFilter> compile(const google::protobuf::Message& message,
                                                           FactoryContext context) const = 0;
};

}  // namespace sluice::config
