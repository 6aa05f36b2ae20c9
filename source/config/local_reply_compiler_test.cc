#include "source/config/local_reply_compiler.h"

#include <catch2/catch.hpp>

#include "source/config/test_world.h"
#include "test/support/filter/harness.h"

namespace sluice::config {
namespace {

using Proto = envoy::extensions::filters::network::http_connection_manager::v3::LocalReplyConfig;
using filter::Reply;
using filter::testing::Fields;
using filter::testing::Harness;

// What a client gets of an answer under a configuration.
struct Answered {
  Answered(const std::string& yaml, Reply reply) {
    Proto proto;
    REQUIRE(world.load(yaml, proto));
    mapper = compileLocalReply(proto, world.context());
    REQUIRE(world.problems() == "");
    h.client.mapper = mapper.get();
    h.request("GET", {{"x-user", "me"}}, true);
    h.runner->localReply(std::move(reply));
  }
  testing::TestWorld world;
  std::shared_ptr<const filter::ReplyMapper> mapper;
  Harness h{std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{}};
};

const std::string kMappers = R"(
mappers:
- filter: {status_code_filter: {comparison: {op: EQ, value: {default_value: 404, runtime_key: k}}}}
  status_code: 410
  body: {inline_string: gone}
  headers_to_add: [{header: {key: X-User, value: "%REQ(x-user)%"}}]
- filter: {response_flag_filter: {flags: [UH]}}
  body_format_override: {json_format: {flags: "%RESPONSE_FLAGS%", code: "%RESPONSE_CODE%"}}
body_format:
  text_format_source: {inline_string: "<h1>%RESPONSE_CODE% %LOCAL_REPLY_BODY%</h1>"}
  content_type: text/html
)";

TEST_CASE("mappers and formats make answers as they say") {
  const Answered gone(kMappers, Reply{404, "no", "route_not_found"});
  CHECK(gone.h.client.status == 410);
  CHECK(gone.h.client.body == "<h1>410 gone</h1>");
  CHECK(gone.h.client.headers == Fields{{"content-length", "17"}, {"x-user", "me"}, {"content-type", "text/html"}});

  const Answered unhealthy(kMappers,
                           Reply{503, "no", "no_healthy_upstream", {}, stream::ResponseFlag::kNoHealthyUpstream});
  CHECK(unhealthy.h.client.status == 503);
  CHECK(unhealthy.h.client.body == "{\"code\":503,\"flags\":\"UH\"}\n");
  CHECK(unhealthy.h.client.headers == Fields{{"content-length", "26"}, {"content-type", "application/json"}});

  const Answered other(kMappers, Reply{500, "no", "x"});
  CHECK(other.h.client.body == "<h1>500 no</h1>");
}

TEST_CASE("what is wrong is told where it stands") {
  const auto [yaml, problem] = GENERATE(table<std::string, std::string>({
      {"body_format: {text_format: '%NOPE%'}", "body_format: text_format: format '%NOPE%'"},
      {"mappers: [{filter: {response_flag_filter: {}}, body: {filename: /nowhere}}]",
       "mappers[0].body: filename: cannot read file '/nowhere'"},
      {"mappers: [{filter: {response_flag_filter: {}}, body_format_override: {json_format: {a: '%'}}}]",
       "mappers[0].body_format_override: json_format: a: format '%'"},
      {"mappers: [{filter: {response_flag_filter: {}}, headers_to_add: [{header: {key: content-length, value: '1'}}]}]",
       "mappers[0].headers_to_add[0].header.key: \"content-length\" says where a message ends"},
      {"mappers: [{filter: {response_flag_filter: {}}, status_code: 199}]", "mappers[0].status_code"},
      {"mappers: [{status_code: 200}]", "mappers[0].filter"},
      {"body_format: {text_format: a, formatters: [{name: x, typed_config: {'@type': "
       "type.googleapis.com/google.protobuf.StringValue, value: ''}}]}",
       "body_format: formatters[0].typed_config: 'google.protobuf.StringValue' brings no operators"},
  }));
  testing::TestWorld world;
  Proto proto;
  if (world.load(yaml, proto)) compileLocalReply(proto, world.context());
  CHECK_THAT(world.problems(), Catch::Contains(problem));
}

}  // namespace
}  // namespace sluice::config
