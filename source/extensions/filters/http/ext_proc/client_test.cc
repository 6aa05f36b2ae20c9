// The filter with processors that answer in every order, rightly and wrongly.
#include "source/extensions/filters/http/ext_proc/client.h"

#include <catch2/catch.hpp>

#include "envoy/service/ext_proc/v3/external_processor.pb.h"
#include "source/extensions/filters/http/ext_proc/filter.h"
#include "source/stream/attributes.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::ext_proc {
namespace {

namespace v3 = envoy::service::ext_proc::v3;
using filter::testing::Fields;
using filter::testing::Harness;
using v3::ProcessingRequest;
using v3::ProcessingResponse;

Settings basic(Mode mode = {}) {
  Settings s;
  s.target.cluster = "processor";
  s.mode = mode;
  s.stats = {{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}};
  return s;
}

ProcessingRequest requestOf(const std::string& bytes) {
  ProcessingRequest out;
  REQUIRE(out.ParseFromString(bytes));
  return out;
}

// Answers in kind; bodies are given back as they came.
ProcessingResponse inKind(const ProcessingRequest& request) {
  ProcessingResponse out;
  const auto body = [](const v3::HttpBody& in, v3::BodyResponse& answer) {
    answer.mutable_response()->mutable_body_mutation()->set_body(in.body());
  };
  switch (request.request_case()) {
    case ProcessingRequest::kRequestHeaders:
      out.mutable_request_headers();
      break;
    case ProcessingRequest::kResponseHeaders:
      out.mutable_response_headers();
      break;
    case ProcessingRequest::kRequestBody:
      body(request.request_body(), *out.mutable_request_body());
      break;
    case ProcessingRequest::kResponseBody:
      body(request.response_body(), *out.mutable_response_body());
      break;
    case ProcessingRequest::kRequestTrailers:
      out.mutable_request_trailers();
      break;
    case ProcessingRequest::kResponseTrailers:
      out.mutable_response_trailers();
      break;
    default:
      FAIL("an empty question");
  }
  return out;
}

struct Processed : Harness {
  explicit Processed(Settings settings, std::shared_ptr<const route::PerFilterConfig> route = nullptr)
      : Harness({std::make_shared<FilterFactory>(std::move(settings))}, {std::move(route)}) {}

  filter::testing::FakeGrpcCall& call() {
    REQUIRE(calls.grpc.size() == 1);
    return *calls.grpc[0];
  }
  ProcessingRequest last() { return requestOf(call().messages.back()); }
  void answer(const ProcessingResponse& response) { call().message(response.SerializeAsString()); }
  // Answers what waits, in kind.
  void go() { answer(inKind(last())); }
  int failures() { return counted({2}); }
  int spurious() { return counted({5}); }
  int allowed() { return counted({6}); }
  int rejected() { return counted({8}); }
};

std::string valueOf(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "(none)";
}

void set(v3::HeaderMutation& mutation, const std::string& name, const std::string& value) {
  auto& header = *mutation.add_set_headers()->mutable_header();
  header.set_key(name);
  header.set_raw_value(value);
}

TEST_CASE("the processor sees the head of a request and changes it") {
  Processed h(basic());
  h.request("GET", {{"x-a", "1"}, {"x-b", "2"}}, true);
  CHECK(h.call().request.path == "/envoy.service.ext_proc.v3.ExternalProcessor/Process");
  CHECK(h.call().request.cluster == "processor");
  CHECK(h.last().request_headers().end_of_stream());
  std::map<std::string, std::string> seen;
  const ProcessingRequest question = h.last();
  for (const auto& header : question.request_headers().headers().headers()) seen[header.key()] = header.raw_value();
  CHECK(seen[":method"] == "GET");
  CHECK(seen[":path"] == "/");
  CHECK(seen[":authority"] == "a.example");
  CHECK(seen["x-a"] == "1");
  CHECK(h.terminal.heads == 0);

  ProcessingResponse answer;
  auto& mutation = *answer.mutable_request_headers()->mutable_response()->mutable_header_mutation();
  set(mutation, "X-A", "changed");
  set(mutation, ":path", "/new");
  mutation.add_remove_headers("x-b");
  h.answer(answer);
  CHECK(h.terminal.headers == Fields{{"x-a", "changed"}});
  CHECK(h.stream.request().path == "/new");
}

TEST_CASE("a request without a path is told without, and gets none") {
  Processed h(basic());
  h.request("CONNECT", {}, false);
  const ProcessingRequest question = h.last();
  for (const auto& header : question.request_headers().headers().headers()) CHECK(header.key() != ":path");

  ProcessingResponse answer;
  set(*answer.mutable_request_headers()->mutable_response()->mutable_header_mutation(), ":path", "/new");
  h.answer(answer);
  CHECK(h.failures() == 1);
  CHECK(h.terminal.heads == 0);
}

TEST_CASE("the processor is told dynamic metadata of some namespaces, and sets that of others") {
  Settings s = basic();
  s.forwarding_namespaces = {"told", "absent"};
  s.receiving_namespaces = {"heard"};
  Processed h(std::move(s));
  stream::DynamicMetadata& metadata = h.stream.info().metadata();
  metadata.set("told", "list", {stream::MetadataList{{true}, {1.5}, {std::string("text")}, {}}});
  metadata.set("told", "deep", {stream::MetadataFields{{"a", {std::string("b")}}}});
  metadata.set("secret", "a", {true});
  h.request("GET", {}, true);
  const ProcessingRequest question = h.last();
  REQUIRE(question.metadata_context().filter_metadata().size() == 1);
  const auto& told = question.metadata_context().filter_metadata().at("told").fields();
  CHECK(told.at("list").list_value().values(0).bool_value());
  CHECK(told.at("list").list_value().values(1).number_value() == 1.5);
  CHECK(told.at("list").list_value().values(2).string_value() == "text");
  CHECK(told.at("list").list_value().values(3).has_null_value());
  CHECK(told.at("deep").struct_value().fields().at("a").string_value() == "b");

  ProcessingResponse answer;
  answer.mutable_request_headers();
  auto& said = *answer.mutable_dynamic_metadata()->mutable_fields();
  (*said["heard"].mutable_struct_value()->mutable_fields())["who"].set_string_value("ada");
  (*said["told"].mutable_struct_value()->mutable_fields())["deep"].set_string_value("changed");
  said["flat"].set_bool_value(true);
  h.answer(answer);
  CHECK(std::get<std::string>(metadata.find("heard", {"who"})->value) == "ada");
  CHECK(metadata.find("told", {"deep", "a"}) != nullptr);
  CHECK(metadata.find("flat") == nullptr);
}

TEST_CASE("metadata of a message that nobody waits for is not taken") {
  Settings s = basic();
  s.receiving_namespaces = {"heard"};
  Processed h(std::move(s));
  h.request("GET", {}, true);
  ProcessingResponse answer;
  answer.mutable_response_headers();
  auto& said = *answer.mutable_dynamic_metadata()->mutable_fields();
  (*said["heard"].mutable_struct_value()->mutable_fields())["who"].set_string_value("ada");
  h.answer(answer);
  CHECK(h.spurious() == 1);
  CHECK(h.stream.info().dynamic_metadata == nullptr);
}

TEST_CASE("some headers are not the processor's to change") {
  Processed h(basic());
  h.request("POST", {{"content-length", "1"}}, false);
  ProcessingResponse answer;
  auto& mutation = *answer.mutable_request_headers()->mutable_response()->mutable_header_mutation();
  for (const char* name : {"host", ":authority", ":method", ":scheme", "x-envoy-internal", "content-length"}) {
    set(mutation, name, "0");
  }
  for (const char* name : {"host", ":path", "content-length"}) mutation.add_remove_headers(name);
  h.answer(answer);
  CHECK(h.terminal.headers == Fields{{"content-length", "1"}});
  CHECK(h.stream.request().authority == "a.example");
  CHECK(h.rejected() == 9);
}

TEST_CASE("a value that cannot stand in a header is a failure") {
  for (const auto& [name, value] :
       Fields{{"x-a", "1\r\nx-b: 2"}, {"x a", "1"}, {"", "1"}, {":path", "no"}, {":path", "/a b"}}) {
    Processed h(basic());
    h.request("GET", {}, true);
    ProcessingResponse answer;
    set(*answer.mutable_request_headers()->mutable_response()->mutable_header_mutation(), name, value);
    h.answer(answer);
    CHECK(h.client.status == 500);
    CHECK(h.failures() == 1);
  }
}

TEST_CASE("rules widen and narrow what may be changed") {
  Settings s = basic();
  s.rules.allow_all_routing = true;
  s.rules.disallow = *match::compileRegex("x-b.*");
  Processed h(std::move(s));
  h.request("GET", {}, true);
  ProcessingResponse answer;
  auto& mutation = *answer.mutable_request_headers()->mutable_response()->mutable_header_mutation();
  set(mutation, ":authority", "b.example");
  set(mutation, "x-bad", "1");
  h.answer(answer);
  CHECK(h.stream.request().authority == "b.example");
  CHECK(h.terminal.headers.empty());
}

TEST_CASE("an immediate response is the client's answer, and the processor hears no more") {
  Processed h(basic());
  h.request("GET", {}, true);
  ProcessingResponse answer;
  auto& immediate = *answer.mutable_immediate_response();
  immediate.mutable_status()->set_code(envoy::type::v3::Unauthorized);
  immediate.set_body("no");
  immediate.set_details("why");
  set(*immediate.mutable_headers(), "x-why", "w");
  h.answer(answer);
  CHECK(h.client.status == 401);
  CHECK(h.client.body == "no");
  CHECK(valueOf(h.client.headers, "x-why") == "w");
  CHECK(h.stream.info().response_code_details == "why");
  CHECK(h.calls.grpc.empty());
}

TEST_CASE("an immediate response to a gRPC request has its gRPC status") {
  Processed h(basic());
  h.request("POST", {{"content-type", "application/grpc"}}, false);
  ProcessingResponse answer;
  answer.mutable_immediate_response()->mutable_status()->set_code(envoy::type::v3::Forbidden);
  answer.mutable_immediate_response()->mutable_grpc_status()->set_status(9);
  h.answer(answer);
  CHECK(h.client.status == 200);
  CHECK(valueOf(h.client.headers, "grpc-status") == "9");
}

TEST_CASE("a buffered body waits for the headers' answer and its own") {
  Processed h(basic({.request_body = BodyMode::kBuffered}));
  h.request("POST", {{"content-length", "4"}}, false);
  h.runner->requestData("ab", false);
  h.go();
  CHECK(h.call().messages.size() == 1);
  h.runner->requestData("cd", true);
  CHECK(h.last().request_body().body() == "abcd");
  CHECK(h.last().request_body().end_of_stream());
  CHECK(h.terminal.heads == 0);
  ProcessingResponse answer;
  auto& common = *answer.mutable_request_body()->mutable_response();
  common.mutable_body_mutation()->set_body("longer body");
  set(*common.mutable_header_mutation(), "x-sum", "1");
  h.answer(answer);
  CHECK(h.terminal.body == "longer body");
  CHECK(h.terminal.headers == Fields{{"content-length", "11"}, {"x-sum", "1"}});
  CHECK(h.terminal.complete);
}

TEST_CASE("a body that is complete before the headers' answer is sent right behind it") {
  Processed h(basic({.request_body = BodyMode::kBuffered}));
  h.request("POST", {}, false);
  h.runner->requestData("abcd", true);
  h.go();
  CHECK(h.last().request_body().body() == "abcd");
  h.go();
  CHECK(h.terminal.body == "abcd");
}

TEST_CASE("a body above the limit is refused, or sent in part") {
  Settings s =
      basic({.request_headers = GENERATE(true, false), .response_headers = false, .request_body = BodyMode::kBuffered});
  const bool partial = GENERATE(false, true);
  if (partial) s.mode.request_body = BodyMode::kBufferedPartial;
  const bool asks_first = s.mode.request_headers;
  s.max_buffered_body = 4;
  Processed h(std::move(s));
  h.request("POST", {}, false);
  h.runner->requestData("123456", false);
  if (asks_first) h.go();
  if (!partial) {
    CHECK(h.client.status == 413);
    return;
  }
  CHECK(h.last().request_body().body() == "123456");
  CHECK_FALSE(h.last().request_body().end_of_stream());
  h.runner->requestData("78", true);
  ProcessingResponse answer;
  answer.mutable_request_body()->mutable_response()->mutable_body_mutation()->clear_body();
  answer.mutable_request_body()->mutable_response()->mutable_body_mutation()->set_clear_body(true);
  h.answer(answer);
  CHECK(h.terminal.body == "78");
}

TEST_CASE("a streamed body is changed piece by piece, and trailers behind it") {
  Processed h(basic({.response_body = BodyMode::kStreamed, .response_trailers = true}));
  h.request("GET", {}, true);
  h.go();
  h.respond(200, {{"content-length", "4"}}, false);
  h.runner->responseData("ab", false);
  h.responseTrailers({{"x-t", "1"}});
  h.go();  // the head
  CHECK(h.last().response_body().body() == "ab");
  ProcessingResponse body;
  body.mutable_response_body()->mutable_response()->mutable_body_mutation()->set_body("ABC");
  h.answer(body);
  CHECK(h.client.body == "ABC");
  CHECK(valueOf(h.client.headers, "content-length") == "(none)");
  ProcessingResponse trailers;
  set(*trailers.mutable_response_trailers()->mutable_header_mutation(), "x-t", "2");
  h.answer(trailers);
  CHECK(h.client.trailers == Fields{{"x-t", "2"}});
}

TEST_CASE("the processor may give the rest of a message itself") {
  const bool head_only = GENERATE(true, false);
  Processed h(basic({.request_body = BodyMode::kStreamed, .request_trailers = true}));
  h.request("POST", {}, head_only);
  if (!head_only) h.runner->requestData("old", false);
  ProcessingResponse answer;
  auto& common = *answer.mutable_request_headers()->mutable_response();
  common.set_status(v3::CommonResponse::CONTINUE_AND_REPLACE);
  common.mutable_body_mutation()->set_body("new");
  h.answer(answer);
  if (!head_only) {
    h.runner->requestData("er", false);
    h.requestTrailers({{"x-t", "1"}});
  }
  CHECK(h.terminal.body == "new");
  CHECK(valueOf(h.terminal.headers, "content-length") == "3");
  CHECK(h.terminal.complete);
  CHECK(h.terminal.trailers.empty());
  CHECK(h.call().messages.size() == 1);
}

TEST_CASE("the mode of what follows may be changed if that is allowed") {
  const bool allow = GENERATE(false, true);
  Settings s = basic();
  s.allow_mode_override = allow;
  Processed h(std::move(s));
  h.request("POST", {}, false);
  ProcessingResponse answer;
  answer.mutable_request_headers();
  answer.mutable_mode_override()->set_request_body_mode(
      envoy::extensions::filters::http::ext_proc::v3::ProcessingMode::STREAMED);
  h.answer(answer);
  h.runner->requestData("a", true);
  CHECK(h.call().messages.size() == (allow ? 2 : 1));
}

TEST_CASE("answers change to the modes that are named only, whatever they say of the request's headers") {
  const bool named = GENERATE(false, true);
  Settings s = basic();
  s.allow_mode_override = true;
  s.override_modes = {
      Mode{.request_headers = false, .request_body = named ? BodyMode::kStreamed : BodyMode::kBuffered}};
  Processed h(std::move(s));
  h.request("POST", {}, false);
  ProcessingResponse answer;
  answer.mutable_request_headers();
  answer.mutable_mode_override()->set_request_body_mode(
      envoy::extensions::filters::http::ext_proc::v3::ProcessingMode::STREAMED);
  h.answer(answer);
  h.runner->requestData("a", true);
  CHECK(h.call().messages.size() == (named ? 2 : 1));
}

NamedAttribute attribute(const std::string& text) {
  return {text, *match::cel::Program::compile(text, stream::attributeNames())};
}

TEST_CASE("the first message of each direction tells the attributes that are asked for and have a value") {
  const bool by_route = GENERATE(false, true);
  Settings s = basic(Mode{.request_body = BodyMode::kStreamed});
  std::vector<NamedAttribute> of_request{attribute("request.method"), attribute("1 + 1"),
                                         attribute("request.headers['x-absent']")};
  if (!by_route) s.request_attributes = of_request;
  s.response_attributes = {attribute("response.headers['x-b']")};
  auto route = std::make_shared<RouteSettings>();
  if (by_route) route->request_attributes = of_request;
  Processed h(std::move(s), route);
  h.request("POST", {}, false);

  const ProcessingRequest head = h.last();
  REQUIRE(head.attributes().contains("envoy.filters.http.ext_proc"));
  const auto& told = head.attributes().at("envoy.filters.http.ext_proc").fields();
  REQUIRE(told.size() == 2);
  CHECK(told.at("request.method").string_value() == "POST");
  CHECK(told.at("1 + 1").number_value() == 2);

  h.answer(inKind(head));
  h.runner->requestData("a", true);
  CHECK(h.last().request_body().body() == "a");
  CHECK(h.last().attributes().empty());

  h.answer(inKind(h.last()));
  h.respond(200, {{"x-b", "c"}}, true);
  const ProcessingRequest answer = h.last();
  REQUIRE(answer.attributes().contains("envoy.filters.http.ext_proc"));
  const auto& of_response = answer.attributes().at("envoy.filters.http.ext_proc").fields();
  CHECK(of_response.at("response.headers['x-b']").string_value() == "c");
}

TEST_CASE("answers that nothing waits for are a failure") {
  ProcessingResponse wrong;
  wrong.mutable_response_headers();
  SECTION("of another kind") {
    Processed h(basic());
    h.request("GET", {}, true);
    h.answer(wrong);
    CHECK(h.client.status == 500);
    CHECK(h.stream.info().response_code_details == "ext_proc_error_spurious_message");
    CHECK(h.spurious() == 1);
  }
  SECTION("twice: the next question is answered with an error") {
    Processed h(basic());
    h.request("GET", {}, true);
    const ProcessingResponse answer = inKind(h.last());
    filter::testing::FakeGrpcCall& call = h.call();
    call.message(answer.SerializeAsString());
    call.message(answer.SerializeAsString());
    CHECK(h.terminal.complete);
    h.respond(200, {}, true);
    CHECK(h.client.status == 500);
  }
  SECTION("what cannot be read") {
    Processed h(basic());
    h.request("GET", {}, true);
    h.call().message("\xff");
    CHECK(h.client.status == 500);
  }
}

TEST_CASE("a service that fails stops the exchange, or is left out") {
  const bool allow = GENERATE(false, true);
  Settings s = basic();
  s.failure_mode_allow = allow;
  Processed h(std::move(s));
  h.request("GET", {}, true);
  h.call().end(14);
  CHECK(h.failures() == 1);
  if (allow) {
    CHECK(h.terminal.complete);
    h.respond(200, {}, true);
    CHECK(h.client.status == 200);
    CHECK(h.allowed() == 1);
  } else {
    CHECK(h.client.status == 500);
  }
}

TEST_CASE("a service that ends its stream well is asked no more") {
  Processed h(basic());
  h.request("GET", {}, true);
  h.call().end(0);
  CHECK(h.terminal.complete);
  h.respond(200, {}, true);
  CHECK(h.client.status == 200);
  CHECK(h.failures() == 0);
}

TEST_CASE("an answer has its time, and may ask for more once") {
  Settings s = basic();
  s.max_message_timeout = std::chrono::seconds(1);
  Processed h(std::move(s));
  h.request("GET", {}, true);
  REQUIRE(h.calls.waiting() == 1);
  ProcessingResponse more;
  more.mutable_override_message_timeout()->set_seconds(1);
  h.answer(more);
  h.answer(more);
  REQUIRE(h.calls.waiting() == 1);
  h.calls.expire();
  CHECK(h.client.status == 504);
  CHECK(h.counted({7}) == 1);
}

TEST_CASE("a route may switch it off or choose another mode") {
  SECTION("off") {
    Processed h(basic(), std::make_shared<RouteSettings>(true));
    h.request("GET", {}, true);
    CHECK(h.terminal.complete);
    CHECK(h.calls.grpc.empty());
  }
  SECTION("another mode") {
    auto route = std::make_shared<RouteSettings>();
    route->mode = Mode{.request_headers = false, .request_body = BodyMode::kStreamed};
    Processed h(basic(), route);
    h.request("POST", {}, false);
    CHECK(h.terminal.heads == 1);
    h.runner->requestData("a", true);
    CHECK(h.last().request_body().body() == "a");
  }
}

TEST_CASE("it passes the interleaving suite") {
  const BodyMode request_body =
      GENERATE(BodyMode::kNone, BodyMode::kStreamed, BodyMode::kBuffered, BodyMode::kBufferedPartial);
  const BodyMode response_body = GENERATE(BodyMode::kStreamed, BodyMode::kBuffered);
  const bool allow = GENERATE(false, true);
  filter::testing::Suite suite;
  suite.max_runs = 4000;
  suite.request.body = "ab";
  suite.response.body = "xy";
  suite.chain = [&] {
    Settings s = basic({.request_body = request_body,
                        .response_body = response_body,
                        .request_trailers = true,
                        .response_trailers = true});
    s.failure_mode_allow = allow;
    s.max_buffered_body = request_body == BodyMode::kBufferedPartial ? 1 : 100;
    if (response_body == BodyMode::kBuffered) s.max_buffered_body = 100;
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(std::move(s))};
  };
  suite.grpc_answer = [](const filter::GrpcCallRequest&, const std::string& message) {
    return inKind(requestOf(message)).SerializeAsString();
  };
  ProcessingResponse immediate;
  immediate.mutable_immediate_response()->mutable_status()->set_code(envoy::type::v3::Forbidden);
  ProcessingResponse head, tail;
  head.mutable_request_headers();
  tail.mutable_response_trailers();
  suite.bad_grpc_answers = {"\xff", "", immediate.SerializeAsString(), head.SerializeAsString(),
                            tail.SerializeAsString()};
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ext_proc
