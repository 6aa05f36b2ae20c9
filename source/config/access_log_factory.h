// The kind of extension that logs streams and connections.
#pragma once

#include <memory>

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/stream/access_log.h"

namespace sluice::config {

class AccessLogConfigFactory : public ExtensionFactory {
 public:
  // Null without an error when only validating.
  virtual std::shared_ptr<const stream::AccessLog> compile(const google::protobuf::Message& message,
                                                           FactoryContext context) const = 0;
};

// An `access_log` list; `context` stands at the message that has it.
stream::AccessLogs compileAccessLogs(
    const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& logs,
    const FactoryContext& context);

}  // namespace sluice::config
