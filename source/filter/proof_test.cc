// Filters that use what only some filters need, in every order in which events can come.
#include <catch2/catch.hpp>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "test/support/filter/interleaving.h"

namespace sluice::filter {
namespace {

using testing::runInterleavings;
using testing::runOverCodecs;
using testing::Suite;

void pass(const Suite& suite) {
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

// --- a stored answer -------------------------------------------------------------------------------------------------

// Asks a store for each piece of the answer.
class StoredBody : public ReplyBody {
 public:
  explicit StoredBody(Context& context) : context_(context) {}

  Read read(size_t room, std::string& piece) override {
    if (failed_) return Read::kFailed;
    if (!ready_.empty()) {
      piece = ready_.substr(0, room);
      ready_.erase(0, piece.size());
      return ended_ && ready_.empty() ? Read::kEnd : Read::kMore;
    }
    if (!call_) ask();
    return Read::kLater;
  }
  void trailers(http::Trailers& trailers) override { trailers.add("stored", "1"); }

 private:
  void ask() {
    call_ = context_.calls().send({.cluster = "store", .path = "/" + std::to_string(asked_++)},
                                  [this](const HttpCallResponse& answer) {
                                    call_.reset();
                                    failed_ = answer.status != 200;
                                    ready_ = answer.body;
                                    ended_ = asked_ == 2;
                                    ready();
                                  });
  }

  Context& context_;
  std::unique_ptr<Call> call_;
  std::string ready_;
  int asked_ = 0;
  bool ended_ = false;
  bool failed_ = false;
};

class Store : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders&, Context& context) override {
    Reply reply{200, "", "stored", {{"content-type", "text/plain"}}};
    reply.stream = std::make_unique<StoredBody>(context);
    return reply;
  }
};

TEST_CASE("a filter that streams a stored answer passes the suite") {
  Suite suite;
  suite.chain = [] {
    return std::vector<std::shared_ptr<const HttpFilterFactory>>{std::make_shared<Factory<Store>>()};
  };
  suite.answer = [](const HttpCallRequest& request) {
    return HttpCallResponse{.status = 200, .body = request.path == "/0" ? "sto" : "red"};
  };
  suite.bad_answers = {{.status = 404}, {.failure = "reset"}};
  suite.response_due = [](std::string_view) { return std::string("stored"); };
  suite.response_trailers_due = 1;
  suite.answers_itself = true;
  pass(suite);
}

// --- a stored answer in place of a response
// ----------------------------------------------------------------------------

// What a stored answer was validated by.
class Validated : public Store {
 public:
  HookResult onRequestHeaders(http::RequestHeaders&, Context&) override { return Next{}; }
  HookResult onResponseHeaders(http::ResponseHeaders& headers, Context& context) override {
    if (headers.status != 200) return Next{};
    Reply reply{200, "", "stored", {{"content-type", "text/plain"}}};
    reply.stream = std::make_unique<StoredBody>(context);
    reply.as_response = true;
    return reply;
  }
};

// Takes the whole body before anybody else sees the head.
class Whole : public HttpFilter {
 public:
  HookResult onResponseHeaders(http::ResponseHeaders&, Context&) override { return Collect{100}; }
};

TEST_CASE("a filter that streams a stored answer in place of a response passes the suite") {
  Suite suite;
  suite.chain = [] {
    return std::vector<std::shared_ptr<const HttpFilterFactory>>{
        std::make_shared<Factory<Whole>>(), std::make_shared<Factory<Validated>>(), std::make_shared<Factory<Whole>>()};
  };
  suite.answer = [](const HttpCallRequest& request) {
    return HttpCallResponse{.status = 200, .body = request.path == "/0" ? "sto" : "red"};
  };
  suite.bad_answers = {{.status = 404}, {.failure = "reset"}};
  suite.response_due = [](std::string_view) { return std::string("stored"); };
  suite.response_trailers_due = 1;
  pass(suite);
}

// --- another route ---------------------------------------------------------------------------------------------------

struct Name final : route::PerFilterConfig {
  explicit Name(std::string name) : name(std::move(name)) {}
  const std::string name;
};

// Asks where the request belongs, and chooses its route by that.
class Placer : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders&, Context& context) override {
    token_ = context.resumeToken();
    call_ = context.calls().send({.cluster = "places"}, [this, &context](const HttpCallResponse& answer) {
      if (!token_) return;
      if (answer.status != 200) return token_.reply(Reply{503, "no place", "no_place"});
      context.request().set("x-place", answer.body);
      if (context.rematchRoute()) token_.resume();
    });
    return Pause{};
  }

 private:
  ResumeToken token_;
  std::unique_ptr<Call> call_;
};

// Lets only requests of the route with its name through.
class Gatekeeper : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders&, Context& context) override {
    const auto* name = context.routeConfigAs<Name>();
    if (name == nullptr || name->name != "second") return Reply{500, "the first route's", "wrong_route"};
    return Next{};
  }
};

TEST_CASE("a filter that chooses the route anew after a call-out passes the suite") {
  route::TableSpec spec;
  spec.virtual_hosts.push_back({.name = "v", .domains = {"*"}});
  for (const std::string& name : std::vector<std::string>{"second", "first"}) {
    route::RouteSpec route;
    route.path = "/";
    route.action = route::DirectResponseSpec{};
    route.per_filter = {{1, std::make_shared<const Name>(name)}};
    if (name == "second") {
      route.conditions.headers.emplace_back().setName("x-place");
    }
    spec.virtual_hosts[0].routes.push_back(std::move(route));
  }
  Suite suite;
  suite.table = *route::Table::build(std::move(spec));
  suite.entries = [] {
    return std::vector<ChainConfig::Entry>{{"placer", std::make_shared<Factory<Placer>>(), 0},
                                           {"gatekeeper", std::make_shared<Factory<Gatekeeper>>(), 1}};
  };
  suite.answer = [](const HttpCallRequest&) { return HttpCallResponse{.status = 200, .body = "here"}; };
  suite.bad_answers = {{.status = 404}, {.failure = "reset"}};
  pass(suite);
}

// --- collect, ask twice, add trailers --------------------------------------------------------------------------------

class Notary : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders&, Context&) override { return Collect{1000}; }
  HookResult onRequestBody(Body& body, Context& context) override { return ask(request_, body.bytes(), context); }
  HookResult onResponseHeaders(http::ResponseHeaders&, Context&) override { return Collect{1000}; }
  HookResult onResponseBody(Body& body, Context& context) override { return ask(response_, body.bytes(), context); }

 private:
  struct Side {
    ResumeToken token;
    std::unique_ptr<Call> call;
    std::string seal;
  };

  HookResult ask(Side& side, std::string_view body, Context& context) {
    side.token = context.resumeToken();
    send(side, std::string(body), context, [this, &side, &context](const HttpCallResponse& first) {
      if (first.status != 200) return refuse(side);
      side.seal = first.body;
      send(side, first.body, context, [this, &side, &context](const HttpCallResponse& second) {
        if (second.status != 200) return refuse(side);
        http::Trailers& trailers = &side == &request_ ? context.addRequestTrailers() : context.addResponseTrailers();
        trailers.add("seal", side.seal + second.body);
        side.token.resume();
      });
    });
    return Pause{};
  }
  void send(Side& side, std::string body, Context& context, std::function<void(const HttpCallResponse&)> then) {
    side.call = context.calls().send({.cluster = "notary", .method = "POST", .body = std::move(body)},
                                     [&side, then = std::move(then)](const HttpCallResponse& answer) {
                                       if (side.token) then(answer);
                                     });
  }
  static void refuse(Side& side) { side.token.reply(Reply{502, "no seal", "no_seal"}); }

  Side request_, response_;
};

TEST_CASE("a filter that collects, calls out twice and adds trailers passes the suite") {
  for (const bool trailers : {false, true}) {
    Suite suite;
    suite.chain = [] {
      return std::vector<std::shared_ptr<const HttpFilterFactory>>{std::make_shared<Factory<Notary>>()};
    };
    suite.request = {{}, "abc", trailers};
    suite.response = {{}, "xyz", trailers};
    suite.request_trailers_due = suite.response_trailers_due = trailers ? 2 : 1;
    suite.answer = [](const HttpCallRequest& request) { return HttpCallResponse{.status = 200, .body = request.body}; };
    suite.bad_answers = {{.status = 403}, {.failure = "reset"}};
    pass(suite);
  }
}

// --- disabled in the chain, enabled by the route ---------------------------------------------------------------------

class Doubler : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders& headers, Context&) override {
    headers.remove(http::Name::kContentLength);
    return Next{};
  }
  HookResult onRequestData(Chunk& chunk, Context&) override {
    chunk.replace(std::string(chunk.bytes()) + std::string(chunk.bytes()));
    return Next{};
  }
};

TEST_CASE("filters that the chain has disabled and the route enables pass the suite") {
  for (const bool enabled : {false, true}) {
    Suite suite;
    suite.entries = [] {
      return std::vector<ChainConfig::Entry>{{"doubler", std::make_shared<Factory<Doubler>>(), 0, /*disabled=*/true}};
    };
    if (enabled) suite.table = testing::tableOf({std::make_shared<const route::FilterSwitch>(false)});
    suite.request = {{{"content-length", "1"}}, "a", false};
    suite.request_due = [enabled](std::string_view body) {
      return enabled ? std::string(body) + std::string(body) : std::string(body);
    };
    pass(suite);
  }
}

// --- a body that is looked up elsewhere, in pieces -------------------------------------------------------------------

// Has the request's body inspected as it comes: the head waits for the verdict.
class Inspector : public HttpFilter, private HttpStreamEvents {
 public:
  HookResult onRequestHeaders(http::RequestHeaders&, Context&) override { return Collect{1000}; }
  HookResult onRequestBody(Body& body, Context& context) override {
    token_ = context.resumeToken();
    call_ = context.calls().openHttp({.cluster = "inspector", .method = "POST"}, false, *this);
    call_->sendData(body.bytes(), true);
    return Pause{};
  }

 private:
  void onHead(uint16_t status, Fields, bool) override {
    if (!token_) return;
    if (status != 200) return token_.reply(Reply{403, "refused", "inspected"});
    token_.resume();
  }
  void onData(std::string_view, bool) override {}
  void onTrailers(Fields) override {}
  void onFailure(std::string_view) override {
    if (token_) token_.reply(Reply{503, "no inspector", "inspector_gone"});
  }

  ResumeToken token_;
  std::unique_ptr<HttpStreamCall> call_;
};

TEST_CASE("a call in pieces that a filter opens is told as it goes and cancelled with its stream") {
  const int how = GENERATE(0, 1, 2, 3);
  testing::Harness h({std::make_shared<Factory<Inspector>>()});

  h.request("POST", {}, false);
  h.runner->requestData("abc", true);
  REQUIRE(h.calls.http.size() == 1);
  CHECK(h.calls.http[0]->body == "abc");
  CHECK(h.calls.http[0]->ended);
  if (how == 0) h.calls.http[0]->events.onHead(200, {}, true);
  if (how == 1) h.calls.http[0]->events.onHead(403, {}, true);
  if (how == 2) h.calls.http[0]->events.onFailure("reset");
  if (how == 3) h.runner->end();
  h.runner.reset();

  CHECK(h.terminal.complete == (how == 0));
  CHECK(h.client.status == std::vector<uint16_t>{0, 403, 503, 0}[how]);
  CHECK(h.calls.http.empty());
}

}  // namespace
}  // namespace sluice::filter
