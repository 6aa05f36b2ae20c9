#include "source/extensions/filters/http/connect_grpc_bridge/filter.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "google/rpc/status.pb.h"
#include "source/http/grpc.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::connect_grpc_bridge {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using http::grpc::framed;

std::string of(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "(none)";
}

struct Bridge : Harness {
  Bridge() : Harness({std::make_shared<FilterFactory>()}) {}
  void unary(Fields more = {}) {
    Fields fields = {{"content-type", "application/proto"}, {"connect-protocol-version", "1"}};
    fields.insert(fields.end(), more.begin(), more.end());
    request("POST", fields, false);
    runner->requestData("ab", true);
  }
  void get(const std::string& path) {
    stream.request().path = stream.arena().copy(path);
    request("GET", {}, true);
  }
  void streaming() {
    request("POST", {{"content-type", "application/connect+json"}, {"connect-content-encoding", "gzip"}}, false);
    runner->requestData(framed("ab"), true);
  }
  void answer(const std::string& body, const Fields& trailers, Fields head = {}) {
    head.emplace_back("content-type", "application/grpc+proto");
    respond(200, head, false);
    if (!body.empty()) runner->responseData(body, false);
    responseTrailers(trailers);
  }
};

TEST_CASE("a unary call gets a frame, and its answer loses it") {
  Bridge h;
  h.unary({{"connect-timeout-ms", "1500"}, {"accept-encoding", "gzip"}});
  CHECK(h.terminal.body == framed("ab"));
  CHECK(of(h.terminal.headers, "content-type") == "application/grpc+proto");
  CHECK(of(h.terminal.headers, "te") == "trailers");
  CHECK(of(h.terminal.headers, "grpc-timeout") == "1500m");
  CHECK(of(h.terminal.headers, "grpc-accept-encoding") == "gzip");
  CHECK(of(h.terminal.headers, "connect-protocol-version") == "(none)");
  CHECK(of(h.terminal.headers, "connect-timeout-ms") == "(none)");
  h.answer(framed("cd"), {{"grpc-status", "0"}, {"mark", "1"}});
  CHECK(h.client.status == 200);
  CHECK(h.client.body == "cd");
  CHECK(of(h.client.headers, "content-type") == "application/proto");
  CHECK(of(h.client.headers, "trailer-mark") == "1");
  CHECK(of(h.client.headers, "grpc-status") == "(none)");
  CHECK(h.client.trailers.empty());
}

TEST_CASE("what is compressed stays compressed, and says so") {
  Bridge h;
  h.unary({{"content-encoding", "gzip"}});
  CHECK(h.terminal.body == framed("ab", 1));
  CHECK(of(h.terminal.headers, "grpc-encoding") == "gzip");
  CHECK(of(h.terminal.headers, "content-encoding") == "(none)");
  h.answer(framed("cd", 1), {{"grpc-status", "0"}}, {{"grpc-encoding", "gzip"}});
  CHECK(of(h.client.headers, "content-encoding") == "gzip");
  Bridge plain;
  plain.unary({{"content-encoding", "identity"}});
  CHECK(plain.terminal.body == framed("ab"));
  plain.answer(framed("cd"), {{"grpc-status", "0"}}, {{"grpc-encoding", "gzip"}});
  CHECK(of(plain.client.headers, "content-encoding") == "(none)");
}

TEST_CASE("a GET has its message in the query") {
  Bridge h;
  h.get("/s/m?connect=v1&encoding=json&message=%7B%22a%22%3A1%7D");
  CHECK(h.terminal.body == framed("{\"a\":1}"));
  CHECK(h.stream.request().path == "/s/m");
  CHECK(h.stream.request().method == "POST");
  CHECK(of(h.terminal.headers, "content-type") == "application/grpc+json");
  Bridge binary;
  binary.get("/s/m?connect=v1&encoding=proto&base64=1&message=-_8&compression=gzip");
  CHECK(binary.terminal.body == framed("\xfb\xff", 1));
  CHECK(of(binary.terminal.headers, "grpc-encoding") == "gzip");
}

TEST_CASE("other requests pass") {
  for (const std::string path :
       {"/s/m", "/s/m?connect=v2&encoding=json&message=a", "/s/m?connect=v1&encoding=json", "/s/m?connect=v1&message=a",
        "/s/m?connect=v1&encoding=json&message=!&base64=1", "/s/m?connect=v1&message=a&encoding=json%0d%0ax:%20y",
        "/s/m?connect=v1&message=a&encoding=json&compression=a%0d%0ab:%20c"}) {
    Bridge h;
    h.get(path);
    CHECK(h.stream.request().path == path);
    CHECK(h.terminal.headers.empty());
  }
  Bridge post;
  post.request("POST", {{"content-type", "application/json"}}, true);
  CHECK(post.terminal.headers == Fields{{"content-type", "application/json"}});
}

TEST_CASE("an error of a unary call is JSON with the status of Connect") {
  const bool head_only = GENERATE(false, true);
  google::rpc::Status status;
  auto* detail = status.add_details();
  detail->set_type_url("type.googleapis.com/a.B");
  detail->set_value("\x01");
  const Fields error = {{"grpc-status", "1"},
                        {"grpc-message", "it%20\"is\" over"},
                        {"grpc-status-details-bin", absl::Base64Escape(status.SerializeAsString())}};
  Bridge h;
  h.unary();
  if (head_only) {
    Fields head = error;
    head.emplace_back("content-type", "application/grpc");
    h.respond(200, head, true);
  } else {
    h.answer("", error);
  }
  CHECK(h.client.status == 499);
  CHECK(of(h.client.headers, "content-type") == "application/json");
  CHECK(h.client.body == R"({"code":"canceled","message":"it \"is\" over","details":[{"type":"a.B","value":"AQ"}]})");
  CHECK(of(h.client.headers, "grpc-status") == "(none)");
}

TEST_CASE("an answer that is not one message is an error") {
  for (const std::string& body : {std::string(), framed("cd").substr(0, 6), framed("a") + framed("b")}) {
    Bridge h;
    h.unary();
    h.answer(body, {{"grpc-status", "0"}});
    CHECK(h.client.status == 500);
    CHECK(h.client.body == R"({"code":"internal","message":"the answer is not one message"})");
  }
}

TEST_CASE("a stream ends in a message that says how") {
  Bridge h;
  h.streaming();
  CHECK(h.terminal.body == framed("ab"));
  CHECK(of(h.terminal.headers, "content-type") == "application/grpc+json");
  CHECK(of(h.terminal.headers, "grpc-encoding") == "gzip");
  h.respond(200, {{"content-type", "application/grpc+json"}, {"grpc-encoding", "gzip"}}, false);
  h.runner->responseData(framed("cd", 1), false);
  CHECK(h.client.body == framed("cd", 1));
  h.responseTrailers({{"grpc-status", "0"}, {"m", "1"}, {"m", "2"}});
  CHECK(h.client.body == framed("cd", 1) + framed(R"({"metadata":{"m":["1","2"]}})", 2));
  CHECK(of(h.client.headers, "content-type") == "application/connect+json");
  CHECK(of(h.client.headers, "connect-content-encoding") == "gzip");
  CHECK(h.client.trailers.empty());
  CHECK(h.client.complete);
}

TEST_CASE("a stream's error stands in its last message") {
  Bridge h;
  h.streaming();
  h.answer(framed("x"), {{"grpc-status", "5"}, {"grpc-message", "gone"}});
  CHECK(h.client.status == 200);
  CHECK(h.client.body == framed("x") + framed(R"({"error":{"code":"not_found","message":"gone"}})", 2));
  Bridge head_only;
  head_only.streaming();
  head_only.respond(200, {{"content-type", "application/grpc"}, {"grpc-status", "12"}}, true);
  CHECK(head_only.client.body == framed(R"({"error":{"code":"unimplemented"}})", 2));
  Bridge cut;
  cut.streaming();
  cut.respond(200, {{"content-type", "application/grpc"}}, false);
  cut.runner->responseData(framed("x"), true);
  CHECK(cut.client.body == framed("x") + framed(R"({"error":{"code":"unknown"}})", 2));
}

TEST_CASE("it passes the interleaving suite") {
  const bool unary = GENERATE(false, true);
  filter::testing::Suite suite;
  suite.max_runs = 20000;
  suite.chain = [] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>()};
  };
  if (unary) {
    suite.request = {{{"content-type", "application/proto"}, {"connect-protocol-version", "1"}}, "ab", true};
    suite.request_due = [](std::string_view body) { return framed(body); };
  } else {
    suite.request = {{{"content-type", "application/connect+proto"}}, framed("ab"), true};
  }
  suite.response = {{{"content-type", "application/grpc"}, {"grpc-status", "0"}}, framed("x"), true};
  suite.response_due = [=](std::string_view body) {
    return unary ? std::string("x")
                 : std::string(body) + framed(R"({"error":{"code":"unknown"},"metadata":{"mark":["response"]}})", 2);
  };
  suite.response_trailers_due = 0;
  suite.answered_here = [](const filter::testing::ClientRecord& client) {
    return client.body.find(R"("error")") != std::string::npos &&
           client.body.find(R"({"code":"unknown"})") == std::string::npos;
  };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::connect_grpc_bridge
