#include "test/support/filter/test_filters.h"

#include <string>

#include "absl/strings/ascii.h"
#include "source/filter/context.h"

namespace sluice::filter::testing {
namespace {

std::string upper(std::string_view text) {
  return absl::AsciiStrToUpper(absl::string_view(text.data(), text.size()));
}

class Rewriter : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders& headers, Context&) override { return head(headers); }
  HookResult onRequestData(Chunk& chunk, Context&) override { return data(chunk); }
  HookResult onRequestTrailers(http::Trailers& trailers, Context& context) override {
    context.emitRequestData("!");
    return tail(trailers);
  }
  HookResult onResponseHeaders(http::ResponseHeaders& headers, Context&) override { return head(headers); }
  HookResult onResponseData(Chunk& chunk, Context&) override { return data(chunk); }
  HookResult onResponseTrailers(http::Trailers& trailers, Context& context) override {
    context.emitResponseData("!");
    return tail(trailers);
  }

 private:
  HookResult head(http::HeaderList& headers) {
    headers.remove(http::Name::kContentLength);
    return Next{};
  }
  HookResult data(Chunk& chunk) {
    chunk.replace(upper(chunk.bytes()) + (chunk.endStream() ? "!" : ""));
    return Next{};
  }
  HookResult tail(http::Trailers& trailers) {
    trailers.set("mark", "rewritten");
    return Next{};
  }
};

class Exchanger : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders&, Context& context) override {
    return ask(request_, "/request/headers", {}, context);
  }
  HookResult onRequestData(Chunk& chunk, Context& context) override {
    return ask(request_, "/request/data", chunk.bytes(), context);
  }
  HookResult onRequestTrailers(http::Trailers&, Context& context) override {
    return ask(request_, "/request/trailers", {}, context);
  }
  HookResult onResponseHeaders(http::ResponseHeaders&, Context& context) override {
    return ask(response_, "/response/headers", {}, context);
  }
  HookResult onResponseData(Chunk& chunk, Context& context) override {
    return ask(response_, "/response/data", chunk.bytes(), context);
  }
  HookResult onResponseTrailers(http::Trailers&, Context& context) override {
    return ask(response_, "/response/trailers", {}, context);
  }

 private:
  struct Way {
    ResumeToken token;
    std::unique_ptr<Call> call;
    bool head = false;
    bool data = false;
  };

  HookResult ask(Way& way, const std::string& path, std::string_view bytes, Context& context) {
    way.token = context.resumeToken();
    way.head = path.ends_with("headers");
    way.data = path.ends_with("data");
    HttpCallRequest request{.cluster = "peer", .method = "POST", .path = path, .body = std::string(bytes)};
    way.call = context.calls().send(std::move(request), [&way](HttpCallResponse answer) { answered(way, answer); });
    return Pause{};
  }
  static void answered(Way& way, HttpCallResponse& answer) {
    if (answer.status == 200) {
      if (way.data) return way.token.resumeWith(std::move(answer.body));
      return way.token.resume();
    }
    if (answer.status != 0) return way.token.reply(Reply{answer.status, std::move(answer.body), "peer_replied"});
    if (way.head) return way.token.reply(Reply{502, "peer is gone", "peer_died"});
    way.token.drop();
  }

  Way request_, response_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> rewriter() {
  return std::make_shared<Factory<Rewriter>>();
}

std::string rewritten(std::string_view body) {
  return upper(body) + "!";
}

std::shared_ptr<const HttpFilterFactory> exchanger() {
  return std::make_shared<Factory<Exchanger>>();
}

}  // namespace sluice::filter::testing
