#include "source/worker/main_services.h"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/worker/test_worker.h"

namespace sluice::worker {
namespace {

using testing::TestWorker;

// Calls that the test answers, on the worker.
class Peer : public Calls {
 public:
  struct Handle : GrpcCall {
    explicit Handle(Peer& peer) : peer(peer) { ++peer.open; }
    ~Handle() override { --peer.open; }
    void sendMessage(std::string_view message, bool last) override {
      peer.got.push_back(std::string(message) + (last ? "." : ""));
    }
    void sendEnd() override { peer.got.emplace_back("."); }
    size_t unsentBytes() const override { return peer.unsent; }
    Peer& peer;
  };

  std::unique_ptr<GrpcCall> openGrpc(GrpcCallRequest request, GrpcEvents& to) override {
    got.push_back(request.cluster);
    events = &to;
    return std::make_unique<Handle>(*this);
  }
  std::unique_ptr<Call> send(HttpCallRequest request, std::function<void(HttpCallResponse)> to) override {
    got.push_back(request.path);
    on_response = std::move(to);
    return std::make_unique<Handle>(*this);
  }
  std::unique_ptr<Call> after(std::chrono::milliseconds, std::function<void()>) override { return nullptr; }
  void answer(uint16_t status) {
    const auto respond = std::move(on_response);
    HttpCallResponse response;
    response.status = status;
    respond(std::move(response));
  }

  int open = 0;
  size_t unsent = 0;
  std::vector<std::string> got;
  GrpcEvents* events = nullptr;
  std::function<void(HttpCallResponse)> on_response;
};

struct Events : GrpcEvents {
  void onGrpcMessage(std::string_view message) override { got.emplace_back(message); }
  void onGrpcEnd(int status, std::string_view message) override {
    got.push_back(std::to_string(status) + std::string(message));
  }
  void onGrpcProgress() override { ++progress; }
  std::vector<std::string> got;
  int progress = 0;
};

struct MainTest {
  // What was posted either way.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      worker.loop.turn();
      worker.runMain();
    }
  }

  event::PolledLoop loop;
  observability::StatsRegistry registry;
  Peer peer;
  LocalSlots slots;
  TestWorker worker{&peer, slots};
  MainServices main{loop, registry.makeCells(), slots, [this](std::function<void(WorkerServices&)> work) {
                      worker.loop.post([this, work = std::move(work)] { work(worker.services); });
                    }};
};

TEST_CASE("a call of main is made by a worker and answered on main") {
  MainTest t;
  uint16_t status = 0;
  const auto call = t.main.calls().send({.cluster = "c", .path = "/keys"},
                                        [&status](HttpCallResponse response) { status = response.status; });
  CHECK(t.peer.got.empty());
  t.settle();
  REQUIRE(t.peer.got == std::vector<std::string>{"/keys"});

  t.peer.answer(200);
  CHECK(t.peer.open == 0);
  CHECK(status == 0);
  t.settle();
  CHECK(status == 200);
}

TEST_CASE("a call of main that is dropped is cancelled on the worker, and an answer under way is nobody's") {
  MainTest t;
  int answered = 0;
  auto call = t.main.calls().send({.path = "/keys"}, [&answered](HttpCallResponse) { ++answered; });
  const bool answer_first = GENERATE(true, false);
  t.settle();
  if (answer_first) t.peer.answer(200);
  call.reset();
  t.settle();
  CHECK(t.peer.open == 0);
  CHECK(answered == 0);
}

TEST_CASE("an answer may drop its own call") {
  MainTest t;
  std::unique_ptr<Call> call;
  call = t.main.calls().send({.path = "/"}, [&call](HttpCallResponse) { call.reset(); });
  t.settle();
  t.peer.answer(204);
  t.settle();
  CHECK(call == nullptr);
}

TEST_CASE("a gRPC stream of main goes both ways, and tells what is unsent") {
  MainTest t;
  Events events;
  auto call = t.main.calls().openGrpc({.cluster = "c"}, events);
  t.peer.unsent = 3;
  call->sendMessage("abcde", false);
  CHECK(call->unsentBytes() == 5);
  t.settle();
  CHECK(t.peer.got == std::vector<std::string>{"c", "abcde"});
  CHECK(call->unsentBytes() == 3);
  CHECK(events.progress == 1);

  t.peer.events->onGrpcMessage("hello");
  call->sendEnd();
  t.settle();
  CHECK(t.peer.got.back() == ".");
  t.peer.events->onGrpcEnd(0, "");
  t.settle();
  CHECK(events.got == std::vector<std::string>{"hello", "0"});

  call.reset();
  t.settle();
  CHECK(t.peer.open == 0);
}

TEST_CASE("what main has asked for may be let go of behind its services") {
  MainTest t;
  Events events;
  std::optional<MainServices> main(std::in_place, t.loop, t.registry.makeCells(), t.slots,
                                   [](std::function<void(WorkerServices&)>) {});
  auto stream = main->calls().openGrpc({.cluster = "c"}, events);
  auto call = main->calls().send({.path = "/"}, [](HttpCallResponse) {});
  main.reset();
  stream.reset();
  call.reset();
  CHECK(events.got.empty());
}

TEST_CASE("a worker that ends cancels what it asked for main") {
  Peer peer;
  LocalSlots slots;
  event::PolledLoop loop;
  observability::StatsRegistry registry;
  auto worker = std::make_unique<TestWorker>(&peer, slots);
  MainServices main(loop, registry.makeCells(), slots, [&worker](std::function<void(WorkerServices&)> work) {
    if (worker) worker->loop.post([&worker, work = std::move(work)] { work(worker->services); });
  });
  const auto call = main.calls().send({.path = "/"}, [](HttpCallResponse) {});
  worker->loop.turn();
  CHECK(peer.open == 1);
  worker.reset();
  CHECK(peer.open == 0);
}

}  // namespace
}  // namespace sluice::worker
