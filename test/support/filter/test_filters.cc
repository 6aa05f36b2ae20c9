#include "test/support/filter/test_filters.h"

#include <string>

#include "absl/strings/ascii.h"
#include "source/filter/stream.h"

namespace sluice::filter::testing {
namespace {

std::string upper(std::string_view text) {
  return absl::AsciiStrToUpper(absl::string_view(text.data(), text.size()));
}

class Rewriter : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders& headers, Stream&) override { return head(headers); }
  HookResult onRequestData(Chunk& chunk, Stream&) override { return data(chunk); }
  HookResult onRequestTrailers(http::Trailers& trailers, Stream& stream) override { return tail(trailers, stream); }
  HookResult onResponseHeaders(http::ResponseHeaders& headers, Stream&) override { return head(headers); }
  HookResult onResponseData(Chunk& chunk, Stream&) override { return data(chunk); }
  HookResult onResponseTrailers(http::Trailers& trailers, Stream& stream) override { return tail(trailers, stream); }

 private:
  HookResult head(http::HeaderList& headers) {
    headers.remove(http::Name::kContentLength);
    return Next{};
  }
  HookResult data(Chunk& chunk) {
    chunk.replace(upper(chunk.bytes()) + (chunk.endStream() ? "!" : ""));
    return Next{};
  }
  HookResult tail(http::Trailers& trailers, Stream& stream) {
    stream.emitData("!");
    trailers.set("mark", "rewritten");
    return Next{};
  }
};

class Exchanger : public HttpFilter {
 public:
  HookResult onRequestHeaders(http::RequestHeaders&, Stream& stream) override {
    return ask(request_, "/request/headers", {}, stream);
  }
  HookResult onRequestData(Chunk& chunk, Stream& stream) override {
    return ask(request_, "/request/data", chunk.bytes(), stream);
  }
  HookResult onRequestTrailers(http::Trailers&, Stream& stream) override {
    return ask(request_, "/request/trailers", {}, stream);
  }
  HookResult onResponseHeaders(http::ResponseHeaders&, Stream& stream) override {
    return ask(response_, "/response/headers", {}, stream);
  }
  HookResult onResponseData(Chunk& chunk, Stream& stream) override {
    return ask(response_, "/response/data", chunk.bytes(), stream);
  }
  HookResult onResponseTrailers(http::Trailers&, Stream& stream) override {
    return ask(response_, "/response/trailers", {}, stream);
  }

 private:
  struct Way {
    ResumeToken token;
    std::unique_ptr<Call> call;
    bool head = false;
    bool data = false;
  };

  HookResult ask(Way& way, const std::string& path, std::string_view bytes, Stream& stream) {
    way.token = stream.resumeToken();
    way.head = path.ends_with("headers");
    way.data = path.ends_with("data");
    HttpCallRequest request{.cluster = "peer", .method = "POST", .path = path, .body = std::string(bytes)};
    way.call = stream.calls().send(std::move(request), [&way](HttpCallResponse answer) { answered(way, answer); });
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

template <typename Filter>
class Factory : public HttpFilterFactory {
 public:
  uint8_t hooks() const override { return 0x3f; }
  HttpFilter* create(base::Arena& arena) const override { return makeIn<Filter>(arena); }
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
