// Answers whose body comes from a source with credit.
#include "source/filter/test_chain.h"

namespace sluice::filter {
namespace {

// What a test gives, and what is asked of it.
struct Source {
  std::vector<std::pair<ReplyBody::Read, std::string>> pieces;
  Fields trailers;
  std::vector<size_t> rooms;  // of each read
  bool destroyed = false;
  std::function<void()> ready;
};

class TestBody : public ReplyBody {
 public:
  explicit TestBody(Source& source) : source_(source) {
    source_.ready = [this] { ready(); };
  }
  ~TestBody() override { source_.destroyed = true; }

  Read read(size_t room, std::string& piece) override {
    source_.rooms.push_back(room);
    if (source_.pieces.empty()) return Read::kLater;
    auto [read, text] = source_.pieces.front();
    source_.pieces.erase(source_.pieces.begin());
    piece = std::move(text);
    return read;
  }
  void trailers(http::Trailers& trailers) override {
    for (const auto& [name, value] : source_.trailers) trailers.add(name, value);
  }

 private:
  Source& source_;
};

Reply streamed(Source& source, Fields headers = {}) {
  Reply reply{200, "", "stored", std::move(headers)};
  reply.stream = std::make_unique<TestBody>(source);
  return reply;
}

using Read = ReplyBody::Read;

struct Stored {
  Pair pair;
  Source source;
  Harness* h = nullptr;

  Harness& make(Fields headers = {}) {
    pair.a.request_headers = [this, headers](http::RequestHeaders&, Context&) -> HookResult {
      return streamed(source, headers);
    };
    h = &pair.make();
    return *h;
  }
};

TEST_CASE("a streamed answer goes piece by piece through the response filters, with its own head") {
  Stored stored;
  stored.source.pieces = {{Read::kMore, "ab"}, {Read::kMore, "cd"}, {Read::kEnd, "e"}};
  Harness& h = stored.make({{"content-type", "image/png"}, {"age", "7"}});

  h.request("GET", {}, true);

  CHECK(h.client.status == 200);
  CHECK(h.client.headers == Fields{{"content-type", "image/png"}, {"age", "7"}});
  CHECK(h.client.body == "abcde");
  CHECK(h.client.complete);
  CHECK(stored.source.destroyed);
  CHECK(countOf(h.log, "b.response data ab") == 1);
  CHECK(countOf(h.log, "a.response data e") == 1);
  CHECK(h.stream.info().response_code_details == "stored");
}

TEST_CASE("a streamed answer may end without a last piece, and with trailers") {
  Stored stored;
  stored.source.pieces = {{Read::kMore, "ab"}, {Read::kEnd, ""}};
  stored.source.trailers = {{"grpc-status", "0"}};
  Harness& h = stored.make();

  h.request("POST", {{"content-type", "application/grpc"}}, true);

  CHECK(h.client.body == "ab");
  CHECK(h.client.trailers == Fields{{"grpc-status", "0"}});
  CHECK(h.client.complete);
  CHECK(countOf(h.log, "a.response trailers") == 1);
}

TEST_CASE("a source is read only while the client has room, and no more than that at once") {
  Stored stored;
  stored.source.pieces = {{Read::kMore, "ab"}, {Read::kEnd, "c"}};
  Harness& h = stored.make();
  h.client.unsent = ChainRunner::kWindow;

  h.request("GET", {}, true);
  CHECK(h.client.heads == 1);
  CHECK(stored.source.rooms.empty());
  h.client.unsent = ChainRunner::kWindow - 3;
  h.runner->responseProgress();

  CHECK(stored.source.rooms == std::vector<size_t>{3, 3});
  CHECK(h.client.body == "abc");
  CHECK(h.client.complete);
}

TEST_CASE("what response filters hold of a streamed answer counts, and comes back") {
  Stored stored;
  ResumeToken token;
  stored.pair.a.response_data = pausing(token);
  stored.source.pieces = {{Read::kMore, std::string(ChainRunner::kWindow, 'x')}, {Read::kEnd, "y"}};
  Harness& h = stored.make();

  h.request("GET", {}, true);
  CHECK(stored.source.rooms.size() == 1);
  token.resume();
  CHECK(stored.source.rooms.size() == 2);
  token.resume();

  CHECK(h.client.body.size() == ChainRunner::kWindow + 1);
  CHECK(h.client.complete);
}

TEST_CASE("a source that has nothing yet says when it has") {
  Stored stored;
  stored.source.pieces = {{Read::kLater, "ab"}};
  Harness& h = stored.make();

  h.request("GET", {}, true);
  CHECK(h.client.body == "ab");
  CHECK(stored.source.rooms.size() == 1);
  stored.source.pieces = {{Read::kEnd, "c"}};
  stored.source.ready();

  CHECK(h.client.body == "abc");
  CHECK(h.client.complete);
}

TEST_CASE("a head that a filter holds is not overtaken by the streamed body") {
  Stored stored;
  ResumeToken token;
  stored.pair.b.response_headers = [&](http::ResponseHeaders&, Context& context) -> HookResult {
    stored.h->runner->responseProgress();
    token = context.resumeToken();
    return Pause{};
  };
  stored.source.pieces = {{Read::kEnd, "a"}};
  Harness& h = stored.make();

  h.request("GET", {}, true);
  CHECK(h.client.heads == 0);
  token.resume();

  CHECK(h.client.body == "a");
  CHECK(h.client.complete);
}

TEST_CASE("the source goes with its stream") {
  Stored stored;
  Harness& h = stored.make();
  h.request("GET", {}, true);
  CHECK_FALSE(stored.source.destroyed);
  h.runner->end();
  CHECK(stored.source.destroyed);
}

TEST_CASE("a source that fails resets the stream, or is answered 500 if the head has not gone") {
  const bool held = GENERATE(false, true);
  Stored stored;
  ResumeToken token;
  if (held) {
    stored.pair.a.response_headers = pausing(token);
  }
  stored.source.pieces = {{Read::kMore, "a"}, {Read::kFailed, ""}};
  Harness& h = stored.make();

  h.request("GET", {}, true);

  CHECK(h.client.reset == (held ? "" : std::string(kReplyFailed)));
  CHECK(h.client.status == (held ? 500 : 200));
  CHECK(h.client.complete == held);
  CHECK(stored.source.destroyed);
}

TEST_CASE("HEAD gets the head of a streamed answer and its source is not read") {
  Stored stored;
  Harness& h = stored.make({{"content-length", "5"}});
  h.request("HEAD", {}, true);
  CHECK(h.client.complete);
  CHECK(h.client.headers == Fields{{"content-length", "5"}});
  CHECK(stored.source.rooms.empty());
  CHECK(stored.source.destroyed);
}

TEST_CASE("a response filter may put a streamed answer in the response's place") {
  Pair pair;
  Source source;
  source.pieces = {{Read::kMore, "stale"}, {Read::kEnd, "!"}};
  source.trailers = {{"t", "1"}};
  pair.b.response_headers = [&](http::ResponseHeaders&, Context&) -> HookResult { return streamed(source); };
  Harness& h = pair.make();

  h.request("GET", {}, true);
  h.respond(503, {}, false);

  CHECK(h.client.status == 200);
  CHECK(h.client.body == "stale!");
  CHECK(h.client.trailers == Fields{{"t", "1"}});
  CHECK_FALSE(any(h.log, "a.response"));
}

TEST_CASE("an answer that takes a streamed one's place ends its source") {
  Stored stored;
  stored.pair.a.response_data = [](Chunk&, Context&) -> HookResult { return Reply{502, "bad", "refused"}; };
  ResumeToken token;
  stored.pair.a.response_headers = pausing(token);
  Harness& h = stored.make();

  h.request("GET", {}, true);
  h.runner->localReply(Reply{504, "late", "timeout"});

  CHECK(h.client.status == 504);
  CHECK(h.client.body == "late");
  CHECK(stored.source.destroyed);
}

struct Mapper : ReplyMapper {
  void map(Reply& reply, Stream& stream) const override {
    reply.body = "mapped " + std::to_string(reply.status) + " " + std::string(stream.request().method);
    reply.status = 418;
    reply.headers.emplace_back("x-mapped", "1");
  }
};

TEST_CASE("local replies go by the connection manager's mapper, whoever makes them") {
  const Mapper mapper;
  Pair pair;
  const bool of_filter = GENERATE(false, true);
  if (of_filter) {
    pair.a.request_headers = [](http::RequestHeaders&, Context&) -> HookResult { return Reply{403, "no", "denied"}; };
  }
  Harness& h = pair.make();
  h.client.mapper = &mapper;

  h.request("GET", {}, true);
  if (!of_filter) h.runner->localReply(Reply{403, "no", "denied"});

  CHECK(h.client.status == 418);
  CHECK(h.client.body == "mapped 403 GET");
  CHECK(h.client.headers == Fields{{"content-length", "14"}, {"x-mapped", "1"}, {"content-type", "text/plain"}});
}

TEST_CASE("an answer of a status without a body is its head") {
  Stored stored;
  Harness& h = stored.make();
  stored.pair.a.request_headers = [&stored](http::RequestHeaders&, Context&) -> HookResult {
    Reply reply = streamed(stored.source, {{"etag", "1"}});
    reply.status = 304;
    return reply;
  };
  h.request("GET", {}, true);

  CHECK(h.log.back() == "client headers 304 end");
  CHECK(h.client.headers == Fields{{"etag", "1"}});
  CHECK(stored.source.rooms.empty());
}

// The filter b has what the upstream has only validated.
struct Validated {
  Pair pair;
  Source source;

  Harness& make() {
    source.pieces = {{Read::kMore, "ab"}, {Read::kEnd, "c"}};
    pair.b.response_headers = [this](http::ResponseHeaders&, Context&) -> HookResult {
      Reply reply = streamed(source, {{"etag", "1"}});
      reply.as_response = true;
      return reply;
    };
    return pair.make();
  }
};

TEST_CASE("an answer that takes a response's place is seen by the filters in front, and the other one is not") {
  Validated validated;
  Harness& h = validated.make();
  h.request("GET", {}, true);
  h.respond(304, {{"x", "y"}}, true);

  CHECK(h.client.status == 200);
  CHECK(h.client.headers == Fields{{"etag", "1"}});
  CHECK(h.client.body == "abc");
  CHECK(h.client.complete);
  CHECK(countOf(h.log, "a.response headers") == 1);
  CHECK(countOf(h.log, "a.response data ab") == 1);
  CHECK_FALSE(any(h.log, "b.response data"));
  CHECK_FALSE(h.terminal.cancelled);
}

TEST_CASE("of a response whose place was taken nothing more goes on") {
  Validated validated;
  Harness& h = validated.make();
  h.client.unsent = ChainRunner::kWindow;
  h.request("GET", {}, true);
  h.respond(503, {}, false);
  CHECK(h.terminal.cancelled);
  h.runner->responseData("down", true);
  CHECK(h.client.body == "");

  h.client.unsent = 0;
  h.runner->responseProgress();
  CHECK(h.client.body == "abc");

  // The router's own answer, with a body behind its head.
  Validated again;
  Harness& local = again.make();
  local.request("GET", {}, true);
  local.runner->localReply(Reply{503, "down", "no_healthy_upstream"});
  CHECK(local.client.heads == 1);
  CHECK(local.client.body == "abc");
  CHECK(local.client.complete);
}

}  // namespace
}  // namespace sluice::filter
