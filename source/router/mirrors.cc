#include "source/router/mirrors.h"

#include <new>
#include <optional>
#include <utility>

#include "source/base/host_port.h"
#include "source/http/rules.h"
#include "source/router/host_choice.h"
#include "source/router/upstream_filters.h"
#include "source/stream/format_context.h"
#include "source/stream/internal_hops.h"
#include "source/upstream/attempt.h"

namespace sluice::router {

using std::chrono::milliseconds;
using upstream::AttemptEnd;
using upstream::RetryState;

namespace {

// Of a copy without a timeout whose stream is over.
constexpr milliseconds kAlone{15'000};

// The suffix stands behind the name, in front of the port. An address in brackets has no name.
std::string_view shadowOf(std::string_view authority, base::Arena& arena) {
  const base::HostPort parts = base::splitHostPort(authority);
  if (parts.host.empty() || parts.host.ends_with(']')) return arena.copy(authority);
  return arena.concat(parts.host, std::string_view("-shadow"), authority.substr(parts.host.size()));
}

}  // namespace

class Mirror final : public upstream::AttemptOf<Mirror> {
 public:
  Mirror(Mirrors& all, base::LocalPtr<upstream::WorkerCluster> cluster, const RequestMirrors::Request& request)
      : AttemptOf(arena_),
        all_(all),
        timeout_(request.timeout),
        headers_only_(request.end_stream),
        timer_(all.loop_.timers(), [this] { expire(); }) {
    setCluster(std::move(cluster));
  }
  ~Mirror() override { cancel(); }

  static Mirror& make(Mirrors& all, base::LocalPtr<upstream::WorkerCluster> cluster,
                      const RequestMirrors::Request& request) {
    auto mirror = std::make_unique<Mirror>(all, std::move(cluster), request);
    Mirror& out = *mirror;
    out.place_ = all.under_way_.insert(all.under_way_.end(), std::move(mirror));
    return out;
  }

  void begin(filter::Stream& stream, std::string_view authority, const route::MirrorPolicy& policy) {
    writeHead(stream, authority, policy);
    if (headers_only_) requestEnded();
    if (!take(pickHost(*cluster(), head_, nullptr))) return over();
    if (!stream::tellInternalHops(host().address(), stream.info().internal_hops, head_)) return over();
    if (cluster()->config().http_filters) chooseFilters(stream);
    start(head_, {}, upstream::cluster::RoutingPriority::kDefault);
  }

  // While it waits for a connection: the body is in `held`, which grows.
  void waitWith(const base::LocalPtr<HeldBody>& held, bool end_stream) {
    held_ = held;
    if (end_stream) requestEnded();
  }
  void waitWith(const http::Trailers& trailers) {
    trailers_.addCopies(trailers);
    has_trailers_ = true;
    requestEnded();
  }
  // Once it has one.
  void send(std::string_view data, bool end_stream) {
    if (end_stream) requestEnded();
    sendData(data, end_stream);
  }
  void send(const http::Trailers& trailers) {
    requestEnded();
    sendTrailers(trailers);
  }

  // Nothing of it is wanted any more.
  void over() {
    if (gone_) return;
    gone_ = true;
    if (slot_ != nullptr) slot_->mirror = nullptr;
    timer_.cancel();
    held_.reset();
    cancel();
    all_.over_.splice(all_.over_.end(), all_.under_way_, place_);
    all_.loop_.atTurnEnd(all_);
  }
  // Its stream is over.
  void goOnAlone() {
    slot_ = nullptr;
    if (!request_ended_) return over();
    if (!timer_.armed()) timer_.arm(kAlone);
  }

  void setSlot(RequestMirrors::Slot& slot) {
    slot_ = &slot;
    slot.mirror = this;
  }

 private:
  friend class upstream::AttemptOf<Mirror>;

  void writeHead(filter::Stream& stream, std::string_view authority, const route::MirrorPolicy& policy) {
    const http::RequestHeaders& from = stream.request();
    head_.method = arena_.copy(from.method);
    head_.path = arena_.copy(from.path);
    head_.scheme = arena_.copy(from.scheme);
    head_.protocol = from.protocol;
    head_.addCopies(from);
    for (const route::HeaderMutations& change : policy.changes) {
      change.apply(head_, stream::FormatContext{.request = &head_, .info = stream.info()});
    }
    if (!policy.host_rewrite.empty()) {
      head_.authority = arena_.copy(policy.host_rewrite);
    } else {
      head_.authority = policy.shadow_host ? shadowOf(authority, arena_) : arena_.copy(authority);
    }
  }

  void chooseFilters(filter::Stream& stream) {
    const stream::StreamInfo& info = stream.info();
    UpstreamFilters::choose(filters_, *this, {},
                            {.worker = stream.worker(),
                             .addresses = {.remote = arena_.copy(info.downstream_remote_address),
                                           .local = arena_.copy(info.downstream_local_address)},
                             .start_time = info.timeOfDay(all_.loop_.now())});
  }

  void requestEnded() {
    request_ended_ = true;
    if (timeout_.count() > 0) timer_.arm(timeout_);
  }

  void onReady() override {
    sendHead(headers_only_);
    const base::LocalPtr<HeldBody> held = std::exchange(held_, {});
    if (headers_only_ || !open()) return;
    const bool end_with_data = request_ended_ && !has_trailers_;
    const std::string_view body = held ? std::string_view(held->bytes) : std::string_view();
    if (!body.empty() || end_with_data) sendData(body, end_with_data);
    if (has_trailers_ && open()) sendTrailers(trailers_);
  }
  http::Trailers& beginTrailers() { return response_trailers_; }
  size_t responseCredit() override { return 64 * 1024; }
  void onRequestBytesSent() override {}

  std::optional<RetryState::Repeat> retry(const AttemptEnd& failure) {
    return retries_.after(failure, {.idempotent = http::idempotent(head_.method), .at_hand = headers_only_});
  }
  void onFailed(const AttemptEnd&) { over(); }
  void onInterimHead() {}
  void onHead(bool end_stream) {
    if (end_stream) over();
  }
  void onData(std::string_view, bool end_stream) {
    if (end_stream) over();
  }
  void onTrailers() { over(); }

  Mirrors& all_;
  Mirrors::List::iterator place_;
  RequestMirrors::Slot* slot_ = nullptr;  // null: its stream is over
  base::Arena arena_;
  http::RequestHeaders head_{arena_};
  http::Trailers trailers_{arena_};
  http::Trailers response_trailers_{arena_};
  base::LocalPtr<HeldBody> held_;
  RetryState retries_;
  const milliseconds timeout_;
  const bool headers_only_;
  bool request_ended_ = false;
  bool has_trailers_ = false;
  bool gone_ = false;
  event::Timer timer_;
  std::unique_ptr<UpstreamFilters> filters_;  // null: none
};

Mirrors::Mirrors(event::Loop& loop, upstream::ClusterSet& clusters) : loop_(loop), clusters_(clusters) {}

Mirrors::~Mirrors() = default;

void Mirrors::runAtTurnEnd() {
  over_.clear();
}

RequestMirrors* RequestMirrors::start(const worker::WorkerServices& worker, filter::Stream& stream,
                                      const route::MirrorPolicies& policies, const Request& request) {
  auto* const all = worker.find<Mirrors>();
  if (all == nullptr) return nullptr;
  // One number for all policies: what a share of 10% takes is part of what one of 20% takes.
  const uint64_t random = stream.random();
  RequestMirrors* out = nullptr;
  for (size_t i = 0; i < policies.size(); ++i) {
    const route::MirrorPolicy& policy = policies[i];
    if (!policy.fraction.includes(random)) continue;
    base::LocalPtr<upstream::WorkerCluster> cluster =
        policy.cluster != route::kNoCluster
            ? all->clusters_.find(policy.cluster)
            : all->clusters_.find(policy.cluster_header.empty()
                                      ? std::string_view(policy.cluster_name)
                                      : stream.request().lookup(policy.cluster_header).value_or(""));
    if (!cluster) continue;
    if (out == nullptr) {
      Slot* const slots = stream.arena().allocateArray<Slot>(policies.size());
      for (size_t n = 0; n < policies.size(); ++n) slots[n] = {};
      out = new (stream.arena().allocate(sizeof(RequestMirrors)))
          RequestMirrors({slots, policies.size()}, request.most_waiting);
    }
    Mirror& mirror = Mirror::make(*all, std::move(cluster), request);
    mirror.setSlot(out->slots_[i]);
    mirror.begin(stream, request.authority, policy);
  }
  return out;
}

size_t RequestMirrors::data(std::string_view data, bool end_stream) {
  for (Slot& slot : slots_) slot.sends = slot.mirror != nullptr && slot.mirror->open();
  size_t dropped = hold(data, end_stream);
  for (Slot& slot : slots_) {
    if (!slot.sends || slot.mirror == nullptr) continue;
    slot.mirror->send(data, end_stream);
    if (slot.mirror == nullptr || slot.mirror->unsentBytes() <= most_waiting_) continue;
    slot.mirror->over();
    ++dropped;
  }
  return dropped;
}

// For those that have no connection.
size_t RequestMirrors::hold(std::string_view data, bool end_stream) {
  size_t waiting = 0;
  for (const Slot& slot : slots_) waiting += slot.mirror != nullptr && !slot.sends;
  if (waiting == 0) {
    held_.reset();
    return 0;
  }
  if (!held_) held_ = base::makeLocal<HeldBody>();
  const bool fits = held_->bytes.size() + data.size() <= most_waiting_;
  if (fits) held_->bytes.append(data);
  for (Slot& slot : slots_) {
    if (slot.mirror == nullptr || slot.sends) continue;
    fits ? slot.mirror->waitWith(held_, end_stream) : slot.mirror->over();
  }
  return fits ? 0 : waiting;
}

void RequestMirrors::trailers(const http::Trailers& trailers) {
  for (Slot& slot : slots_) slot.sends = slot.mirror != nullptr && slot.mirror->open();
  for (Slot& slot : slots_) {
    if (slot.mirror == nullptr) continue;
    slot.sends ? slot.mirror->send(trailers) : slot.mirror->waitWith(trailers);
  }
}

void RequestMirrors::letGo() {
  for (Slot& slot : slots_) {
    if (Mirror* const mirror = std::exchange(slot.mirror, nullptr)) mirror->goOnAlone();
  }
  held_.reset();
}

}  // namespace sluice::router
