#include "source/extensions/filters/http/bandwidth_limit/filter.h"

#include "source/filter/context.h"

namespace sluice::extensions::http_filters::bandwidth_limit {

using filter::HookResult;
using filter::Next;
using std::chrono::milliseconds;

void Filter::begin(Flow& flow, const Stats& stats, filter::Context& context) {
  flow.stats = &stats;
  context.count(stats.enabled);
}

void Filter::finish(Flow& flow, filter::Context& context) {
  if (flow.stats == nullptr || !flow.some) return;
  context.sub(flow.stats->pending);
  const auto took = std::chrono::duration_cast<milliseconds>(context.now() - flow.begun);
  context.record(flow.stats->transfer_duration, static_cast<uint64_t>(took.count()));
  flow.stats = nullptr;
}

void Filter::abandon(Flow& flow, filter::Context& context) {
  if (flow.waiting > 0) settings_->pace->giveBack(flow.waiting);
  finish(flow, context);
}

HookResult Filter::hold(Flow& flow, filter::Chunk& chunk, filter::Context& context) {
  if (flow.stats == nullptr) return Next{};
  if (!flow.some) {
    flow.some = true;
    flow.begun = context.now();
    context.add(flow.stats->pending);
  }
  const uint64_t size = chunk.bytes().size();
  context.count(flow.stats->incoming_total_size, size);
  const auto wait = std::chrono::ceil<milliseconds>(settings_->pace->take(size, context.now()));
  const bool last = chunk.endStream();
  if (wait.count() == 0) {
    context.count(flow.stats->allowed_total_size, size);
    if (last) finish(flow, context);
    return Next{};
  }
  if (!flow.held) context.count(flow.stats->enforced);
  flow.held = true;
  flow.waiting = size;
  flow.token = context.resumeToken();
  flow.timer = context.calls().after(wait, [&flow, &context, size, last] {
    if (!flow.token) return;  // the stream was answered meanwhile
    flow.waiting = 0;
    context.count(flow.stats->allowed_total_size, size);
    if (last) finish(flow, context);
    flow.token.resume();
  });
  return filter::Pause{};
}

HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  settings_ = &context.settingsOr(*settings_);
  if (settings_->pace && settings_->requests) begin(request_, settings_->request_stats, context);
  return Next{};
}

HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context& context) {
  return hold(request_, chunk, context);
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders&, filter::Context& context) {
  if (settings_->pace && settings_->responses) begin(response_, settings_->response_stats, context);
  return Next{};
}

HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context& context) {
  return hold(response_, chunk, context);
}

// Of bodies with trailers behind them, and of those that were cut.
void Filter::onStreamEnd(filter::Context& context) {
  abandon(request_, context);
  abandon(response_, context);
}

}  // namespace sluice::extensions::http_filters::bandwidth_limit
