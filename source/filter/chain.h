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
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/filter/stream.h"
#include "source/filter/token.h"

namespace sluice::filter {

constexpr size_t kMaxFilters = 32;

// How a stream is reset whose filter forgot it.
inline constexpr std::string_view kTokenDropped = "filter_token_dropped";

// A configured chain, compiled: for each hook the filters that have it. Immutable, shared by all workers.
class ChainConfig {
 public:
  struct Entry {
    std::string name;  // as configured, e.g. "envoy.filters.http.buffer"
    std::shared_ptr<const HttpFilterFactory> factory;
    route::FilterSlot slot = {};  // where routes keep their settings for this name
  };
  // At most kMaxFilters entries, the terminal filter not among them.
  explicit ChainConfig(std::vector<Entry> entries);

  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  // Bit per filter that wants to know the end of its stream.
  uint32_t endHooks() const { return end_hooks_; }

  enum HookIndex : uint8_t { kHeaders, kData, kTrailers, kHookKinds };
  // The first position at or after `position` (in the order of `direction`) whose filter has that hook; size() if none.
  size_t next(Direction direction, HookIndex hook, size_t position) const {
    return next_[static_cast<size_t>(direction)][hook][position];
  }
  // Positions of the response direction count from the last filter.
  size_t indexOf(Direction direction, size_t position) const {
    return direction == Direction::kRequest ? position : entries_.size() - 1 - position;
  }

 private:
  std::vector<Entry> entries_;
  std::array<std::array<std::array<uint8_t, kMaxFilters + 1>, kHookKinds>, 2> next_;
  uint32_t end_hooks_ = 0;
};

// The client's side of a stream.
class Downstream {
 public:
  virtual ~Downstream() = default;
  // A 1xx, never 101. Filters do not see it.
  virtual void sendInformational(const http::ResponseHeaders& headers) = 0;
  virtual void sendResponseHeaders(http::ResponseHeaders& headers, bool end_stream) = 0;
  virtual void sendResponseData(std::string_view data, bool end_stream) = 0;
  virtual void sendResponseTrailers(http::Trailers& trailers) = 0;
  // The stream cannot be ended properly. `details` is static text.
  virtual void resetStream(std::string_view details) = 0;
  // Response bytes accepted and not yet taken by the kernel.
  virtual size_t unsentResponseBytes() const = 0;
  // The terminal's one deadline for this stream; arming again moves it.
  virtual void armDeadline(std::chrono::milliseconds delay) = 0;
  // Request credit may have grown from 0.
  virtual void requestCreditGrew() = 0;
  // The terminal has no more to do with a tunnel: the stream is over with the end of its response.
  virtual void tunnelEnded() = 0;
};

// The end of the chain: takes the request, gives the response. One per stream, made by TerminalFactory.
class Terminal {
 public:
  virtual ~Terminal() = default;
  virtual void requestHeaders(bool end_stream) = 0;
  virtual void requestData(std::string_view data, bool end_stream) = 0;
  virtual void requestTrailers() = 0;
  // Request bytes accepted and not yet taken by the kernel.
  virtual size_t unsentRequestBytes() const = 0;
  // Response credit may have grown from 0.
  virtual void responseCreditGrew() = 0;
  // The deadline that was armed with Downstream::armDeadline is over.
  virtual void deadlineExpired() = 0;
  // The stream is over (ended by the client, a filter or the session). No call into the runner after this.
  virtual void cancel() = 0;
};

class ChainRunner {
 public:
  // Bytes that may be on their way through one direction of a stream before its source is held.
  static constexpr size_t kWindow = 64 * 1024;

  ChainRunner(const ChainConfig& config, Stream& stream, Downstream& downstream);
  ~ChainRunner();
  ChainRunner(const ChainRunner&) = delete;
  ChainRunner& operator=(const ChainRunner&) = delete;

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
  friend class ResumeToken;
  friend class Stream;

  struct Stage {
    enum State : uint8_t { kOpen, kPaused, kCollecting, kDraining };
    enum Holds : uint8_t { kNothing, kHeadersHeld, kBodyHeld, kChunkHeld, kTrailersHeld };
    State state = kOpen;
    Holds holds = kNothing;    // what the hook paused on; goes on to the next stage when it resumes
    bool holds_end = false;    // that was the end of the stream
    bool waiting_end = false;  // `waiting` ends the stream
    bool waiting_trailers = false;
    bool partial = false;  // collecting: the beginning will do
    size_t limit = 0;      // collecting
    std::string chunk;     // kChunkHeld; kBodyHeld, behind the headers
    std::string waiting;   // arrived since; not seen by the hook yet
  };
  struct Lane {
    uint32_t blocked = 0;                        // bit per position whose stage is not open
    size_t held = 0;                             // bytes in chunk and waiting of all stages
    bool closed = false;                         // what still arrives is dropped (a local reply was sent)
    std::vector<std::unique_ptr<Stage>> stages;  // empty until a stage blocks for the first time
  };

  Lane& lane(Direction direction) { return lanes_[static_cast<size_t>(direction)]; }
  Stage& stageAt(Direction direction, size_t position);
  HttpFilter& filterAt(Direction direction, size_t position);
  HookResult callHeaders(Direction direction, HttpFilter& filter);
  HookResult callBody(Direction direction, HttpFilter& filter, Body& body);
  HookResult callTrailers(Direction direction, HttpFilter& filter);

  void pushHeaders(Direction direction, size_t position, bool end_stream);
  // `draining`: what waited at `position` itself, whose stage is still marked as blocked.
  void pushData(Direction direction, size_t position, Chunk& chunk, bool draining = false);
  void pushTrailers(Direction direction, size_t position, bool draining = false);
  void deliverHeaders(Direction direction, bool end_stream);
  void deliverData(Direction direction, std::string_view data, bool end_stream);
  void deliverTrailers(Direction direction);
  // Whether the stage is to wait after a hook returned Pause: false if the token was used already (go on) or the stream
  // ended.
  bool paused(Direction direction, size_t position, Stage::Holds holds, bool end_stream);
  void collect(Direction direction, size_t position, Collect collect, bool end_stream);
  bool asksTunnel(Direction direction) const;
  void wait(Direction direction, size_t position, Chunk& chunk);
  void refuseBody(Direction direction);
  void finishCollect(Direction direction, size_t position);
  void fixLength(Direction direction, size_t size, bool whole);
  void resume(Direction direction, size_t position, std::optional<std::string> replacement);
  void resumeCollecting(Direction direction, size_t position, Collect collect);
  void reopen(Direction direction, size_t position, std::optional<std::string> replacement);
  void endOnce();
  size_t next(Direction direction, ChainConfig::HookIndex hook, size_t position) const;
  void drain(Direction direction, size_t position);
  void replyFrom(Direction direction, Reply& reply);
  void sendReply(Reply& reply, bool through_filters);
  // Writes the head of a local reply; returns its body.
  std::string fillReply(Reply& reply);
  void killTokens(Direction direction);
  void tokenDropped();
  size_t windowOf(const Lane& lane) const;
  void creditGrew(Direction direction);

  const ChainConfig& config_;
  Stream& stream_;
  Downstream& downstream_;
  Terminal* terminal_ = nullptr;
  HttpFilter** filters_;
  uint32_t disabled_ = 0;  // bit per filter that the route switches off
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
  // The hook that runs, for resumeToken() and emitData().
  Direction running_direction_ = Direction::kRequest;
  size_t running_position_ = 0;
  bool token_taken_ = false;
  bool in_hook_ = false;
  bool headers_only_ = false;
  bool resumed_inline_ = false;
  std::optional<std::string> inline_replacement_;
  std::optional<Collect> inline_collect_;
};

}  // namespace sluice::filter
