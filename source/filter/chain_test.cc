// The order of hooks, pauses, credit and ends.
#include "source/filter/test_chain.h"

namespace sluice::filter {
namespace {

TEST_CASE("request hooks run first to last and response hooks last to first") {
  Pair pair;
  Harness& h = pair.make();

  post(h, {"x"}, false);
  h.requestTrailers({{"t", "1"}});
  answer(h, {"y"}, false);
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

  post(h, {"x"}, false);
  h.requestTrailers({{"t", "1"}});
  answer(h, {"y"}, true);

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
  pair.b.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    seen = context.routeConfig();
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
  pair.a.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
    seen.push_back(context.requestHeadersOnly());
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
  pair.b.request_headers = pausing(token);
  Harness& h = pair.make();

  post(h, {"1", "2"}, false);
  h.requestTrailers({{"t", "1"}});
  CHECK(h.terminal.heads == 0);
  CHECK(countOf(h.log, "a.request trailers") == 1);  // what is before the pause has seen all
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow - 2);
  token.resume();

  CHECK_FALSE(token);
  CHECK(h.terminal.body == "12");
  CHECK(h.terminal.trailers == Fields{{"t", "1"}});
  CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
  CHECK(h.client.credit_grew >= 1);
}

TEST_CASE("a token that is used before the hook returns does not pause") {
  for (const bool later : {false, true}) {
    Pair pair;
    ResumeToken token;
    auto pause = [&](auto&, Context& context) -> HookResult {
      token = context.resumeToken();
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
    pair.a.request_data = [&](Chunk&, Context& context) -> HookResult {
      token = context.resumeToken();
      if (!later) token.resumeWith("longer");
      return Pause{};
    };
    Harness& h = pair.make();

    post(h, {"x"}, true);
    if (later) token.resumeWith("longer");

    CHECK(h.log.back() == "terminal data longer end");
    CHECK(h.runner->requestCredit() == ChainRunner::kWindow);
  }
}

TEST_CASE("resumeWith puts a body behind headers, and nothing in front of trailers") {
  for (const bool later : {false, true}) {
    Pair pair;
    ResumeToken token;
    auto pause = [&](auto&, Context& context) -> HookResult {
      token = context.resumeToken();
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
    pair.a.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
      token = context.resumeToken();
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
      pair.a.request_headers = [&](http::RequestHeaders&, Context& context) -> HookResult {
        token = context.resumeToken();
        if (!later) token.collect(Collect{10});
        return Pause{};
      };
      std::string body;
      pair.a.request_body = [&](Body& collected, Context&) -> HookResult {
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
  pair.a.request_headers = pausing(token);
  Harness& h = pair.make();

  post(h, {"abc"}, false);
  token.collect(Collect{2});

  CHECK(h.client.status == 413);
}

TEST_CASE("what comes in while a stage sends on what it held stays behind it") {
  Pair pair;
  ResumeToken token;
  pair.a.request_headers = pausing(token);
  Harness& h = pair.make();
  h.terminal.on_headers = [&] { h.runner->requestData("3", true); };

  post(h, {"1", "2"}, false);
  token.resume();

  CHECK(h.terminal.body == "123");
  CHECK(h.terminal.complete);
}

TEST_CASE("a chunk that a filter emptied is not sent on unless it ends the stream") {
  Pair pair;
  pair.a.request_data = [](Chunk& chunk, Context&) -> HookResult {
    chunk.replace("");
    return Next{};
  };
  pair.b.hooks = 0;
  Harness& h = pair.make();

  post(h, {"1", "2"}, true);

  CHECK(h.log ==
        Log{"a.request headers", "terminal headers", "a.request data 1", "a.request data 2", "terminal data  end"});
}

TEST_CASE("a dropped token resets the stream once") {
  Pair pair;
  ResumeToken token;
  pair.a.request_headers = pausing(token);
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
    pair.a.request_headers = [](http::RequestHeaders&, Context&) -> HookResult { return Pause{}; };
  }
  SECTION("it was dropped in the hook") {
    pair.a.request_headers = [](http::RequestHeaders&, Context& context) -> HookResult {
      { const ResumeToken dropped = context.resumeToken(); }
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
  pair.a.request_headers = pausing(token);
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

// --- credit

TEST_CASE("request credit goes to nothing when a filter holds a window and comes back") {
  Pair pair;
  ResumeToken token;
  pair.a.request_headers = pausing(token);
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
  pair.a.response_data = pausing(token);
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
    pair.a.request_headers = collecting(limit);
    Harness& h = pair.make();
    h.request("POST", {}, false);
    CHECK(h.runner->requestCredit() > std::min(limit, SIZE_MAX - 1));
  }
}

// --- emitData

TEST_CASE("data emitted from a trailers hook goes in front of the trailers") {
  Pair pair;
  pair.a.request_trailers = [](http::Trailers&, Context& context) -> HookResult {
    context.emitRequestData("last");
    return Next{};
  };
  pair.b.response_trailers = [](http::Trailers& trailers, Context& context) -> HookResult {
    context.emitResponseData("bytes");
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
  pair.a.request_trailers = [](http::Trailers&, Context& context) -> HookResult {
    context.emitRequestData("last");
    return Next{};
  };
  pair.b.request_headers = collecting(100);
  Harness& h = pair.make();

  post(h, {"x"}, false);
  h.requestTrailers({{"t", "1"}});

  CHECK(countOf(h.log, "b.request body xlast") == 1);
  CHECK(h.terminal.body == "xlast");
}

TEST_CASE("a filter that ends the stream from inside a hook has its result dropped") {
  Pair pair;
  std::optional<Harness>* harness = &pair.harness;
  pair.a.request_headers = [harness](http::RequestHeaders&, Context&) -> HookResult {
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

// Counts the ends of its streams.
struct EndCounter : HttpFilter {
  explicit EndCounter(int* const& ends) : ends(ends) {}
  void onStreamEnd(Context&) override { ++*ends; }
  int* const ends;
};

TEST_CASE("a filter is told the end of its stream once, however it ends") {
  const int how = GENERATE(0, 1, 2, 3, 4);
  int ends = 0;
  {
    Harness h({std::make_shared<Factory<EndCounter, int*>>(&ends)});
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
