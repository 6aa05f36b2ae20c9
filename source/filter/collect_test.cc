// Filters that ask for a whole body.
#include "source/filter/test_chain.h"

namespace sluice::filter {
namespace {

TEST_CASE("Collect brings the whole body and holds the head until the hook is done") {
  Pair pair;
  pair.a.request_headers = collecting(4);
  Harness& h = pair.make();

  post(h, {"12", "34"}, false);
  CHECK(h.terminal.heads == 0);
  SECTION("ended by data") {
    h.runner->requestData("", true);
    CHECK(h.log.back() == "terminal data 1234 end");
  }
  SECTION("ended by trailers") {
    h.requestTrailers({{"t", "1"}});
    CHECK(h.terminal.trailers.size() == 1);
    CHECK(countOf(h.log, "a.request trailers") == 1);
  }
  CHECK(h.terminal.body == "1234");
  CHECK(countOf(h.log, "a.request body 1234") == 1);
  CHECK_FALSE(any(h.log, "a.request data"));
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
}

TEST_CASE("Collect of a request without a body runs the body hook with nothing") {
  Pair pair;
  pair.a.request_headers = collecting(4);
  Harness& h = pair.make();
  h.request("GET", {}, true);
  CHECK(countOf(h.log, "a.request body ") == 1);
  CHECK(h.log.back() == "terminal headers end");
}

TEST_CASE("Collect of a request that asks for a tunnel waits for no body") {
  Pair pair;
  std::string body = "none";
  const bool paused_first = GENERATE(false, true);
  ResumeToken token;
  pair.a.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    if (!paused_first) return Collect{4};
    token = context.resumeToken();
    return Pause{};
  };
  pair.a.request_body = [&](Body& collected, Context&) -> HookResult {
    CHECK(collected.complete());
    CHECK_FALSE(collected.endStream());
    body = collected.bytes();
    return Next{};
  };
  Harness& h = pair.make();
  SECTION("an upgrade") {
    h.stream.request().upgrade = "websocket";
    h.request("GET", {}, false);
  }
  SECTION("CONNECT") {
    h.request("CONNECT", {}, false);
  }
  if (paused_first) token.collect(Collect{4});
  CHECK(h.terminal.heads == 1);
  CHECK(body == (paused_first ? "none" : ""));
  h.runner->requestData("more than the limit", false);
  h.runner->requestData("", true);
  CHECK(h.terminal.body == "more than the limit");
  CHECK(h.terminal.complete);
}

TEST_CASE("Collect of a response that accepts a tunnel waits for no body") {
  Pair pair;
  pair.a.response_headers = collecting(4);
  Harness& h = pair.make();
  h.request("CONNECT", {}, false);
  h.runner->beginTunnel();
  h.respond(200, {}, false);
  CHECK(h.client.heads == 1);
  CHECK(countOf(h.log, "a.response body ") == 1);
  h.runner->responseData("more than the limit", false);
  CHECK(h.client.body == "more than the limit");
}

TEST_CASE("a body larger than Collect allows is answered 413, a response 500") {
  Pair pair;
  SECTION("request") {
    pair.a.request_headers = collecting(3);
    Harness& h = pair.make();
    post(h, {"12", "34"}, false);
    CHECK(h.client.status == 413);
    CHECK(h.stream.info().response_code_details == "request_payload_too_large");
    CHECK_FALSE(any(h.log, "a.request body"));
    CHECK_FALSE(h.runner->requestComplete());  // so the session knows that there is more to come
  }
  SECTION("response") {
    pair.b.response_headers = collecting(3);
    Harness& h = pair.make();
    h.request("GET", {}, true);
    answer(h, {"1234"}, true);
    CHECK(h.client.status == 500);
    CHECK(h.stream.info().response_code_details == "response_payload_too_large");
    CHECK_FALSE(any(h.log, "b.response body"));
  }
}

TEST_CASE("a body hook that was given the beginning may ask for more of it") {
  Pair pair;
  pair.a.request_headers = collecting(1, true);
  std::vector<std::string> seen;
  pair.a.request_body = [&](Body& body, Context&) -> HookResult {
    seen.emplace_back(body.bytes());
    if (body.complete() || body.bytes().size() > 4) return Next{};
    return Collect{4, seen.size() < 2};
  };
  Harness& h = pair.make();

  post(h, {"1", "2"}, false);
  CHECK(seen == std::vector<std::string>{"12"});
  CHECK(h.terminal.heads == 0);
  SECTION("it comes") {
    h.runner->requestData("34", false);
    CHECK(seen.size() == 1);
    h.runner->requestData("56", false);
    CHECK(seen.back() == "123456");
    CHECK(h.terminal.heads == 1);
    h.runner->requestData("7", true);
    CHECK(h.terminal.body == "1234567");
  }
  SECTION("the body ends before") {
    h.runner->requestData("3", true);
    CHECK(seen.back() == "123");
    CHECK(h.terminal.body == "123");
  }
  SECTION("trailers end it before") {
    h.requestTrailers({{"t", "1"}});
    CHECK(seen.back() == "12");
    CHECK(h.terminal.trailers.size() == 1);
  }
  CHECK(seen.size() == 2);
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
}

TEST_CASE("a partial Collect gives the beginning of a large body and the rest follows it") {
  Pair pair;
  ResumeToken token;
  std::optional<bool> complete;
  pair.a.request_headers = collecting(3, true);
  pair.a.request_body = [&](Body& body, Context& context) -> HookResult {
    complete = body.complete();
    token = context.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  post(h, {"12", "34"}, false);
  REQUIRE(complete == false);
  h.runner->requestData("56", true);
  CHECK(h.terminal.heads == 0);
  token.resume();

  CHECK(h.terminal.body == "123456");
  CHECK(h.terminal.complete);
  CHECK(countOf(h.log, "a.request data 56") == 1);
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
}

TEST_CASE("a collected body that was replaced sets content-length, unless trailers follow") {
  for (const bool by_token : {false, true}) {
    for (const bool trailers : {false, true}) {
      Pair pair;
      ResumeToken token;
      pair.a.request_headers = collecting(100);
      pair.a.request_body = [&](Body& body, Context& context) -> HookResult {
        if (!by_token) {
          body.replace("longer");
          return Next{};
        }
        token = context.resumeToken();
        return Pause{};
      };
      Harness& h = pair.make();

      h.request("POST", {{"content-length", "1"}}, false);
      h.runner->requestData("x", !trailers);
      if (trailers) h.requestTrailers({{"t", "1"}});
      if (by_token) token.resumeWith("longer");

      CHECK(h.terminal.body == "longer");
      CHECK(h.terminal.complete);
      CHECK(h.terminal.headers == (trailers ? Fields{} : Fields{{"content-length", "6"}}));
      CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
    }
  }
}

}  // namespace
}  // namespace sluice::filter
