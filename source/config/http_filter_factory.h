// The kind of extension that is a filter of an HTTP chain, with settings of its own for routes.
#pragma once

#include <memory>
#include <string_view>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/filter/http_filter.h"
#include "source/route/filter_slots.h"

namespace sluice::config {

class HttpFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                                   FactoryContext context) const = 0;
  // Why it cannot stand among upstream filters, which see each attempt of a request on its way to a host; empty: it
  // can. There the owner of its context is "cluster.NAME." if the filters are a cluster's.
  virtual std::string_view upstreamRefusal() const { return "it is made for requests as clients send them"; }
  // It waits for the route of a request, which filters in front of it have not seen then.
  virtual bool awaitsRoutes() const { return false; }
  // The type of its `typed_per_filter_config` entries; empty if it has none.
  virtual std::string_view routeConfigType() const { return {}; }
  virtual std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message&,
                                                                     FactoryContext) const {
    return nullptr;
  }
};

}  // namespace sluice::config
