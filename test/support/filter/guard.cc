#include "test/support/filter/guard.h"

#include "source/filter/chain.h"
#include "test/support/filter/bed.h"

namespace sluice::filter::testing {
namespace {

// A filter with its hooks watched.
class Guard : public HttpFilter {
 public:
  Guard(HttpFilter* inner, const HttpFilterFactory& factory, const std::string& name, Watch& watch)
      : inner_(inner), tells_end_((factory.hooks() & kStreamEnd) != 0), name_(name), watch_(watch) {
    ++watch_.filters;
  }
  ~Guard() override {
    // One that another route has no use for was never asked anything.
    const bool was_asked = request_.seen != kNothing || response_.seen != kNothing;
    if (tells_end_ && !told_ && was_asked) report("was not told of the end of its stream");
    --watch_.filters;
    inner_->~HttpFilter();
  }

  HookResult onRequestHeaders(http::RequestHeaders& headers, Context& context) override {
    enter(request_, kHead, context.requestHeadersOnly(), "request headers");
    return leave(request_, inner_->onRequestHeaders(headers, context));
  }
  HookResult onRequestData(Chunk& chunk, Context& context) override {
    enter(request_, kBody, chunk.endStream(), "request data");
    return leave(request_, inner_->onRequestData(chunk, context));
  }
  HookResult onRequestBody(Body& body, Context& context) override {
    enterBody(request_, "request body");
    return leave(request_, inner_->onRequestBody(body, context));
  }
  HookResult onRequestTrailers(http::Trailers& trailers, Context& context) override {
    enter(request_, kTail, true, "request trailers");
    return leave(request_, inner_->onRequestTrailers(trailers, context));
  }
  HookResult onResponseHeaders(http::ResponseHeaders& headers, Context& context) override {
    enter(response_, kHead, context.responseHeadersOnly(), "response headers");
    return leave(response_, inner_->onResponseHeaders(headers, context));
  }
  HookResult onResponseData(Chunk& chunk, Context& context) override {
    enter(response_, kBody, chunk.endStream(), "response data");
    return leave(response_, inner_->onResponseData(chunk, context));
  }
  HookResult onResponseBody(Body& body, Context& context) override {
    enterBody(response_, "response body");
    return leave(response_, inner_->onResponseBody(body, context));
  }
  HookResult onResponseTrailers(http::Trailers& trailers, Context& context) override {
    enter(response_, kTail, true, "response trailers");
    return leave(response_, inner_->onResponseTrailers(trailers, context));
  }
  std::optional<Reply> onRouteChanged(const http::RequestHeaders& headers, Context& context) override {
    enterAny(request_, "route changed");
    std::optional<Reply> reply = inner_->onRouteChanged(headers, context);
    request_.replied |= reply.has_value();
    return reply;
  }
  void onStreamEnd(Context& context) override {
    if (std::exchange(told_, true)) report("was told of the end of its stream twice");
    inner_->onStreamEnd(context);
  }

 private:
  enum Phase { kNothing, kHead, kBody, kTail };
  struct Way {
    Phase seen = kNothing;
    bool ended = false;
    bool replied = false;
    bool collects = false;
  };

  void enterAny(const Way& way, const std::string& hook) {
    const ChainRunner* const runner = watch_.bed->runner();
    if (runner == nullptr || runner->ended() || told_) return report(hook + " ran after the end of the stream");
    if (way.replied || (&way == &request_ && response_.replied)) report(hook + " ran after the filter's reply");
    if (&way == &request_ && runner->requestClosed()) report(hook + " ran on a request that has its answer");
  }
  // A filter need not have all hooks, so only what comes too late or twice is wrong.
  void enter(Way& way, Phase phase, bool end_stream, const std::string& hook) {
    enterAny(way, hook);
    if (way.ended) report(hook + " ran after the end of the message");
    if (phase < way.seen || (phase == way.seen && phase != kBody)) report(hook + " ran out of order");
    way.seen = phase;
    way.ended = end_stream;
  }
  void enterBody(Way& way, const std::string& hook) {
    enterAny(way, hook);
    if (!std::exchange(way.collects, false)) report(hook + " ran without Collect");
  }
  HookResult leave(Way& way, HookResult result) {
    way.replied |= result.kind() == HookResult::Kind::kReply;
    // Who pauses on a head may ask for its body later.
    way.collects |=
        result.kind() == HookResult::Kind::kCollect || (result.kind() == HookResult::Kind::kPause && way.seen == kHead);
    return result;
  }

  void report(const std::string& what) { watch_.report(name_ + ": " + what); }

  HttpFilter* inner_;
  const bool tells_end_;
  const std::string& name_;
  Watch& watch_;
  Way request_, response_;
  bool told_ = false;  // of the end of the stream
};

class GuardFactory : public HttpFilterFactory {
 public:
  GuardFactory(std::shared_ptr<const HttpFilterFactory> inner, std::string name, Watch& watch)
      : inner_(std::move(inner)), name_(std::move(name)), watch_(watch) {}
  uint8_t hooks() const override { return inner_->hooks(); }
  HttpFilter* create(base::Arena& arena) const override {
    return makeIn<Guard>(arena, inner_->create(arena), *inner_, name_, watch_);
  }

 private:
  const std::shared_ptr<const HttpFilterFactory> inner_;
  const std::string name_;
  Watch& watch_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> guarded(std::shared_ptr<const HttpFilterFactory> inner, std::string name,
                                                 Watch& watch) {
  return std::make_shared<GuardFactory>(std::move(inner), std::move(name), watch);
}

}  // namespace sluice::filter::testing
