#include "source/filter/chain.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "test/support/filter/harness.h"

namespace sluice::filter {
namespace {

using testing::Harness;
using testing::Log;
using testing::Script;
using testing::scripted;

// Two scripted filters, a and b, that log.
struct Pair {
  Script a{.name = "a"};
  Script b{.name = "b"};
  std::optional<Harness> harness;

  Harness& make(std::vector<std::shared_ptr<const route::PerFilterConfig>> route_settings = {}) {
    harness.emplace(std::vector{scripted(a), scripted(b)}, std::move(route_settings));
    a.log = b.log = &harness->log;
    return *harness;
  }
};

size_t countOf(const Log& log, std::string_view text) {
  return static_cast<size_t>(std::count(log.begin(), log.end(), text));
}

bool any(const Log& log, std::string_view prefix) {
  return std::any_of(log.begin(), log.end(), [&](const std::string& line) { return line.rfind(prefix, 0) == 0; });
}

TEST_CASE("request hooks run first to last and response hooks last to first") {
  Pair pair;
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("x", false);
  h.requestTrailers({{"t", "1"}});
  h.respond(200, {}, false);
  h.runner->responseData("y", false);
  h.responseTrailers({{"u", "2"}});

  CHECK(h.log == Log{"a.request headers", "b.request headers", "terminal headers", "a.request data x",
                     "b.request data x", "terminal data x", "a.request trailers", "b.request trailers",
                     "terminal trailers", "b.response headers", "a.response headers", "client headers 200",
                     "b.response data y", "a.response data y", "client data y", "b.response trailers",
                     "a.response trailers", "client trailers"});
  CHECK(h.client.complete);
  CHECK(h.runner->ended());
}

TEST_CASE("only hooks that the filter names are called") {
  Pair pair;
  pair.a.hooks = kRequestHeaders | kResponseData;
  pair.b.hooks = kRequestTrailers;
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("x", false);
  h.requestTrailers({{"t", "1"}});
  h.respond(200, {}, false);
  h.runner->responseData("y", true);

  CHECK(h.log == Log{"a.request headers", "terminal headers", "terminal data x", "b.request trailers",
                     "terminal trailers", "client headers 200", "a.response data y", "client data y end"});
}

// A per-route setting without content.
class Off : public route::PerFilterConfig {
 public:
  explicit Off(bool disabled) : PerFilterConfig(disabled) {}
};

TEST_CASE("a filter that the route switches off is not called") {
  Pair pair;
  const route::PerFilterConfig* seen = nullptr;
  pair.b.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    seen = stream.routeConfig();
    return Next{};
  };
  Harness& h = pair.make({std::make_shared<Off>(true), std::make_shared<Off>(false)});

  h.request("GET", {}, true);
  h.respond(200, {}, true);

  CHECK(h.log == Log{"b.request headers", "terminal headers end", "b.response headers", "client headers 200 end"});
  CHECK(seen != nullptr);
}

TEST_CASE("headersOnly tells whether anything follows the head") {
  Pair pair;
  std::vector<bool> seen;
  pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    seen.push_back(stream.headersOnly());
    return Next{};
  };
  pair.make().request("GET", {}, true);
  pair.make().request("GET", {}, false);
  CHECK(seen == std::vector<bool>{true, false});
}

// --- pause and resume

TEST_CASE("a pause at headers holds everything behind it and resume sends it on in order") {
  Pair pair;
  ResumeToken token;
  pair.b.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("1", false);
  h.runner->requestData("2", false);
  h.requestTrailers({{"t", "1"}});
  CHECK(h.terminal.heads == 0);
  CHECK(countOf(h.log, "a.request trailers") == 1);  // what is before the pause has seen all
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow - 2);
  token.resume();

  CHECK_FALSE(token);
  CHECK(h.terminal.body == "12");
  CHECK(h.terminal.trailers == testing::Fields{{"t", "1"}});
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
  CHECK(h.client.credit_grew >= 1);
}

TEST_CASE("a token that is used before the hook returns does not pause") {
  for (const bool later : {false, true}) {
    Pair pair;
    ResumeToken token;
    auto pause = [&](auto&, Stream& stream) -> HookResult {
      token = stream.resumeToken();
      if (!later) token.resume();
      return Pause{};
    };
    pair.a.request_headers = pause;
    pair.a.request_data = pause;
    pair.a.request_trailers = pause;
    pair.a.response_headers = pause;
    pair.a.response_data = pause;
    pair.a.response_trailers = pause;
    Harness& h = pair.make();
    auto go = [&] {
      if (later) token.resume();
    };

    h.request("POST", {}, false);
    go();
    h.runner->requestData("x", false);
    go();
    h.requestTrailers({});
    go();
    h.respond(200, {}, false);
    go();
    h.runner->responseData("y", false);
    go();
    h.responseTrailers({{"u", "1"}});
    go();

    CHECK(h.terminal.complete);
    CHECK(h.terminal.body == "x");
    CHECK(h.client.complete);
    CHECK(h.client.body == "y");
    CHECK(h.client.credit_was_full);
  }
}

TEST_CASE("resumeWith replaces the chunk that the hook paused on") {
  for (const bool later : {false, true}) {
    Pair pair;
    ResumeToken token;
    pair.a.request_data = [&](Chunk&, Stream& stream) -> HookResult {
      token = stream.resumeToken();
      if (!later) token.resumeWith("longer");
      return Pause{};
    };
    Harness& h = pair.make();

    h.request("POST", {}, false);
    h.runner->requestData("x", true);
    if (later) token.resumeWith("longer");

    CHECK(h.log.back() == "terminal data longer end");
    CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
  }
}

TEST_CASE("resumeWith puts a body behind headers, and nothing in front of trailers") {
  for (const bool later : {false, true}) {
    Pair pair;
    ResumeToken token;
    auto pause = [&](auto&, Stream& stream) -> HookResult {
      token = stream.resumeToken();
      if (!later) token.resumeWith("junk");
      return Pause{};
    };
    pair.a.request_headers = pause;
    pair.a.request_trailers = pause;
    Harness& h = pair.make();

    h.request("POST", {}, false);
    if (later) token.resumeWith("junk");
    h.runner->requestData("x", false);
    h.requestTrailers({});
    if (later) token.resumeWith("junk");

    CHECK(h.terminal.body == "junkx");
    CHECK(h.terminal.complete);
  }
}

TEST_CASE("resumeWith at a head that nothing follows gives it a body") {
  for (const bool later : {false, true}) {
    Pair pair;
    ResumeToken token;
    pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
      token = stream.resumeToken();
      if (!later) token.resumeWith("body");
      return Pause{};
    };
    Harness& h = pair.make();

    h.request("POST", {}, true);
    if (later) token.resumeWith("body");

    CHECK(h.terminal.body == "body");
    CHECK(h.terminal.complete);
  }
}

TEST_CASE("a paused head may still ask for its body") {
  for (const bool later : {false, true}) {
    for (const bool complete : {false, true}) {
      Pair pair;
      ResumeToken token;
      pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
        token = stream.resumeToken();
        if (!later) token.collect(Collect{10});
        return Pause{};
      };
      std::string body;
      pair.a.request_body = [&](Body& collected, Stream&) -> HookResult {
        body = collected.bytes();
        CHECK(collected.endStream() == complete);
        return Next{};
      };
      Harness& h = pair.make();

      h.request("POST", {}, false);
      h.runner->requestData("abc", complete);
      if (!complete) h.requestTrailers({{"t", "1"}});
      if (later) token.collect(Collect{10});

      CHECK(body == "abc");
      CHECK(h.terminal.body == "abc");
      CHECK(h.terminal.complete);
      CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
    }
  }
}

TEST_CASE("what came for a paused head counts against the limit of its body") {
  Pair pair;
  ResumeToken token;
  pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("abc", false);
  token.collect(Collect{2});

  CHECK(h.client.status == 413);
}

TEST_CASE("what comes in while a stage sends on what it held stays behind it") {
  Pair pair;
  ResumeToken token;
  pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();
  h.terminal.on_headers = [&] { h.runner->requestData("3", true); };

  h.request("POST", {}, false);
  h.runner->requestData("1", false);
  h.runner->requestData("2", false);
  token.resume();

  CHECK(h.terminal.body == "123");
  CHECK(h.terminal.complete);
}

TEST_CASE("a chunk that a filter emptied is not sent on unless it ends the stream") {
  Pair pair;
  pair.a.request_data = [](Chunk& chunk, Stream&) -> HookResult {
    chunk.replace("");
    return Next{};
  };
  pair.b.hooks = 0;
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("1", false);
  h.runner->requestData("2", true);

  CHECK(h.log ==
        Log{"a.request headers", "terminal headers", "a.request data 1", "a.request data 2", "terminal data  end"});
}

TEST_CASE("a dropped token resets the stream once") {
  Pair pair;
  ResumeToken token;
  pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  h.request("GET", {}, true);
  CHECK(token);
  token.drop();

  CHECK(h.client.reset == kTokenDropped);
  CHECK(h.runner->ended());
  CHECK_FALSE(any(h.log, "b."));
}

TEST_CASE("a pause without a token resets the stream") {
  Pair pair;
  SECTION("none was taken") {
    pair.a.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult { return Pause{}; };
  }
  SECTION("it was dropped in the hook") {
    pair.a.request_headers = [](http::RequestHeaders&, Stream& stream) -> HookResult {
      { const ResumeToken dropped = stream.resumeToken(); }
      return Pause{};
    };
  }
  Harness& h = pair.make();
  h.request("GET", {}, true);
  CHECK(h.client.reset == kTokenDropped);
  CHECK(countOf(h.log, "client reset filter_token_dropped") == 1);
}

TEST_CASE("a token is dead after the end of the stream and using it does nothing") {
  Pair pair;
  ResumeToken token;
  pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();
  h.request("GET", {}, true);
  h.runner->end();
  const Log before = h.log;

  CHECK_FALSE(token);
  token.resume();
  token.resumeWith("x");
  token.reply(Reply{500});
  token.drop();

  CHECK(h.log == before);
}

// --- replies

TEST_CASE("a reply at a request hook stops the request and goes through the response filters once") {
  const auto reply = [](auto&, Stream&) -> HookResult {
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
    pair.a.request_headers = [](auto&, Stream&) -> HookResult { return Collect{10}; };
    pair.a.request_body = reply;
    terminal_had_head = false;
  }
  SECTION("by a token, from headers") {
    pair.a.request_headers = [](auto&, Stream& stream) -> HookResult {
      stream.resumeToken().reply(Reply{403, "no", "denied", {{"x-why", "rule"}}});
      return Pause{};
    };
    terminal_had_head = false;
  }
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("x", false);
  if (!h.runner->ended()) h.requestTrailers({});

  CHECK(h.client.status == 403);
  CHECK(h.client.body == "no");
  CHECK(h.client.headers ==
        testing::Fields{{"content-length", "2"}, {"x-why", "rule"}, {"content-type", "text/plain"}});
  CHECK(h.client.complete);
  CHECK(h.stream.info().response_code_details == "denied");
  CHECK(countOf(h.log, "a.response headers") == 1);
  CHECK(countOf(h.log, "b.response headers") == 1);
  CHECK((h.terminal.heads == 1) == terminal_had_head);
  CHECK(h.terminal.cancelled == terminal_had_head);
}

TEST_CASE("a reply of a response hook takes the response's place and no filter sees it") {
  const auto reply = [](auto&, Stream&) -> HookResult { return Reply{502, "bad", "refused"}; };
  Pair pair;
  SECTION("headers") {
    pair.b.response_headers = reply;
  }
  SECTION("collected body") {
    pair.b.response_headers = [](auto&, Stream&) -> HookResult { return Collect{10}; };
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
  const auto reply = [](auto&, Stream&) -> HookResult { return Reply{502, "bad", "refused"}; };
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
  pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    request_token = stream.resumeToken();
    return Pause{};
  };
  pair.a.response_headers = [&](http::ResponseHeaders&, Stream& stream) -> HookResult {
    response_token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("x", false);
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
  pair.a.response_headers = [&](http::ResponseHeaders&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
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
  pair.a.response_headers = [&](http::ResponseHeaders&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
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
      pair.a.response_headers = [&](http::ResponseHeaders&, Stream& stream) -> HookResult {
        token = stream.resumeToken();
        return Pause{};
      };
    }
    Harness& h = pair.make();
    h.request("GET", {}, true);
    h.respond(200, {}, false);
    h.runner->responseData("y", false);
    h.runner->resetResponse("cut");
    CHECK(h.client.heads == 1);
    CHECK(h.client.status == (held ? 502 : 200));
    CHECK(h.client.complete == held);
    CHECK(h.client.reset == (held ? "" : "cut"));
    CHECK_FALSE(token);
  }
}

// --- collect

TEST_CASE("Collect brings the whole body and holds the head until the hook is done") {
  Pair pair;
  pair.a.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult { return Collect{4}; };
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("12", false);
  h.runner->requestData("34", false);
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
  pair.a.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult { return Collect{4}; };
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
  pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    if (!paused_first) return Collect{4};
    token = stream.resumeToken();
    return Pause{};
  };
  pair.a.request_body = [&](Body& collected, Stream&) -> HookResult {
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
  pair.a.response_headers = [](http::ResponseHeaders&, Stream&) -> HookResult { return Collect{4}; };
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
    pair.a.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult { return Collect{3}; };
    Harness& h = pair.make();
    h.request("POST", {}, false);
    h.runner->requestData("12", false);
    h.runner->requestData("34", false);
    CHECK(h.client.status == 413);
    CHECK(h.stream.info().response_code_details == "request_payload_too_large");
    CHECK_FALSE(any(h.log, "a.request body"));
    CHECK_FALSE(h.runner->requestComplete());  // so the session knows that there is more to come
  }
  SECTION("response") {
    pair.b.response_headers = [](http::ResponseHeaders&, Stream&) -> HookResult { return Collect{3}; };
    Harness& h = pair.make();
    h.request("GET", {}, true);
    h.respond(200, {}, false);
    h.runner->responseData("1234", true);
    CHECK(h.client.status == 500);
    CHECK(h.stream.info().response_code_details == "response_payload_too_large");
    CHECK_FALSE(any(h.log, "b.response body"));
  }
}

TEST_CASE("a partial Collect gives the beginning of a large body and the rest follows it") {
  Pair pair;
  ResumeToken token;
  std::optional<bool> complete;
  pair.a.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult { return Collect{3, true}; };
  pair.a.request_body = [&](Body& body, Stream& stream) -> HookResult {
    complete = body.complete();
    token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("12", false);
  h.runner->requestData("34", false);
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
      pair.a.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult { return Collect{100}; };
      pair.a.request_body = [&](Body& body, Stream& stream) -> HookResult {
        if (!by_token) {
          body.replace("longer");
          return Next{};
        }
        token = stream.resumeToken();
        return Pause{};
      };
      Harness& h = pair.make();

      h.request("POST", {{"content-length", "1"}}, false);
      h.runner->requestData("x", !trailers);
      if (trailers) h.requestTrailers({{"t", "1"}});
      if (by_token) token.resumeWith("longer");

      CHECK(h.terminal.body == "longer");
      CHECK(h.terminal.complete);
      CHECK(h.terminal.headers == (trailers ? testing::Fields{} : testing::Fields{{"content-length", "6"}}));
      CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
    }
  }
}

// --- credit

TEST_CASE("request credit goes to nothing when a filter holds a window and comes back") {
  Pair pair;
  ResumeToken token;
  pair.a.request_headers = [&](http::RequestHeaders&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData(std::string(ChainRunner::kWindow - 1, 'x'), false);
  CHECK(h.runner->requestCredit() == 1);
  h.runner->requestData("x", false);
  CHECK(h.runner->requestCredit() == 0);
  token.resume();
  CHECK(h.client.credit_grew > 0);
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
  h.terminal.unsent = 100;
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow - 100);
  h.terminal.unsent = 0;
  h.runner->requestProgress();
  CHECK(h.client.credit_grew > 1);
}

TEST_CASE("response credit goes to nothing when a filter holds a window and comes back") {
  Pair pair;
  ResumeToken token;
  pair.a.response_data = [&](Chunk&, Stream& stream) -> HookResult {
    token = stream.resumeToken();
    return Pause{};
  };
  Harness& h = pair.make();

  h.request("GET", {}, true);
  h.respond(200, {}, false);
  h.runner->responseData(std::string(ChainRunner::kWindow / 2, 'x'), false);
  h.runner->responseData(std::string(ChainRunner::kWindow / 2, 'y'), false);
  CHECK(h.runner->responseCredit() == 0);
  token.resume();  // pauses on the second half
  CHECK(h.runner->responseCredit() == ChainRunner::kWindow / 2);
  token.resume();
  CHECK(h.terminal.credit_grew == 2);
  CHECK(h.runner->responseCredit() == ChainRunner::kWindow);
  h.client.unsent = ChainRunner::kWindow + 1;
  CHECK(h.runner->responseCredit() == 0);
}

TEST_CASE("a filter that collects gets credit for its limit and one byte more") {
  for (const size_t limit : {size_t{5}, 3 * ChainRunner::kWindow, SIZE_MAX}) {
    Pair pair;
    pair.a.request_headers = [&](http::RequestHeaders&, Stream&) -> HookResult { return Collect{limit}; };
    Harness& h = pair.make();
    h.request("POST", {}, false);
    CHECK(h.runner->requestCredit() > std::min(limit, SIZE_MAX - 1));
  }
}

// --- emitData

TEST_CASE("data emitted from a trailers hook goes in front of the trailers") {
  Pair pair;
  pair.a.request_trailers = [](http::Trailers&, Stream& stream) -> HookResult {
    stream.emitData("last");
    return Next{};
  };
  pair.b.response_trailers = [](http::Trailers& trailers, Stream& stream) -> HookResult {
    stream.emitData("bytes");
    trailers.clear();
    return Next{};
  };
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.requestTrailers({{"t", "1"}});
  h.respond(200, {}, false);
  h.responseTrailers({{"u", "1"}});

  CHECK(h.terminal.body == "last");
  CHECK(h.terminal.trailers.size() == 1);
  CHECK(h.client.body == "bytes");
  CHECK(h.client.complete);  // without trailers: the body ends the stream
  CHECK_FALSE(any(h.log, "a.request data"));
  CHECK(countOf(h.log, "b.request data last") == 1);
}

TEST_CASE("data emitted into a filter that collects is part of its body") {
  Pair pair;
  pair.a.request_trailers = [](http::Trailers&, Stream& stream) -> HookResult {
    stream.emitData("last");
    return Next{};
  };
  pair.b.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult { return Collect{100}; };
  Harness& h = pair.make();

  h.request("POST", {}, false);
  h.runner->requestData("x", false);
  h.requestTrailers({{"t", "1"}});

  CHECK(countOf(h.log, "b.request body xlast") == 1);
  CHECK(h.terminal.body == "xlast");
}

TEST_CASE("a filter that ends the stream from inside a hook has its result dropped") {
  Pair pair;
  std::optional<Harness>* harness = &pair.harness;
  pair.a.request_headers = [harness](http::RequestHeaders&, Stream&) -> HookResult {
    (*harness)->runner->end();
    return Reply{500};
  };
  Harness& h = pair.make();
  h.request("GET", {}, true);
  CHECK(h.log == Log{"a.request headers"});
}

TEST_CASE("the router's own answer from inside its headers hook goes out once") {
  Pair pair;
  Harness& h = pair.make();
  h.terminal.on_headers = [&] { h.runner->localReply(Reply{503, "no", "no_healthy_upstream"}); };
  h.request("POST", {}, false);
  CHECK(h.client.heads == 1);
  CHECK(h.client.body == "no");
  CHECK(h.client.complete);
}

// --- local replies to gRPC

TEST_CASE("a local reply to a gRPC request is a head with the status and the message") {
  Script replier{.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult {
    return Reply{403, "50% of\nit", "no", {{"x-why", "w"}, {"content-type", "text/html"}}};
  }};
  Harness h({scripted(replier)});
  h.request("POST", {{"content-type", "application/grpc+proto"}}, false);
  CHECK(h.client.status == 200);
  CHECK(h.client.complete);
  CHECK(h.client.body.empty());
  CHECK(h.client.headers == testing::Fields{{"content-type", "application/grpc"},
                                            {"grpc-status", "7"},
                                            {"grpc-message", "50%25 of%0Ait"},
                                            {"x-why", "w"}});
}

TEST_CASE("a reply may name the gRPC status itself; grpc-web and redirects stay HTTP") {
  Script named{.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult {
    Reply reply{429, "", "limited"};
    reply.grpc_status = 8;
    return reply;
  }};
  Harness h({scripted(named)});
  h.request("POST", {{"content-type", "application/grpc"}}, true);
  CHECK(h.client.headers == testing::Fields{{"content-type", "application/grpc"}, {"grpc-status", "8"}});

  Harness web({scripted(named)});
  web.request("POST", {{"content-type", "application/grpc-web"}}, true);
  CHECK(web.client.status == 429);

  Script redirect{.request_headers = [](http::RequestHeaders&, Stream&) -> HookResult {
    return Reply{301, "", "redirect", {{"location", "/b"}}};
  }};
  Harness moved({scripted(redirect)});
  moved.request("POST", {{"content-type", "application/grpc"}}, true);
  CHECK(moved.client.status == 301);
}

// Counts the ends of its streams.
struct EndCounter : HttpFilter {
  explicit EndCounter(int& ends) : ends(ends) {}
  void onStreamEnd(Stream&) override { ++ends; }
  int& ends;
};

struct EndCounterFactory : HttpFilterFactory {
  explicit EndCounterFactory(int& ends) : ends(ends) {}
  uint8_t hooks() const override { return kStreamEnd; }
  HttpFilter* create(base::Arena& arena) const override { return makeIn<EndCounter>(arena, ends); }
  int& ends;
};

TEST_CASE("a filter is told the end of its stream once, however it ends") {
  const int how = GENERATE(0, 1, 2, 3, 4);
  int ends = 0;
  {
    Harness h({std::make_shared<EndCounterFactory>(ends)});
    if (how > 0) h.request("GET", {}, true);
    if (how == 1) h.respond(200, {}, true);
    if (how == 2) h.runner->localReply(Reply{503, "", "why"});
    if (how == 3) h.runner->resetResponse("why");
    if (how == 4) h.runner->end();
  }
  CHECK(ends == 1);
}

}  // namespace
}  // namespace sluice::filter
