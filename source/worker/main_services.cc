#include "source/worker/main_services.h"

#include <string>

#include "source/worker/timer_call.h"

namespace sluice::worker {
namespace {

using CallId = uint64_t;

}  // namespace

class MainCalls : public Calls, public std::enable_shared_from_this<MainCalls> {
 public:
  MainCalls(MainServices& main, const LocalSlots& slots)
      : main_(main),
        on_worker_(slots, [this](WorkerServices& worker) { return std::make_unique<OnWorker>(*this, worker); }) {}

  std::unique_ptr<GrpcCall> openGrpc(GrpcCallRequest request, GrpcEvents& events) override;
  std::unique_ptr<Call> send(HttpCallRequest request, std::function<void(HttpCallResponse)> on_response) override;
  std::unique_ptr<Call> after(std::chrono::milliseconds delay, std::function<void()> on_expiry) override {
    return std::make_unique<TimerCall>(main_.loop.timers(), delay, std::move(on_expiry));
  }
  bool sendDetached(HttpCallRequest request) override {
    main_.postToWorker([request = std::move(request)](WorkerServices& worker) { worker.calls.sendDetached(request); });
    return true;
  }
  void count(std::string_view cluster, std::string_view name, uint64_t n) override {
    main_.postToWorker([cluster = std::string(cluster), name = std::string(name), n](WorkerServices& worker) {
      worker.calls.count(cluster, name, n);
    });
  }

 private:
  class HttpHandle;
  class GrpcHandle;

  // The worker's half of a gRPC call.
  class GrpcOnWorker : public GrpcEvents {
   public:
    GrpcOnWorker(MainCalls& main, WorkerServices& worker, CallId id) : main_(main), worker_(worker), id_(id) {}

    void open(GrpcCallRequest request) { call_ = worker_.calls.openGrpc(std::move(request), *this); }
    void send(std::string_view message, bool last) {
      taken_ += message.size();
      if (call_) call_->sendMessage(message, last);
      tellUnsent();
    }
    void sendEnd() {
      if (call_) call_->sendEnd();
    }

   private:
    void onGrpcMessage(std::string_view message) override;
    void onGrpcEnd(int status, std::string_view message) override;
    void onGrpcProgress() override { tellUnsent(); }
    void tellUnsent();

    MainCalls& main_;
    WorkerServices& worker_;
    const CallId id_;
    uint64_t taken_ = 0;  // bytes that came from main
    std::unique_ptr<GrpcCall> call_;
  };

  // The calls that the worker makes for main: cancelled with the worker.
  struct OnWorker {
    OnWorker(MainCalls& main, WorkerServices& worker) : main(main), worker(worker) {}

    MainCalls& main;
    WorkerServices& worker;
    std::unordered_map<CallId, std::unique_ptr<Call>> http;
    std::unordered_map<CallId, std::unique_ptr<GrpcOnWorker>> grpc;
  };

  void onWorker(std::function<void(OnWorker&)> work) {
    main_.postToWorker([this, work = std::move(work)](WorkerServices& worker) { work(on_worker_.get(worker)); });
  }
  GrpcHandle* grpcHandle(CallId id) const {
    const auto found = grpc_.find(id);
    return found == grpc_.end() ? nullptr : found->second;
  }
  void answer(CallId id, HttpCallResponse response) {
    const auto found = http_.find(id);
    if (found == http_.end()) return;  // cancelled
    const auto on_response = std::move(found->second);
    http_.erase(found);
    on_response(std::move(response));
  }

  MainServices& main_;
  const WorkerLocal<OnWorker> on_worker_;
  CallId next_id_ = 0;
  std::unordered_map<CallId, std::function<void(HttpCallResponse)>> http_;  // that wait
  std::unordered_map<CallId, GrpcHandle*> grpc_;
};

// --- HTTP ------------------------------------------------------------------------------------------------------------

class MainCalls::HttpHandle : public Call {
 public:
  HttpHandle(MainCalls& calls, CallId id) : calls_(calls.weak_from_this()), id_(id) {}
  ~HttpHandle() override {
    const auto calls = calls_.lock();
    if (!calls || calls->http_.erase(id_) == 0) return;  // answered
    calls->onWorker([id = id_](OnWorker& worker) { worker.http.erase(id); });
  }

 private:
  const std::weak_ptr<MainCalls> calls_;
  const CallId id_;
};

std::unique_ptr<Call> MainCalls::send(HttpCallRequest request, std::function<void(HttpCallResponse)> on_response) {
  const CallId id = ++next_id_;
  http_.emplace(id, std::move(on_response));
  onWorker([id, request = std::move(request)](OnWorker& on_worker) {
    on_worker.http[id] = on_worker.worker.calls.send(request, [id, &on_worker](HttpCallResponse response) {
      on_worker.worker.postToMain(
          [&main = on_worker.main, id, response = std::move(response)] { main.answer(id, response); });
      on_worker.http.erase(id);
    });
  });
  return std::make_unique<HttpHandle>(*this, id);
}

// --- gRPC ------------------------------------------------------------------------------------------------------------

class MainCalls::GrpcHandle : public GrpcCall {
 public:
  GrpcHandle(MainCalls& calls, CallId id, GrpcEvents& events)
      : calls_(calls), alive_(calls.weak_from_this()), id_(id), events_(events) {
    calls_.grpc_.emplace(id, this);
  }
  ~GrpcHandle() override {
    if (alive_.expired()) return;
    calls_.grpc_.erase(id_);
    calls_.onWorker([id = id_](OnWorker& worker) { worker.grpc.erase(id); });
  }

  void sendMessage(std::string_view message, bool last) override {
    sent_ += message.size();
    calls_.onWorker([id = id_, message = std::string(message), last](OnWorker& worker) {
      if (const auto found = worker.grpc.find(id); found != worker.grpc.end()) found->second->send(message, last);
    });
  }
  void sendEnd() override {
    calls_.onWorker([id = id_](OnWorker& worker) {
      if (const auto found = worker.grpc.find(id); found != worker.grpc.end()) found->second->sendEnd();
    });
  }
  // Those that wait at the worker, and those on their way to it.
  size_t unsentBytes() const override { return worker_unsent_ + (sent_ - worker_taken_); }

  // Each may destroy this.
  void message(std::string_view message) { events_.onGrpcMessage(message); }
  void end(int status, std::string_view message) { events_.onGrpcEnd(status, message); }
  void progress(size_t unsent, uint64_t taken) {
    worker_unsent_ = unsent;
    worker_taken_ = taken;
    events_.onGrpcProgress();
  }

 private:
  MainCalls& calls_;
  const std::weak_ptr<MainCalls> alive_;
  const CallId id_;
  GrpcEvents& events_;
  uint64_t sent_ = 0;
  uint64_t worker_taken_ = 0;
  size_t worker_unsent_ = 0;
};

std::unique_ptr<GrpcCall> MainCalls::openGrpc(GrpcCallRequest request, GrpcEvents& events) {
  const CallId id = ++next_id_;
  onWorker([id, request = std::move(request)](OnWorker& on_worker) {
    auto call = std::make_unique<GrpcOnWorker>(on_worker.main, on_worker.worker, id);
    GrpcOnWorker& opened = *call;
    on_worker.grpc.emplace(id, std::move(call));
    opened.open(request);
  });
  return std::make_unique<GrpcHandle>(*this, id, events);
}

void MainCalls::GrpcOnWorker::onGrpcMessage(std::string_view message) {
  worker_.postToMain([&main = main_, id = id_, message = std::string(message)] {
    if (GrpcHandle* handle = main.grpcHandle(id)) handle->message(message);
  });
}

void MainCalls::GrpcOnWorker::onGrpcEnd(int status, std::string_view message) {
  worker_.postToMain([&main = main_, id = id_, status, message = std::string(message)] {
    if (GrpcHandle* handle = main.grpcHandle(id)) handle->end(status, message);
  });
}

void MainCalls::GrpcOnWorker::tellUnsent() {
  const size_t unsent = call_ ? call_->unsentBytes() : 0;
  worker_.postToMain([&main = main_, id = id_, unsent, taken = taken_] {
    if (GrpcHandle* handle = main.grpcHandle(id)) handle->progress(unsent, taken);
  });
}

// --- services --------------------------------------------------------------------------------------------------------

MainServices::MainServices(event::Loop& loop, observability::StatsCells& cells, const LocalSlots& slots,
                           PostToWorker post_to_worker)
    : loop(loop),
      cells(cells),
      post_to_worker_(std::move(post_to_worker)),
      calls_(std::make_shared<MainCalls>(*this, slots)) {}

MainServices::~MainServices() = default;

Calls& MainServices::calls() {
  return *calls_;
}

}  // namespace sluice::worker
