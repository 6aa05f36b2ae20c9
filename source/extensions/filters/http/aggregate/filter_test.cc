#include "source/extensions/filters/http/aggregate/filter.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "sluice/extensions/filters/http/aggregate/v1/aggregate.pb.h"
#include "source/extensions/filters/http/aggregate/factory.h"
#include "source/filter/local_reply.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::aggregate {
namespace {

namespace v1 = sluice::extensions::filters::http::aggregate::v1;
using filter::testing::Fields;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<v1::Aggregate> {
  World() : FilterWorld(registerFactory, "http.p.aggregate.") {}
};

const std::string kTwo =
    "calls: [{name: a, cluster: ca, path: /a}, {name: b, cluster: cb, path: /b, default_value: {x: 1}}]";

// A request through a filter with these settings; calls wait.
struct Asked {
  explicit Asked(const std::string& yaml, const Fields& fields = {}, const std::string& method = "GET") {
    const auto factory = world.compile(yaml);
    INFO(world.problems());
    REQUIRE(factory);
    h.emplace(std::vector{factory});
    h->request(method, fields, true);
  }
  void answer(const std::string& body, uint16_t status = 200) { h->calls.answer({.status = status, .body = body}); }

  World world;
  std::optional<Harness> h;
};

TEST_CASE("calls are made at once, and the answer has what all of them bring") {
  Asked asked(kTwo);
  CHECK(asked.h->calls.waiting() == 2);
  CHECK(asked.h->calls.request(0).cluster == "ca");
  CHECK(asked.h->calls.request(0).path == "/a");
  CHECK(asked.h->calls.request(0).timeout == std::chrono::seconds(5));
  CHECK(asked.h->calls.request(0).authority == "a.example");

  asked.h->calls.answer({.status = 200, .body = " [2] "}, 1);
  CHECK(asked.h->client.heads == 0);
  asked.answer("{\"y\": 3}");

  CHECK(asked.h->client.status == 200);
  CHECK(asked.h->client.body == "{\"a\":{\"y\": 3},\"b\":[2]}");
  CHECK(std::count(asked.h->client.headers.begin(), asked.h->client.headers.end(),
                   Fields::value_type("content-type", "application/json")) == 1);
  CHECK(asked.world.counted(*asked.h, "answered") == 1);
  CHECK(asked.h->terminal.heads == 0);
}

// Whether an answer counts as what was asked for.
struct Seen : filter::ReplyMapper {
  void map(filter::Reply& reply, filter::Stream&) const override { as_asked = reply.as_asked; }
  mutable bool as_asked = false;
};

TEST_CASE("local_reply_config changes what fails and nothing else") {
  const auto isAskedFor = [](uint16_t status) {
    Asked asked("calls: [{name: a, cluster: c, path: /}]");
    Seen seen;
    asked.h->client.mapper = &seen;
    asked.answer("1", status);
    return seen.as_asked;
  };

  CHECK(isAskedFor(200));
  CHECK_FALSE(isAskedFor(500));
}

TEST_CASE("parts of what calls bring stand where the answer says") {
  Asked asked(
      "calls: [{name: a, cluster: c, path: /}]\n"
      "answer: {all: '{{a}}', some: ['{{a.list.1}}', '{{a.none}}'], text: plain, number: 1, 'k\"': {deep: '{{a.t}}'}}");

  asked.answer("{\"list\": [1, {\"z\": 2}], \"t\": \"q\\\"\"}");

  CHECK(asked.h->client.body ==
        "{\"all\":{\"list\": [1, {\"z\": 2}], \"t\": \"q\\\"\"},\"k\\\"\":{\"deep\":\"q\\\"\"},\"number\":1,"
        "\"some\":[{\"z\": 2},null],\"text\":\"plain\"}");
}

TEST_CASE("a default stands for an answer that does not count") {
  const auto with = [](filter::HttpCallResponse second) {
    Asked asked(kTwo);
    asked.answer("1");
    asked.h->calls.answer(std::move(second));
    CHECK(asked.world.counted(*asked.h, "default_used") == 1);
    CHECK(asked.world.counted(*asked.h, "call_failed") == 1);
    return asked.h->client.body;
  };
  const std::string due = "{\"a\":1,\"b\":{\"x\":1}}";

  CHECK(with({.status = 0, .failure = "timeout"}) == due);
  CHECK(with({.status = 500, .body = "2"}) == due);
  CHECK(with({.status = 200, .body = "no JSON"}) == due);
}

TEST_CASE("without a default the request fails at once") {
  Asked asked(kTwo + "\nfailure_status: 504");

  asked.answer("2", 404);

  CHECK(asked.h->client.status == 504);
  CHECK(asked.h->stream.info().response_code_details == "aggregate_call_failed{a}");
  CHECK(asked.world.counted(*asked.h, "failed") == 1);
}

TEST_CASE("which statuses count is said by the call") {
  Asked asked("calls: [{name: a, cluster: c, path: /, statuses: [{start: 404, end: 405}]}]");

  asked.answer("{}", 404);

  CHECK(asked.h->client.body == "{\"a\":{}}");
}

TEST_CASE("what a request says stays within its place in a path, and named headers go along") {
  Asked asked(
      "calls: [{name: a, cluster: c, path: '/u/%REQ(x-user)%/o?q=%REQ(x-q?x-user)%&l=1', host: h.internal, "
      "forwarded_headers: [X-Auth]}]",
      {{"x-user", "a/b?c=%2e"}, {"x-auth", "1"}, {"x-other", "2"}});

  CHECK(asked.h->calls.request().path == "/u/a%2Fb%3Fc%3D%252e/o?q=a%2Fb%3Fc%3D%252e&l=1");
  CHECK(asked.h->calls.request().authority == "h.internal");
  CHECK(asked.h->calls.request().headers == Fields{{"x-auth", "1"}});
}

TEST_CASE("a value that leads out of a path, or is not there, is refused") {
  const std::string yaml = "calls: [{name: a, cluster: c, path: '/u/%REQ(x-user)%/o?q=..&r=%REQ(x-none)%'}]";
  for (const char* user : {"..", "..;a", "../b", "a\\..\\b"}) {
    Asked climbing(yaml, {{"x-user", user}});
    CHECK(climbing.h->client.status == 400);
    CHECK(climbing.h->calls.waiting() == 0);
  }
  Asked missing(yaml);
  CHECK(missing.h->client.status == 400);
  CHECK(missing.h->calls.waiting() == 0);

  Asked fine(yaml, {{"x-user", "..."}});
  CHECK(fine.h->calls.waiting() == 1);
}

TEST_CASE("requests with other methods go on, and so does a request without calls") {
  Asked post(kTwo, {}, "POST");
  CHECK(post.h->terminal.heads == 1);
  Asked taken(kTwo + "\nmethods: [POST]", {}, "POST");
  CHECK(taken.h->calls.waiting() == 2);
  Asked none("{}");
  CHECK(none.h->terminal.heads == 1);
}

TEST_CASE("a route has calls of its own") {
  World world;
  const auto factory = world.compile("{}");
  const auto route = world.compileRoute("calls: [{name: r, cluster: c, path: /r}]");
  REQUIRE(route);
  Harness h({factory}, {route});

  h.request("GET", {}, true);

  CHECK(h.calls.request().path == "/r");
}

TEST_CASE("calls that cannot be made are refused") {
  const auto problem = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.compile(yaml));
    return world.problems();
  };
  const auto call = [](const std::string& fields) { return "calls: [{name: a, cluster: c, " + fields + "}]"; };

  CHECK_THAT(problem(call("path: a")), Catch::Contains("calls[0].path: does not begin with '/'"));
  CHECK_THAT(problem(call("path: '/%NO(x)%'")), Catch::Contains("calls[0].path"));
  CHECK_THAT(problem(call("path: '/%REQ('")), Catch::Contains("calls[0].path"));
  CHECK_THAT(problem(call("path: /, statuses: [{start: 300, end: 200}]")), Catch::Contains("statuses[0]"));
  CHECK_THAT(problem(call("path: /") + "\nanswer: '{{b.x}}'"), Catch::Contains("names no call"));
  CHECK_THAT(problem(call("path: /") + "\nanswer:\n  list:\n  - 1\n  - {deep: '{{b}}'}"),
             Catch::Contains("test.yaml:5:6: answer[\"list\"][1][\"deep\"]: \"{{b}}\" names no call"));
  for (const char* text : {"{{a", "{{a}", "{{", "a: {{a}}", "{{a}} "}) {
    CHECK_THAT(problem(call("path: /") + "\nanswer: {x: '" + text + "'}"),
               Catch::Contains("test.yaml:2:10: answer[\"x\"]") && Catch::Contains("is all of a text"));
  }
  CHECK_THAT(problem("calls: [{name: a, cluster: c, path: /}, {name: a, cluster: c, path: /}]"),
             Catch::Contains("is the name of another call"));
  CHECK_THAT(problem(call("path: /, forwarded_headers: [x-a, Content-Length]")),
             Catch::Contains("calls[0].forwarded_headers[1]: belongs to one message"));
  CHECK_THAT(problem("calls: [{name: a.b, cluster: c, path: /}]"), Catch::Contains("calls[0].name"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] {
    return std::vector{
        world.compile("calls: [{name: a, cluster: c, path: /}, {name: b, cluster: c, path: /, default_value: 1}]"
                      "\nmethods: [POST]")};
  };
  suite.answers_itself = true;
  suite.answer = [](const filter::HttpCallRequest&) { return filter::HttpCallResponse{.status = 200, .body = "1"}; };
  suite.bad_answers = {{.status = 500}, {.status = 200, .body = "{"}, {.failure = "reset"}};
  suite.response_due = [](std::string_view) { return std::string("{\"a\":1,\"b\":1}"); };
  suite.response_trailers_due = 0;

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::aggregate
