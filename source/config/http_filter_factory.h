// The kind of extension that is a filter of an HTTP chain, with settings of its own for routes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/filter/http_filter.h"
#include "source/route/filter_slots.h"

namespace sluice::config {

using HttpFilterPtr = std::shared_ptr<const filter::HttpFilterFactory>;
using RouteConfigPtr = std::shared_ptr<const route::PerFilterConfig>;

class HttpFilterConfigFactory : public ExtensionFactory {
 public:
  virtual HttpFilterPtr compile(const google::protobuf::Message& message, FactoryContext context) const = 0;
  // Why it cannot stand among upstream filters, which see each attempt of a request on its way to a host; empty: it
  // can. There the owner of its context is "cluster.NAME." if the filters are a cluster's.
  virtual std::string_view upstreamRefusal() const { return "it is made for requests as clients send them"; }
  // It waits for the route of a request, which filters in front of it have not seen then.
  virtual bool awaitsRoutes() const { return false; }
  // The type of its `typed_per_filter_config` entries; empty if it has none.
  virtual std::string_view routeConfigType() const { return {}; }
  virtual RouteConfigPtr compileRoute(const google::protobuf::Message&, FactoryContext) const { return nullptr; }
  // Reports what of a route's settings the filter that they are for does not have: a name of something in its
  // configuration. Both were made here. Not asked where routes and filters come apart (RDS, ECDS).
  virtual void checkRoute(const route::PerFilterConfig& /*settings*/, const filter::HttpFilterFactory& /*filter*/,
                          const Context& /*at*/) const {}
  // Why requests may not go round the filter: routes may not disable it, nor may another filter choose whether it is
  // there. Empty: they may. `filter`: made here; null: not known, it comes by ECDS.
  virtual std::string_view switchRefusal(const filter::HttpFilterFactory* /*filter*/) const { return {}; }
  // Reports what of the last of `levels` those in front of it, or the filter, do not allow. `filter`: made here; null:
  // it is not known, and may allow it.
  virtual void checkLevels(const route::PerFilterLevels& /*levels*/, const filter::HttpFilterFactory* /*filter*/,
                           const Context& /*at*/) const {}
  // What holds of `filter` and `levels` for a request with that route, a line each, for people; empty: it does not
  // tell.
  virtual std::string explain(const filter::HttpFilterFactory& /*filter*/,
                              const route::PerFilterLevels& /*levels*/) const {
    return {};
  }
};

// A filter that `Proto` configures. What makeFilter() returns is dropped if it has reported anything.
template <typename Proto>
class HttpFilterOf : public HttpFilterConfigFactory {
 public:
  std::string_view configType() const final { return Proto::descriptor()->full_name(); }
  HttpFilterPtr compile(const google::protobuf::Message& message, FactoryContext context) const final {
    const ErrorMark mark(context.at);
    HttpFilterPtr made = makeFilter(static_cast<const Proto&>(message), context);
    return mark.hit() ? nullptr : made;
  }

 private:
  virtual HttpFilterPtr makeFilter(const Proto& proto, const FactoryContext& context) const = 0;
};

// The same, with RouteProto for routes.
template <typename Proto, typename RouteProto = Proto>
class RoutedHttpFilterOf : public HttpFilterOf<Proto> {
 public:
  std::string_view routeConfigType() const final { return RouteProto::descriptor()->full_name(); }
  RouteConfigPtr compileRoute(const google::protobuf::Message& message, FactoryContext context) const final {
    const ErrorMark mark(context.at);
    RouteConfigPtr made = makeRouteConfig(static_cast<const RouteProto&>(message), context);
    return mark.hit() ? nullptr : made;
  }

 private:
  virtual RouteConfigPtr makeRouteConfig(const RouteProto& proto, const FactoryContext& context) const = 0;
};

}  // namespace sluice::config
