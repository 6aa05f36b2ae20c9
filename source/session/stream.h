// One request and its response on a session's connection: the downstream end of the filter chain, and every deadline of
// the stream. Thread: the worker's. Recycled by SessionWorker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/event/timer.h"
#include "source/filter/chain.h"
#include "source/http/codec.h"
#include "source/session/http_settings.h"
#include "source/session/worker.h"
#include "source/stream/format_context.h"

namespace sluice::session {

class Connection;

class Stream final : public filter::Stream, private filter::Downstream, public base::ListNode {
 public:
  explicit Stream(SessionWorker& worker);
  ~Stream() override;

  // --- from the connection ---
  // Makes it new for a request on `connection`.
  void begin(Connection& connection, http::StreamId id);
  void requestHeaders(bool end_stream, bool expect_continue);
  void requestData(std::string_view data, bool end_stream);
  void endWithTrailers();
  size_t requestCredit() const { return runner_ ? runner_->requestCredit() : filter::ChainRunner::kWindow; }
  void drained() {
    if (runner_) runner_->responseProgress();
  }
  // The client is gone, or the connection has to go: no response can be sent any more.
  // `status`: what the connection answers instead, for the log.
  void abort(std::string_view details, stream::ResponseFlag flag, uint16_t status);
  http::StreamId id() const { return id_; }
  // How long its client may hold back the end of its answer, as its route says; nullopt: nothing.
  std::optional<std::chrono::milliseconds> flushTimeout() const;
  // An upgrade or CONNECT that was accepted.
  bool inTunnel() const { return in_tunnel_; }

  worker::WorkerServices& worker() override { return worker_.services; }
  filter::Calls& calls() override { return worker_.services.calls; }
  observability::StatsCells& cells() override { return worker_.cells; }
  uint64_t random() override { return worker_.services.random.next(); }
  Time now() const override { return worker_.loop.now(); }

 private:
  friend class SessionWorker;

  void sendInformational(const http::ResponseHeaders& headers) override;
  void sendResponseHeaders(http::ResponseHeaders& headers, bool end_stream) override;
  void sendResponseData(std::string_view data, bool end_stream) override;
  void sendResponseTrailers(http::Trailers& trailers) override;
  void resetStream(std::string_view details) override;
  size_t unsentResponseBytes() const override;
  void armDeadline(std::chrono::milliseconds delay) override { deadline_.arm(delay); }
  void requestCreditGrew() override;
  void tunnelEnded() override {
    if (connection_ != nullptr && response_ended_) finish();
  }
  bool redirect(const filter::Redirect& redirect) override;

  const filter::ReplyMapper* replyMapper() const override;
  void chooseRoute() override;
  bool awaitRoutes(filter::RouteWaiter& waiter) override;
  bool awaitCluster(const std::shared_ptr<const route::ClusterSource>& source, std::string_view name,
                    filter::RouteWaiter& waiter) override;

  void takeFacts();
  void makeChain();
  void matchRoute();
  void pinTable();
  // --- tables that change while the stream lasts (stream_scope.cc)
  struct FoundScope {
    base::LocalPtr<ScopeIndexes::Pinned> index;  // that has it
    const route::Scope* scope = nullptr;         // null: there is none
    std::string_view key;                        // of the arena
  };
  // By the request's head as it stands; the connection manager has scopes.
  FoundScope scopeNow();
  // The one for the request as it stands.
  base::LocalPtr<RouteTables::Pinned> tableNow();
  bool awaitHost(const std::shared_ptr<const route::TableSlot>& slot, filter::RouteWaiter& waiter);
  // `slot`: whom main asks.
  template <typename Slot>
  bool awaitDemand(RouteDemand demand, const std::shared_ptr<const Slot>& slot, filter::RouteWaiter& waiter);
  bool mayChangeTable() const;
  // Matches the route in the table that is the request's now.
  void changeTable();
  void openWindow();
  bool mayTunnel() const;
  // Null: those of the settings.
  const UpgradeChain* ownChain() const;
  bool awaitsBody() const;
  std::chrono::milliseconds idleTimeout() const;
  // How long the stream may live; tells the upstream too, in grpc-timeout.
  std::optional<std::chrono::milliseconds> longestDuration();
  void armDuration();
  bool timesRequest() const;
  // All of the request is here, or what is not is no longer of it: a refused upgrade of HTTP/1 is complete.
  bool requestWhole() const;
  void refuse(filter::Reply reply);
  void requestEnded();
  void responseEnded();
  void finish();
  void cancelTimers();
  // --- access logs (stream_log.cc)
  // `answered`: there is a head of a response.
  stream::FormatContext facts(stream::AccessLogType type, bool answered);
  void logEnd(bool answered);
  void logMeanwhile(stream::AccessLogType type);
  void beginLog();

  void touch();
  void onIdle();
  void onTooLong();
  void cleanUp();

  // --- internal redirects (redirect.cc)
  // A redirect that this request has followed; in the arena.
  struct Hop {
    const route::Route* from;
    const route::Route* to;
    const Hop* before;  // null: it is the first
  };
  // Its begin, at the end of the turn.
  struct Beginning final : event::TurnTask {
    Beginning(Stream& stream, bool headers_only, std::string_view body)
        : stream(stream), headers_only(headers_only), body(body) {}
    void runAtTurnEnd() override { stream.beginAgain(); }
    Stream& stream;
    const bool headers_only;
    const std::string body;
  };
  // Becomes what `stream`'s request is with another target. False: it cannot be; that was counted.
  bool follow(Stream& stream, const filter::Redirect& redirect);
  bool retarget(Stream& stream, const route::InternalRedirectPolicy& policy);
  bool mayGoOn(Stream& stream, const route::InternalRedirectPolicy& policy);
  void copyHops(const Hop* hops);
  void endInRedirect(Stream& next);
  void beginLater(bool headers_only, std::string_view body);
  void beginAgain();

  SessionWorker& worker_;
  Connection* connection_ = nullptr;  // null once finished
  http::StreamId id_ = 0;
  base::LocalPtr<RouteTables::Pinned> table_;
  std::vector<base::LocalPtr<RouteTables::Pinned>> tables_before_;  // that it had, and filters may still look at
  uint64_t chance_ = 0;                        // decides in the choice of the route, also when it is chosen anew
  base::LocalPtr<ChainTables::Pinned> chain_;  // null: that of the settings
  filter::Terminal* terminal_ = nullptr;
  std::optional<filter::ChainRunner> runner_;  // none until the head of the request is whole
  bool response_started_ = false;
  bool asks_tunnel_ = false;
  bool in_tunnel_ = false;
  bool response_ended_ = false;
  bool waited_for_host_ = false;             // that its table did not have
  bool idle_held_ = false;                   // request_body_timeout was over while the client was held back
  size_t unconsumed_ = 0;                    // bytes of the request that the client may not replace by others yet
  event::Timer deadline_;                    // the terminal's
  event::Timer idle_;                        // no bytes either way
  event::Timer too_long_;                    // request_timeout, then max_duration_
  std::unique_ptr<event::Timer> log_timer_;  // entries while it lasts; null: nobody wanted any so far
  std::optional<std::chrono::milliseconds> max_duration_;
  const Hop* hops_ = nullptr;             // the last one; null: none
  std::unique_ptr<Beginning> beginning_;  // null: it has begun
};

}  // namespace sluice::session
