// The kind of extension that looks at a connection before its filter chain is chosen.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/filter/listener_filter.h"

namespace sluice::config {

class ListenerFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message& message,
                                                                FactoryContext context) const = 0;
  // It sees the server name that a client asks for.
  virtual bool findsServerName() const { return false; }
};

}  // namespace sluice::config
