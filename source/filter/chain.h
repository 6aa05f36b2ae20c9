// The chain engine: carries one stream's messages through its filters, both ways.
//
// Each filter is a stage of a pipeline. A stage is open, paused (a token decides), collecting (a body) or draining (it
// sends on what waited). What arrives at a stage that is not open waits there, in order, and everything behind it goes
// on as before; so nothing overtakes anything. The ends are two interfaces: Downstream (the session) and Terminal (the
// router).
//
// Flow control: each end asks for credit before it reads. Credit is the window less what the stages hold and less what
// the other end has not sent yet; whoever frees bytes says so (requestProgress, responseProgress). Thread: the worker
// of the stream. Nothing runs after end(): hooks that are on the stack return, and their results are dropped.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "source/filter/chain_config.h"
#include "source/filter/context.h"
#include "source/filter/ends.h"
#include "source/filter/http_filter.h"
#include "source/filter/stage.h"
#include "source/filter/stream.h"
#include "source/filter/token.h"

namespace sluice::filter {

// How a stream is reset whose filter forgot it.
inline constexpr std::string_view kTokenDropped = "filter_token_dropped";
// How one is reset whose streamed answer could not be completed.
inline constexpr std::string_view kReplyFailed = "reply_body_failed";

class ChainRunner {
 public:
  // Bytes that may be on their way through one direction of a stream before its source is held.
  static constexpr size_t kWindow = 64 * 1024;

  ChainRunner(const ChainConfig& config, Stream& stream, Downstream& downstream);
  ~ChainRunner();
  ChainRunner(const ChainRunner&) = delete;
  ChainRunner& operator=(const ChainRunner&) = delete;

  const ChainConfig& config() const { return config_; }
  // `terminal` outlives the runner. Set before the first message.
  void setTerminal(Terminal& terminal) { terminal_ = &terminal; }

  // --- from the session: the request, in order ---
  void requestHeaders(bool end_stream);
  void requestData(std::string_view data, bool end_stream);
  void requestTrailers();
  // How many body bytes the session may bring now.
  size_t requestCredit() const;
  // How many of those that it brought are still on their way.
  size_t requestHeld() const;
  // Response bytes left the process.
  void responseProgress();
  // An answer of the session's own (timeout, no such host): through the response filters as any other.
  void localReply(Reply reply);
  // The stream is over; stops everything, kills tokens, cancels the terminal if it has not finished.
  void end() {
    if (!ended_) endOnce();
  }
  bool ended() const { return ended_; }

  // From the terminal, before it gives the head of a response that accepts a tunnel, and when both sides of it have
  // ended: between the two the end of the response does not end the stream.
  void beginTunnel() { tunnel_open_ = true; }
  void endTunnel();
  bool tunnelOpen() const { return tunnel_open_; }

  // Lowers the window, in bytes; at least 1. (proto: Cluster.per_connection_buffer_limit_bytes)
  void limitWindow(size_t bytes) { window_ = std::min(window_, std::max<size_t>(bytes, 1)); }

  // --- from the terminal: the response, in order; its head is in stream.response() ---
  void responseHeaders(bool end_stream);
  void responseData(std::string_view data, bool end_stream);
  void responseTrailers();
  size_t responseCredit() const;
  // Request bytes left for the upstream.
  void requestProgress();
  // The upstream failed in the middle of a response: the client's stream cannot be completed.
  void resetResponse(std::string_view details);
  bool responseStarted() const { return response_sent_headers_; }
  bool requestComplete() const { return request_complete_; }
  // A local reply was sent: what still comes of the request is dropped.
  bool requestClosed() const { return lanes_[0].closed; }

 private:
  friend class Context;
  friend class ReplyBody;
  friend class ResumeToken;

  enum class Hook : uint8_t { kNone, kHeaders, kData, kBody, kTrailers };
  // A filter of the chain as this stream has it.
  struct Installed {
    HttpFilter* filter;  // null: the route has no use for it
    Context context;
  };
  // Which hook runs, so that a token knows whom it belongs to.
  struct alignas(8) Running {
    Hook hook = Hook::kNone;
    Direction direction = Direction::kRequest;
    uint8_t position = 0;
    bool token_taken = false;
    bool resumed = false;  // the token was used before the hook returned
  };
  // Around the call of a hook; they nest when one emits data.
  class RunningHook {
   public:
    RunningHook(ChainRunner& runner, Hook hook, Direction direction, size_t position)
        : place_(runner.running_), before_(runner.running_) {
      place_ = {hook, direction, static_cast<uint8_t>(position), false, false};
    }
    ~RunningHook() { place_ = before_; }
    RunningHook(const RunningHook&) = delete;
    RunningHook& operator=(const RunningHook&) = delete;

   private:
    Running& place_;
    const Running before_;
  };
  // What a token that was used inside its hook asked for.
  struct InlineResume {
    std::optional<std::string> replacement;
    std::optional<Collect> collect;
  };

  Lane& lane(Direction direction) { return lanes_[static_cast<size_t>(direction)]; }
  const Lane& lane(Direction direction) const { return lanes_[static_cast<size_t>(direction)]; }
  Stage& stageAt(Direction direction, size_t position);
  Installed& installedAt(Direction direction, size_t position) {
    return filters_[config_.indexOf(direction, position)];
  }
  http::HeaderList& headersOf(Direction direction);

  // --- which filters there are ---
  bool wanted(size_t index) const;
  void install(size_t index);
  void removeFilter(size_t index);
  size_t next(Direction direction, ChainConfig::HookIndex hook, size_t position) const;

  // --- from contexts and tokens; `index` is the filter's in the chain ---
  ResumeToken takeToken(size_t index);
  void emitData(Direction direction, size_t index, std::string_view bytes);
  void addTrailers(Direction direction, size_t index);
  bool rematchRoute(size_t index);
  // Tells those of the first `count` filters that judge by the route of another one. False: the request was answered.
  bool tellRoute(size_t count);
  // Whether the head of the message is still in the filter's hands.
  bool holdsHead(Direction direction, size_t position) const;
  void resume(Direction direction, size_t position, std::optional<std::string> replacement);
  void resumeCollecting(Direction direction, size_t position, Collect collect);
  void replyFrom(Direction direction, Reply& reply);
  void tokenDropped();

  // --- the message on its way ---
  HookResult callHeaders(Direction direction, size_t position, bool end_stream);
  HookResult callData(Direction direction, size_t position, Chunk& chunk);
  HookResult callBody(Direction direction, size_t position, Body& body);
  HookResult callTrailers(Direction direction, size_t position);
  void pushHeaders(Direction direction, size_t position, bool end_stream);
  // `draining`: what waited at `position` itself, whose stage is still marked as blocked.
  void pushData(Direction direction, size_t position, Chunk& chunk, bool draining = false);
  void pushTrailers(Direction direction, size_t position, bool draining = false);
  void deliverHeaders(Direction direction, bool end_stream);
  void deliverData(Direction direction, std::string_view data, bool end_stream);
  void deliverTrailers(Direction direction);

  // --- stages that are not open ---
  // Whether the stage is to wait after a hook returned Pause: false if the token was used already (go on) or the stream
  // ended.
  bool paused(Direction direction, size_t position, Stage::Holds holds, bool end_stream);
  InlineResume takeInline();
  void collect(Direction direction, size_t position, Collect collect, bool end_stream);
  void collectHeld(Direction direction, size_t position, Collect collect);
  bool asksTunnel(Direction direction) const;
  void wait(Direction direction, size_t position, Chunk& chunk);
  void refuseBody(Direction direction);
  void finishCollect(Direction direction, size_t position);
  void fixLength(Direction direction, size_t size, bool whole);
  void reopen(Direction direction, size_t position, std::optional<std::string> replacement);
  void sendHeld(Direction direction, size_t position, Stage::Holds holds, std::string chunk, bool end_stream);
  void drain(Direction direction, size_t position);

  // --- local replies ---
  void sendReply(Reply& reply, bool through_filters);
  void replyAsResponse(size_t position, Reply& reply);
  void sendReplyHead(const std::string& body, bool end_stream, bool through_filters);
  void killTokens(Direction direction);
  void pumpReply();
  void giveReply(std::string_view data, bool end_stream);
  void endReply(std::string_view last);
  void failReply();

  size_t windowOf(const Lane& lane) const;
  size_t roomFor(const Lane& lane, size_t unsent) const;
  void creditGrew(Direction direction);
  void endOnce();

  const ChainConfig& config_;
  Stream& stream_;
  Downstream& downstream_;
  Terminal* terminal_ = nullptr;
  Installed* filters_;   // in the order of the chain
  uint32_t absent_ = 0;  // bit per filter that is not there
  Running running_;
  std::array<Lane, 2> lanes_;
  base::List<ResumeToken> tokens_;
  size_t window_ = kWindow;
  bool ended_ = false;
  bool tunnel_open_ = false;
  bool request_complete_ = false;
  bool terminal_done_ = false;  // the terminal gave its whole response, or was cancelled
  bool terminal_used_ = false;
  bool response_began_ = false;  // a response head entered the chain
  bool response_sent_headers_ = false;
  bool pumping_ = false;                         // reply_body_ is not to be read from further down
  std::unique_ptr<ReplyBody> reply_body_;        // what is left of a streamed reply
  std::unique_ptr<InlineResume> inline_resume_;  // null unless a hook runs and has used its token
};

}  // namespace sluice::filter
