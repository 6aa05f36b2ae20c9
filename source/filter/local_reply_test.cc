// Answers that are not the upstream's.
#include "source/filter/test_chain.h"

namespace sluice::filter {
namespace {

TEST_CASE("a reply at a request hook stops the request and goes through the response filters once") {
  const auto reply = [](auto&, Context&) -> HookResult {
    return Reply{403, "no", "denied", {{"x-why", "rule"}}, stream::ResponseFlag::kUnauthorizedExternalService};
  };
  Pair pair;
  bool terminal_had_head = true;
  SECTION("headers") {
    pair.a.request_headers = reply;
    terminal_had_head = false;
  }
  SECTION("data") {
    pair.a.request_data = reply;
  }
  SECTION("trailers") {
    pair.a.request_trailers = reply;
  }
  SECTION("collected body") {
    pair.a.request_headers = collecting(10);
    pair.a.request_body = reply;
    terminal_had_head = false;
  }
  SECTION("by a token, from headers") {
    pair.a.request_headers = [](auto&, Context& context) -> HookResult {
      context.resumeToken().reply(Reply{403, "no", "denied", {{"x-why", "rule"}}});
      return Pause{};
    };
    terminal_had_head = false;
  }
  Harness& h = pair.make();

  post(h, {"x"}, false);
  if (!h.runner->ended()) h.requestTrailers({});

  CHECK(h.client.status == 403);
  CHECK(h.client.body == "no");
  CHECK(h.client.headers == Fields{{"content-length", "2"}, {"x-why", "rule"}, {"content-type", "text/plain"}});
  CHECK(h.client.complete);
  CHECK(h.stream.info().response_code_details == "denied");
  CHECK(countOf(h.log, "a.response headers") == 1);
  CHECK(countOf(h.log, "b.response headers") == 1);
  CHECK((h.terminal.heads == 1) == terminal_had_head);
  CHECK(h.terminal.cancelled == terminal_had_head);
}

TEST_CASE("a reply of a response hook takes the response's place and no filter sees it") {
  const auto reply = [](auto&, Context&) -> HookResult { return Reply{502, "bad", "refused"}; };
  Pair pair;
  SECTION("headers") {
    pair.b.response_headers = reply;
  }
  SECTION("collected body") {
    pair.b.response_headers = collecting(10);
    pair.b.response_body = reply;
  }
  Harness& h = pair.make();

  h.request("GET", {}, true);
  h.respond(200, {}, false);
  if (!h.runner->ended()) h.runner->responseData("y", true);

  CHECK(h.client.status == 502);
  CHECK(h.client.body == "bad");
  CHECK_FALSE(any(h.log, "a.response"));
}

TEST_CASE("a reply after the response's head has gone resets the stream") {
  const auto reply = [](auto&, Context&) -> HookResult { return Reply{502, "bad", "refused"}; };
  Pair pair;
  SECTION("from response data") {
    pair.a.response_data = reply;
  }
  SECTION("from response trailers") {
    pair.a.response_trailers = reply;
  }
  SECTION("from request data") {
    pair.a.request_data = reply;
  }
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.respond(200, {}, false);
  h.runner->requestData("x", true);
  if (!h.runner->ended()) h.runner->responseData("y", false);
  if (!h.runner->ended()) h.responseTrailers({});

  CHECK(h.client.heads == 1);
  CHECK(h.client.reset == "refused");
  CHECK_FALSE(h.client.complete);
}

TEST_CASE("a local reply kills the tokens of the request and its filters run no more") {
  Pair pair;
  ResumeToken request_token, response_token;
  pair.a.request_headers = pausing(request_token);
  pair.a.response_headers = pausing(response_token);
  Harness& h = pair.make();

  post(h, {"x"}, false);
  h.runner->localReply(Reply{504, "late", "timeout"});  // held back by a's response hook
  CHECK(h.client.heads == 0);
  CHECK_FALSE(request_token);
  request_token.resume();
  request_token.drop();
  h.runner->requestData("y", true);
  CHECK_FALSE(any(h.log, "b.request"));
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow);  // the rest is read and dropped
  response_token.resume();

  CHECK(h.client.status == 504);
  CHECK(h.client.body == "late");
  CHECK(h.client.complete);
}

TEST_CASE("a second reply takes the place of one that a filter still holds") {
  Pair pair;
  ResumeToken token;
  pair.a.response_headers = pausing(token);
  Harness& h = pair.make();

  h.request("GET", {}, true);
  h.runner->localReply(Reply{403, "first", "first"});
  h.runner->localReply(Reply{504, "second", "second"});

  CHECK_FALSE(token);
  CHECK(h.client.heads == 1);
  CHECK(h.client.status == 504);
  CHECK(h.client.body == "second");
}

TEST_CASE("a reply with status 204 has no content-length") {
  Pair pair;
  Harness& h = pair.make();
  h.request("GET", {}, true);
  h.runner->localReply(Reply{204, "", "empty"});
  CHECK(h.client.headers.empty());
  CHECK(h.client.complete);
}

TEST_CASE("what the terminal still brings after a local reply is dropped") {
  Pair pair;
  ResumeToken token;
  pair.a.response_headers = pausing(token);
  Harness& h = pair.make();
  h.request("GET", {}, true);
  h.runner->localReply(Reply{504, "late", "timeout"});
  h.runner->responseData("stray", true);
  token.resume();
  CHECK(h.client.body == "late");
}

TEST_CASE("the end of a stream cancels a terminal that has not finished, and only that") {
  for (const bool finished : {false, true}) {
    Pair pair;
    Harness& h = pair.make();
    h.request("POST", {}, true);
    if (finished) h.respond(200, {}, true);
    h.runner->end();
    CHECK(h.terminal.cancelled == !finished);
  }
}

TEST_CASE("an upstream that fails in the middle resets, or gives 502 if no head has gone") {
  for (const bool held : {false, true}) {
    Pair pair;
    ResumeToken token;
    if (held) {
      pair.a.response_headers = pausing(token);
    }
    Harness& h = pair.make();
    h.request("GET", {}, true);
    answer(h, {"y"}, false);
    h.runner->resetResponse("cut");
    CHECK(h.client.heads == 1);
    CHECK(h.client.status == (held ? 502 : 200));
    CHECK(h.client.complete == held);
    CHECK(h.client.reset == (held ? "" : "cut"));
    CHECK_FALSE(token);
  }
}

// --- local replies to gRPC

TEST_CASE("a local reply to a gRPC request is a head with the status and the message") {
  Script replier{.request_headers = [](http::RequestHeaders&, Context&) -> HookResult {
    return Reply{403, "50% of\nit", "no", {{"x-why", "w"}, {"content-type", "text/html"}}};
  }};
  Harness h({scripted(replier)});
  h.request("POST", {{"content-type", "application/grpc+proto"}}, false);
  CHECK(h.client.status == 200);
  CHECK(h.client.complete);
  CHECK(h.client.body.empty());
  CHECK(h.client.headers == Fields{{"content-type", "application/grpc"},
                                   {"grpc-status", "7"},
                                   {"grpc-message", "50%25 of%0Ait"},
                                   {"x-why", "w"}});
}

TEST_CASE("a reply may name the gRPC status itself; grpc-web and redirects stay HTTP") {
  Script named{.request_headers = [](http::RequestHeaders&, Context&) -> HookResult {
    Reply reply{429, "", "limited"};
    reply.grpc_status = 8;
    return reply;
  }};
  Harness h({scripted(named)});
  h.request("POST", {{"content-type", "application/grpc"}}, true);
  CHECK(h.client.headers == Fields{{"content-type", "application/grpc"}, {"grpc-status", "8"}});

  Harness web({scripted(named)});
  web.request("POST", {{"content-type", "application/grpc-web"}}, true);
  CHECK(web.client.status == 429);

  Script redirect{.request_headers = [](http::RequestHeaders&, Context&) -> HookResult {
    return Reply{301, "", "redirect", {{"location", "/b"}}};
  }};
  Harness moved({scripted(redirect)});
  moved.request("POST", {{"content-type", "application/grpc"}}, true);
  CHECK(moved.client.status == 301);
}

}  // namespace
}  // namespace sluice::filter
