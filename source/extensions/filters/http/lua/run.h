// One run of a script: its function for one message of one stream, from its call until it is over. It says what it
// waits for, and what it has waited for is put here before it goes on.
// Thread: the worker of the stream.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/extensions/filters/http/lua/machine.h"
#include "source/filter/calls.h"
#include "source/filter/context.h"
#include "source/filter/reply.h"
#include "source/observability/log.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::lua {

class Run {
 public:
  enum class Wait : uint8_t { kNothing, kBody, kChunk, kTrailers, kCall, kReply };
  enum class State : uint8_t { kWaits, kDone, kFailed };

  Run(Machine& machine, Side side, filter::Context& context, observability::Logger* logger)
      : side(side), context(context), logger(logger), id(machine.nextRun()), machine_(machine) {}
  ~Run() { machine_.releaseThread(thread_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Begins it, or goes on with it. kWaits: for `wait`. kFailed: `error` says why.
  State go();
  // It is over; what waits of it is forgotten.
  void end();
  bool over() const { return over_; }

  http::HeaderList& headers() {
    return side == Side::kRequest ? static_cast<http::HeaderList&>(context.request()) : context.response();
  }
  http::Trailers& trailers() { return side == Side::kRequest ? context.requestTrailers() : context.responseTrailers(); }

  const Side side;
  filter::Context& context;
  observability::Logger* const logger;                     // null: nobody reads
  const stream::MetadataFields* filter_context = nullptr;  // null: the route has none
  const uint64_t id;                                       // of its machine: what a script keeps of another run is dead

  // --- what it waits for
  Wait wait = Wait::kNothing;
  filter::HttpCallRequest call;        // kCall
  std::optional<filter::Reply> reply;  // kReply

  // --- what it is given
  bool head_gone = false;      // the head has left this filter
  bool ended = false;          // no more of the body comes, and no trailers
  bool body_ended = false;     // no more of the body comes
  bool trailers_here = false;  // they have come
  bool whole = false;          // `piece` is all of the body
  bool streams = false;        // it asked for chunks
  bool tunnel = false;         // what follows the head is no body, and has no end to wait for
  // A chunk or the whole body, as long as it is there; `changed` goes on in its place.
  std::optional<std::string_view> piece;
  std::optional<std::string> changed;
  bool piece_taken = false;
  std::optional<filter::HttpCallResponse> answer;  // of a call
  bool head_changed = false;
  bool clears_route = false;  // the script wants the route to be chosen anew

  std::string error;
  uint64_t instructions_used = 0;
  // Bytes that it has put into the stream (fields, metadata, state) and into calls nobody waits for. They are not of
  // the machine's memory, and bounded as that is.
  size_t given = 0;

 private:
  Machine& machine_;
  Machine::Thread thread_;
  bool over_ = false;
};

}  // namespace sluice::extensions::http_filters::lua
