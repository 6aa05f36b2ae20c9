#include "source/extensions/access_log_filters/cel/filter.h"

#include <catch2/catch.hpp>
#include <string>

#include "envoy/extensions/access_loggers/filters/cel/v3/cel.pb.h"
#include "source/config/access_log_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/access_log_filters/cel/factory.h"

namespace sluice::extensions::access_log_filters::cel {
namespace {

using Proto = envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;

struct World : config::testing::TestWorld {
  World() { registerFactory(registry); }

  // Null: problems() says why.
  std::shared_ptr<const stream::AccessLogFilter> compile(const std::string& expression) {
    google::protobuf::Any any;
    Proto proto;
    proto.set_expression(expression);
    any.PackFrom(proto);
    const auto found = registry.access_log_filters.resolve(any, at);
    return found ? found.factory->compile(*found.config, context()) : nullptr;
  }
};

TEST_CASE("an entry is admitted if the expression is true, and only then") {
  World world;
  stream::StreamInfo info;
  info.response_code = 503;
  const auto admits = [&](const std::string& expression) {
    const auto filter = world.compile(expression);
    INFO(world.problems());
    REQUIRE(filter != nullptr);
    return filter->admits({.info = info});
  };

  CHECK(admits("response.code >= 500"));
  CHECK_FALSE(admits("response.code < 500"));
  CHECK_FALSE(admits("request.path == '/'"));  // there is no request
  CHECK(admits("request.path == '/' || response.code == 503"));
  CHECK_FALSE(admits("metadata.filter_metadata"));
}

TEST_CASE("what cannot be a condition is refused with its place") {
  const auto problems = [](const std::string& expression) {
    World world;
    CHECK(world.compile(expression) == nullptr);
    return world.problems();
  };

  CHECK_THAT(problems("response.code"), Catch::Contains("expression") && Catch::Contains("its value is a int"));
  CHECK_THAT(problems("response.code > "), Catch::Contains("1:17: found the end, expected a value"));
  CHECK_THAT(problems("response.colour == 1"), Catch::Contains("1:10: 'response.colour' is unknown; there are"));
  CHECK_THAT(problems("xds.node.id == 'a'"), Catch::Contains("attribute 'xds.node' is not supported here"));
  CHECK_THAT(problems(""), Catch::Contains("expected a value"));
}

}  // namespace
}  // namespace sluice::extensions::access_log_filters::cel
