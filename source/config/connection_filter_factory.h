// The kind of extension that stands in front of the last network filter of a chain.
#pragma once

#include <memory>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/filter/network_filter.h"

namespace sluice::config {

using ConnectionFilterPtr = std::shared_ptr<const filter::NetworkFilterFactory>;

class ConnectionFilterConfigFactory : public ExtensionFactory {
 public:
  // Null only after reporting: of a filter that is discovered it would be one whose configuration has not come.
  virtual ConnectionFilterPtr compile(const google::protobuf::Message& message, FactoryContext context) const = 0;
  // It goes by the server name that a client asks for.
  virtual bool needsServerName() const { return false; }
};

// A filter that `Proto` configures. What makeFilter() returns is dropped if it has reported anything.
template <typename Proto>
class ConnectionFilterOf : public ConnectionFilterConfigFactory {
 public:
  std::string_view configType() const final { return Proto::descriptor()->full_name(); }
  ConnectionFilterPtr compile(const google::protobuf::Message& message, FactoryContext context) const final {
    const ErrorMark mark(context.at);
    ConnectionFilterPtr made = makeFilter(static_cast<const Proto&>(message), context);
    return mark.hit() ? nullptr : made;
  }

 private:
  virtual ConnectionFilterPtr makeFilter(const Proto& proto, const FactoryContext& context) const = 0;
};

}  // namespace sluice::config
