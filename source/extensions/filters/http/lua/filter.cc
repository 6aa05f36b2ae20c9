#include "source/extensions/filters/http/lua/filter.h"

#include "absl/strings/str_cat.h"
#include "source/filter/context.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::lua {

using filter::Collect;
using filter::HookResult;
using filter::Next;
using filter::Pause;
using filter::Reply;

namespace {

bool acceptsTunnel(filter::Context& context) {
  const http::RequestHeaders& request = context.request();
  const uint16_t status = context.response().status;
  return request.wantsTunnel() && (request.upgrade.empty() ? status / 100 == 2 : status == 101);
}

}  // namespace

Script::Script(std::string code, std::string name, const Limits& limits, observability::Logger* logger,
               worker::LocalSlots slots)
    : name_(std::move(name)),
      machines_(std::move(slots), [code = std::move(code), name = name_, limits, logger](worker::WorkerServices&) {
        auto of_worker = std::make_unique<OfWorker>();
        std::string error;
        const auto print = [logger, name](std::string_view line) {
          if (logger != nullptr) logger->info("lua", name, ": ", line);
        };
        of_worker->machine = Machine::load(code, name, limits, print, error);
        if (of_worker->machine == nullptr && logger != nullptr) logger->error("lua", name, " did not load: ", error);
        return of_worker;
      }) {}

Machine* Script::machine(worker::WorkerServices& worker) const {
  return machines_.get(worker).machine.get();
}

std::optional<const Script*> Filter::chooseScript(filter::Context& context) {
  route_ = context.routeConfigAs<RouteSettings>();
  if (route_ == nullptr) return settings_.script.get();
  if (route_->off) return nullptr;
  if (route_->script != nullptr) return route_->script.get();
  if (route_->name.empty()) return settings_.script.get();
  const auto named = settings_.scripts.find(route_->name);
  if (named == settings_.scripts.end()) return std::nullopt;
  return named->second.get();
}

// The head of a message is here.
HookResult Filter::begin(Side side, bool headers_only, filter::Context& context) {
  const std::optional<const Script*> script = chooseScript(context);
  if (script == nullptr) return Next{};
  Half& half = this->half(side);
  Machine* const machine = script ? (*script)->machine(context.worker()) : nullptr;
  if (machine == nullptr) {
    if (refused_) return Next{};  // this is the answer to that
    if (!script && settings_.logger != nullptr) {
      settings_.logger->error("lua", "a route names the script \"", route_->name, "\", which is none of source_codes");
    }
    context.count(settings_.errors);
    if (settings_.fails_open) return Next{};
    refused_ = true;
    return Reply{500, "", "lua_script_error"};
  }
  if (!machine->has(side)) return Next{};
  context.count(settings_.executions);
  Run& run = half.run.emplace(*machine, side, context, settings_.logger);
  if (route_ != nullptr && route_->context) run.filter_context = &*route_->context;
  run.ended = run.body_ended = headers_only;
  run.tunnel = side == Side::kRequest ? context.request().wantsTunnel() : acceptsTunnel(context);
  half.part = Part::kHead;
  return act(half, go(half));
}

Filter::Then Filter::go(Half& half) {
  Run& run = *half.run;
  switch (run.go()) {
    case Run::State::kDone:
      return Then::kGoesOn;
    case Run::State::kFailed:
      return fail(half);
    case Run::State::kWaits:
      break;
  }
  switch (run.wait) {
    case Run::Wait::kReply:
      run.end();
      return Then::kAnswers;
    case Run::Wait::kCall:
      return Then::kWaits;
    case Run::Wait::kBody:
      return Then::kCollects;
    default:
      return Then::kGoesOn;  // what it waits for comes behind this part
  }
}

Filter::Then Filter::fail(Half& half) {
  Run& run = *half.run;
  run.context.count(settings_.errors);
  if (settings_.logger != nullptr) settings_.logger->error("lua", run.error);
  run.changed.reset();
  return settings_.fails_open ? Then::kGoesOn : Then::kFailed;
}

Reply Filter::replyOf(Half& half, Then then) const {
  if (then == Then::kAnswers) return *std::move(half.run->reply);
  return Reply{500, "", "lua_script_error"};
}

std::optional<std::string> Filter::leave(Half& half) {
  Run& run = *half.run;
  std::optional<std::string> changed = std::exchange(run.changed, std::nullopt);
  // A body for a message that came without one, and may have said so.
  if (half.part == Part::kHead && changed) run.headers().set(http::Name::kContentLength, absl::StrCat(changed->size()));
  run.head_gone = true;
  run.piece.reset();
  run.piece_taken = false;
  return changed;
}

bool Filter::routesAnew(const Half& half) const {
  const Run& run = *half.run;
  return run.side == Side::kRequest && (half.part == Part::kHead || half.part == Part::kBody) &&
         (run.clears_route || (run.head_changed && settings_.clear_route_cache));
}

// From a hook.
HookResult Filter::act(Half& half, Then then) {
  Run& run = *half.run;
  filter::Context& context = run.context;
  switch (then) {
    case Then::kCollects:
      return Collect{settings_.body_limit};
    case Then::kAnswers:
    case Then::kFailed:
      return replyOf(half, then);
    case Then::kWaits:
      if (run.piece) {  // what it lies in is there for the hook only
        half.kept.assign(*run.piece);
        run.piece = half.kept;
      }
      half.token = context.resumeToken();
      ask(half);
      return Pause{};
    case Then::kGoesOn:
      break;
  }
  if (half.part != Part::kHead) return Next{};  // its bytes are the caller's
  const bool rematch = routesAnew(half);
  std::optional<std::string> made = leave(half);
  if ((rematch && !context.rematchRoute()) || !made) return Next{};
  half.token = context.resumeToken();
  half.token.resumeWith(*std::move(made));
  return Pause{};
}

void Filter::ask(Half& half) {
  // Not destroyed inside its own answer.
  const std::unique_ptr<filter::Call> before = std::move(half.call);
  half.call = half.run->context.calls().send(
      std::move(half.run->call), [this, &half](filter::HttpCallResponse answer) { answered(half, std::move(answer)); });
}

void Filter::answered(Half& half, filter::HttpCallResponse answer) {
  if (!half.token) return;  // the stream was answered meanwhile
  Run& run = *half.run;
  run.answer = std::move(answer);
  const Then then = go(half);
  run.answer.reset();
  switch (then) {
    case Then::kWaits:
      return ask(half);
    case Then::kCollects:
      return half.token.collect(Collect{settings_.body_limit});
    case Then::kAnswers:
    case Then::kFailed:
      return half.token.reply(replyOf(half, then));
    case Then::kGoesOn:
      break;
  }
  const bool rematch = routesAnew(half);
  std::optional<std::string> changed = leave(half);
  if (rematch) run.context.rematchRoute();
  changed ? half.token.resumeWith(*std::move(changed)) : half.token.resume();
}

HookResult Filter::body(Side side, filter::Body& body) {
  Half& half = this->half(side);
  Run& run = *half.run;
  half.part = Part::kBody;
  run.piece = body.bytes();
  run.whole = run.body_ended = true;
  run.ended = body.endStream();
  const Then then = go(half);
  if (then == Then::kGoesOn) {
    const bool rematch = routesAnew(half);
    if (std::optional<std::string> changed = leave(half)) body.replace(*std::move(changed));
    if (rematch) run.context.rematchRoute();
    return Next{};
  }
  return act(half, then);
}

HookResult Filter::chunk(Side side, filter::Chunk& chunk) {
  Half& half = this->half(side);
  if (!half.run || half.run->over()) return Next{};
  Run& run = *half.run;
  const bool wanted = run.wait == Run::Wait::kChunk;
  if (!wanted && !(run.wait == Run::Wait::kTrailers && chunk.endStream())) return Next{};
  half.part = Part::kChunk;
  run.ended = run.body_ended = chunk.endStream();
  if (wanted && !chunk.bytes().empty()) run.piece = chunk.bytes();
  if (wanted && !run.piece && !run.ended) return Next{};  // an empty one, in the middle
  const Then then = go(half);
  if (then != Then::kGoesOn) return act(half, then);
  if (std::optional<std::string> changed = leave(half)) chunk.replace(*std::move(changed));
  return Next{};
}

HookResult Filter::trailers(Side side) {
  Half& half = this->half(side);
  if (!half.run || half.run->over()) return Next{};
  Run& run = *half.run;
  half.part = Part::kTrailers;
  run.trailers_here = run.body_ended = true;
  if (run.wait != Run::Wait::kChunk && run.wait != Run::Wait::kTrailers) return Next{};
  const Then then = go(half);
  return then == Then::kGoesOn ? HookResult(Next{}) : act(half, then);
}

HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  return begin(Side::kRequest, context.requestHeadersOnly(), context);
}
HookResult Filter::onRequestData(filter::Chunk& chunk, filter::Context&) {
  return this->chunk(Side::kRequest, chunk);
}
HookResult Filter::onRequestBody(filter::Body& body, filter::Context&) {
  return this->body(Side::kRequest, body);
}
HookResult Filter::onRequestTrailers(http::Trailers&, filter::Context&) {
  return trailers(Side::kRequest);
}
HookResult Filter::onResponseHeaders(http::ResponseHeaders&, filter::Context& context) {
  return begin(Side::kResponse, context.responseHeadersOnly(), context);
}
HookResult Filter::onResponseData(filter::Chunk& chunk, filter::Context&) {
  return this->chunk(Side::kResponse, chunk);
}
HookResult Filter::onResponseBody(filter::Body& body, filter::Context&) {
  return this->body(Side::kResponse, body);
}
HookResult Filter::onResponseTrailers(http::Trailers&, filter::Context&) {
  return trailers(Side::kResponse);
}

}  // namespace sluice::extensions::http_filters::lua
