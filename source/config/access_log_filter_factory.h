// The kind of extensions that say which entries an access log gets, and which answers a local reply mapper takes.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/stream/access_log.h"

namespace sluice::config {

// By the `typed_config` of an ExtensionFilter.
class AccessLogFilterConfigFactory : public ExtensionFactory {
 public:
  // Null after an error.
  virtual std::shared_ptr<const stream::AccessLogFilter> compile(const google::protobuf::Message& message,
                                                                 FactoryContext context) const = 0;
};

}  // namespace sluice::config
