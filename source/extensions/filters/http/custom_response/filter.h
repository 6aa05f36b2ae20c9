// Puts other answers in the place of those that a matcher takes: made here, or got from elsewhere.
// (proto: envoy.extensions.filters.http.custom_response.v3.CustomResponse)
#pragma once

#include <memory>

#include "source/extensions/filters/http/custom_response/policies.h"
#include "source/filter/calls.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::custom_response {

using RouteSettings = route::RouteSettings<Responses>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Responses& responses) : responses_(responses) {}

  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

 private:
  filter::HookResult answerFromElsewhere(const Redirect& redirect, filter::Context& context);
  void onAnswer(const Redirect& redirect, filter::HttpCallResponse answer, filter::Context& context);

  const Responses& responses_;
  // Of the answer that is being got from elsewhere.
  filter::ResumeToken token_;
  std::unique_ptr<filter::Call> call_;
};

using FilterFactory = filter::Factory<Filter, Responses>;

}  // namespace sluice::extensions::http_filters::custom_response
