// An HTTP filter that is another one, which is known only with the request: the base of filters that choose.
//
// The other filter is made once, with the head of the request, or with that of an answer that came before it, in the
// stream's arena. It runs under this one's context: tokens, settings of routes and the place in the chain are this
// one's.
#pragma once

#include <optional>

#include "source/filter/http_filter.h"

namespace sluice::filter {

class DelegatingFilter : public HttpFilter {
 public:
  DelegatingFilter() = default;
  DelegatingFilter(const DelegatingFilter&) = delete;
  DelegatingFilter& operator=(const DelegatingFilter&) = delete;
  ~DelegatingFilter() override { end(); }

  HookResult onRequestHeaders(http::RequestHeaders& headers, Context& context) final;
  HookResult onRequestData(Chunk& chunk, Context& context) final;
  HookResult onRequestBody(Body& body, Context& context) final;
  HookResult onRequestTrailers(http::Trailers& trailers, Context& context) final;
  HookResult onResponseHeaders(http::ResponseHeaders& headers, Context& context) final;
  HookResult onResponseData(Chunk& chunk, Context& context) final;
  HookResult onResponseBody(Body& body, Context& context) final;
  HookResult onResponseTrailers(http::Trailers& trailers, Context& context) final;
  std::optional<Reply> onRouteChanged(const http::RequestHeaders& headers, Context& context) final;
  void onStreamEnd(Context& context) final;

 protected:
  // What makes the filter; null: none. It outlives this, or the derived class ends() before it lets go of it.
  virtual const HttpFilterFactory* choose(Context& context) = 0;
  // What becomes of a request without a filter.
  virtual HookResult withoutFilter() { return Next{}; }
  // Destroys the filter.
  void end();

 private:
  void decide(Context& context);

  HttpFilter* inner_ = nullptr;  // in the stream's arena; null: none
  bool decided_ = false;
};

}  // namespace sluice::filter
