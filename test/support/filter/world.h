// What tests of a filter have of its factory: filters and settings of routes from their YAML, and their counters.
//
//   struct World : filter::testing::FilterWorld<v3::Config> {
//     World() : FilterWorld(registerFactory, "http.p.name.") {}
//   };
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "test/support/filter/harness.h"

namespace sluice::filter::testing {

template <typename Proto, typename RouteProto = Proto>
struct FilterWorld : config::testing::TestWorld {
  // `prefix`: of the names of its counters.
  explicit FilterWorld(void (*register_factory)(config::Registry&), std::string prefix = {})
      : prefix(std::move(prefix)) {
    register_factory(registry);
  }

  const config::HttpFilterConfigFactory& factory() {
    return *registry.http_filters.find(Proto::descriptor()->full_name());
  }
  // Null: problems() says why.
  std::shared_ptr<const HttpFilterFactory> compile(const std::string& yaml) {
    Proto proto;
    return load(yaml, proto) ? factory().compile(proto, holding.context(at, "http.p.")) : nullptr;
  }
  std::shared_ptr<const route::PerFilterConfig> compileRoute(const std::string& yaml) {
    RouteProto proto;
    return load(yaml, proto) ? factory().compileRoute(proto, holding.context(at, "http.p.")) : nullptr;
  }
  int counted(Harness& harness, const std::string& name) {
    return harness.counted(holding.stats().counter(prefix + name));
  }

  const std::string prefix;
  config::Holding holding{services};  // of the counters
};

}  // namespace sluice::filter::testing
