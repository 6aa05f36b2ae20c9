// One attempt of a request at one host: the host that is held, the exchange on a connection of its pool, the head of
// the response, and all that is counted on the way. The router, call-outs and tunnels send what they send by it.
//
// Its user derives from AttemptOf, gives it a cluster (setCluster), a host (take), lets it ask for a connection (start)
// and sends once it is ready. Then the attempt is over in one of the ways of AttemptEnd. It gives back what it held
// before its user hears of the end; the cluster stays pinned. It may then take a host again. Attempts of one request
// may run at the same time: each has its own exchange and response head, and they change nothing in the request's head
// but what each of them says anew (HeadOverlay). Thread: the worker's.
//
// (stats: cluster.NAME.upstream_rq_{completed,1xx..5xx,NNN,time,rx_reset,tx_reset,timeout,per_try_timeout,
// per_try_idle_timeout,max_duration_reached,cancelled}, upstream_rq_retry of what is repeated,
// cluster.NAME.retry.upstream_rq_{completed,Nxx,NNN} of answers that were not passed on, and those of the host; what
// has to do with connections is counted by the pool)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "source/base/local_ptr.h"
#include "source/event/timer.h"
#include "source/http/headers.h"
#include "source/upstream/attempt_end.h"
#include "source/upstream/attempt_observer.h"
#include "source/upstream/exchange_stage.h"
#include "source/upstream/retry_state.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::upstream {

// What the head of the request says at this attempt's host. Each attempt says all of it, so none starts from what
// another one said. It is put over the head as the attempt looks for a connection and as it sends; what was put last
// stays, and is what the access log shows.
struct HeadOverlay {
  std::string_view authority;    // empty: no attempt of the request changes it
  std::string_view scheme = {};  // the same

  void putOver(http::RequestHeaders& head) const {
    if (!authority.empty()) head.authority = authority;
    if (!scheme.empty()) head.scheme = scheme;
  }
};

// (proto: Router.dynamic_stats, suppress_grpc_request_failure_code_stats)
enum class AnswerStats : uint8_t {
  kAll,
  kTotals,  // upstream_rq_completed and _time, but not by class and status
  kNone,
};

class Attempt : protected pool::ExchangeEvents {
 public:
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // Null: there is none.
  void setCluster(base::LocalPtr<WorkerCluster> cluster) { cluster_ = std::move(cluster); }
  const base::LocalPtr<WorkerCluster>& cluster() const { return cluster_; }
  // "http" or "https": what requests to the host that is held say, or without one those to the cluster.
  std::string_view scheme() const;

  // What statistics there are of its answers, in the cluster's name. All by default.
  void countAnswers(AnswerStats stats) { counted_ = stats; }
  AnswerStats answerStats() const { return counted_; }

  // What attempts that are started from now on send through; null: nothing. It outlives them.
  void setStage(ExchangeStage* stage) { stage_ = stage; }
  // There is a stage.
  bool filtered() const { return stage_ != nullptr; }

  // Holds the host of this slot. False: cluster::kNoHost, which is counted.
  bool take(cluster::HostSlot slot);
  // Of the host that is held.
  const cluster::Host& host() const { return *host_; }

  // Asks the host's pool for a connection. `head` outlives the attempt; its protocol, upgrade and host may decide on
  // the pool. The answer may come inside the call.
  void start(http::RequestHeaders& head, const HeadOverlay& overlay, cluster::RoutingPriority priority,
             const ClientAddresses& client = {});

  // Instead of the cluster's max_stream_duration; 0: for ever.
  void limitDuration(std::chrono::milliseconds longest) { longest_ = longest; }

  // Once it is ready. What an attempt that is not open is told to send is dropped. From the head on it may live as long
  // as the cluster's streams; then it expires (Timer::kMaxDuration).
  void sendHead(bool end_stream);
  void sendData(std::string_view data, bool end_stream);
  void sendTrailers(const http::Trailers& trailers) {
    stage_ == nullptr ? exchange_.sendTrailers(trailers) : stage_->sendTrailers(trailers);
  }
  // The user's credit grew.
  void resumeReading() { stage_ == nullptr ? exchange_.resumeReading() : stage_->resumeReading(); }
  // Nobody wants an answer any more: nothing further is told. Harmless if it is over, or was not started.
  void cancel();

  // It takes too long, and another one is made beside it: for who looks on.
  void noteSlow();
  // That was said.
  bool slow() const { return slow_; }
  // The same as AttemptOf::expire, of one whose user hears of it elsewhere.
  void expireUntold() {
    if (running()) giveUp({.kind = AttemptEnd::Kind::kTimeout});
  }

  // It holds a host.
  bool running() const { return host_ != nullptr; }
  // The final head of the response has come.
  bool answered() const { return answered_; }
  // Taken from here by who wants it.
  http::ResponseHeaders& responseHead() { return response_; }
  // For who looks on, in AttemptObserver::onAttemptHead.
  const http::ResponseHeaders& answer() const { return response_; }
  // What is counted of the host; from the beginning to the end, as observers are told.
  cluster::HostStats::Row& hostStats() const { return pool_->hostStats(); }
  // Of the final head, once it is there.
  uint16_t status() const { return status_; }
  // When it was started.
  event::TimePoint began() const { return began_; }
  cluster::RoutingPriority priority() const { return priority_; }
  // Facts of the connection.
  const pool::Exchange& exchange() const { return stage_ == nullptr ? exchange_ : stage_->exchange(); }
  bool open() const { return stage_ == nullptr ? exchange_.open() : stage_->open(); }
  // Bytes of the request that wait behind what was sent.
  size_t unsentBytes() const { return stage_ == nullptr ? exchange_.unsentBytes() : stage_->unsentBytes(); }
  // The answer, or the end without one, is the host's doing.
  bool ofHost() const { return stage_ == nullptr || stage_->ofHost(); }

 protected:
  // `arena`: of the response head.
  explicit Attempt(base::Arena& arena) : response_(arena) {}
  // A user whose arena or request head goes before this calls cancel() first.
  ~Attempt() override { cancel(); }

  // --- for AttemptOf
  void headCame();
  void trailersCame(const http::Trailers& trailers);
  void responseEnded();
  void countInformational() {
    if (counted_ == AnswerStats::kAll) countClass(response_.status);
  }
  void giveUp(const AttemptEnd& end);
  void leave(const AttemptEnd& end);
  void leaveAnswer();
  void repeat(const AttemptEnd& end, RetryState::Repeat how);

 private:
  http::ResponseHeaders& beginResponse() final {
    response_.clear();
    return response_;
  }

  const cluster::ClusterStats& stats() const { return cluster_->context().stats; }
  observability::StatsCells& cells() const { return cluster_->context().cells; }
  void ask(bool fresh);
  void countClass(uint16_t status);
  void countFinal(uint16_t status);
  void countEnd(const AttemptEnd& end);
  void finish(const AttemptEnd& end);
  void armDuration(std::chrono::milliseconds longest);
  virtual void durationReached() = 0;
  void noteBegin();
  void noteHead();
  void noteEnd(const AttemptEnd& end);

  base::LocalPtr<WorkerCluster> cluster_;
  const cluster::Host* host_ = nullptr;  // held; its pool keeps it
  pool::Pool* pool_ = nullptr;           // from start() to the end
  http::RequestHeaders* request_ = nullptr;
  HeadOverlay overlay_;
  ExchangeStage* stage_ = nullptr;  // null: the exchange is used as it is
  pool::Exchange exchange_{*this};
  http::ResponseHeaders response_;
  event::Timer* duration_ = nullptr;  // in the arena, where the cluster limits it; null: it does not, or it is over
  event::TimePoint began_;
  std::chrono::milliseconds longest_{-1};  // negative: as the cluster has it
  uint16_t status_ = 0;
  cluster::RoutingPriority priority_ = cluster::RoutingPriority::kDefault;
  AnswerStats counted_ = AnswerStats::kAll;
  bool answered_ = false;
  bool slow_ = false;
};

// Joins an attempt to its user, a class that derives from it, at compile time, so that what is counted cannot be
// forgotten and costs no further virtual call. The user has these, beside what it implements of pool::ExchangeEvents
// (onReady, responseCredit, onRequestBytesSent):
//
//   std::optional<RetryState::Repeat> retry(const AttemptEnd&)  it failed without an answer: whether to go on, and how
//   bool retriesElsewhere(const AttemptEnd&)  the same, if not so: true if its user makes another attempt, maybe at
//                                        another host, or has one. Then this one is over, and no answer is counted
//   bool retriesAnswer()                 the final head is in responseHead(): true as above; nothing of it is told
//   void onFailed(const AttemptEnd&)     it is over; answered() tells whether its head had come
//   void onInterimHead()                 a 1xx is in responseHead()
//   void onHead(bool end_stream)         the final head is
//   void onData(std::string_view, bool end_stream)
//   http::Trailers& beginTrailers()      where to put those of the response
//   void onTrailers()
//
// Those for retries may be left out: nothing is retried then. The last three come with running() false where the
// exchange is over with them. A tunnel is over once both sides have ended: running() may turn false in sendData(). The
// user may destroy the attempt inside of any of them.
template <typename User>
class AttemptOf : public Attempt {
 public:
  // Who asked waits no longer, whether it was started or not. Tells onFailed, unless only this try took too long and
  // another one is made.
  void expire(AttemptEnd::Timer timer = AttemptEnd::Timer::kRequest) {
    const AttemptEnd end{.kind = AttemptEnd::Kind::kTimeout, .timer = timer};
    const bool of_try = timer != AttemptEnd::Timer::kRequest;
    if (of_try && running() && !answered() && user().retriesElsewhere(end)) return leave(end);
    if (running()) giveUp(end);
    user().onFailed(end);
  }

 protected:
  using Attempt::Attempt;

  // Who does not say otherwise.
  bool retriesElsewhere(const AttemptEnd&) { return false; }
  bool retriesAnswer() { return false; }

 private:
  void onFailure(pool::Failure failure, std::string_view text) final {
    failUnlessRepeated({.kind = AttemptEnd::Kind::kNoConnection, .connection = failure, .text = text});
  }
  void onInformational() final {
    countInformational();
    user().onInterimHead();
  }
  void onResponseHeaders(bool end_stream) final {
    if (user().retriesAnswer()) return leaveAnswer();
    headCame();
    user().onHead(end_stream);
  }
  void onResponseData(std::string_view data, bool end_stream) final {
    if (!open()) responseEnded();
    user().onData(data, end_stream);
  }
  http::Trailers& beginResponseTrailers() final {
    trailers_ = &user().beginTrailers();
    return *trailers_;
  }
  void onResponseTrailers() final {
    trailersCame(*trailers_);
    responseEnded();
    user().onTrailers();
  }
  void onResponseReset(http::ResetReason reason, std::string_view detail) final {
    failUnlessRepeated(
        {.kind = AttemptEnd::Kind::kReset, .reset = reason, .maybe_unseen = exchange().maybeUnseen(), .text = detail});
  }

  void durationReached() final { expire(AttemptEnd::Timer::kMaxDuration); }
  void failUnlessRepeated(const AttemptEnd& end) {
    if (!answered()) {
      if (const std::optional<RetryState::Repeat> how = user().retry(end)) return repeat(end, *how);
      if (user().retriesElsewhere(end)) return leave(end);
    }
    giveUp(end);
    user().onFailed(end);
  }
  User& user() { return static_cast<User&>(*this); }

  http::Trailers* trailers_ = nullptr;  // of the user, from where they begin
};

}  // namespace sluice::upstream
