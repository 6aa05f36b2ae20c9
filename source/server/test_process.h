// A process with real workers, for tests of what main holds, and what its listeners may serve.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "source/server/worker.h"

namespace sluice::server {

struct Process {
  explicit Process(uint32_t count = 1) {
    for (uint32_t i = 0; i < count; ++i) {
      workers.add(std::make_unique<Worker>(i, stats.makeCells(), i, Worker::Surroundings{.log_files = log_files}));
    }
    workers.start();
  }
  ~Process() { workers.stop(); }
  // Until the workers have done what was posted, and main what they posted back.
  void sync() {
    workers.postAll(
        *main, [](Worker&) {}, [this] { main->stop(); });
    main->run();
  }
  template <typename T>
  T onWorker(std::function<T(Worker&)> look, uint32_t index = 0) {
    T out{};
    workers.postAll(
        *main,
        [&](Worker& worker) {
          if (worker.index() == index) out = look(worker);
        },
        [this] { main->stop(); });
    main->run();
    return out;
  }
  // What is answered there to a new connection: "refused" if nobody listens. Waits for the answer.
  std::string ask(const net::Address& at) {
    sync();
    const net::Fd fd(socket(at.socketFamily(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), at.sockaddrPointer(), at.sockaddrLength()) != 0) return "refused";
    char text[64];
    const ssize_t n = recv(fd.get(), text, sizeof(text), 0);
    return n <= 0 ? "closed" : std::string(text, n);
  }
  void runFor(std::chrono::milliseconds time) {
    event::Timer end(main->timers(), [this] { main->stop(); });
    end.arm(time);
    main->run();
  }

  std::unique_ptr<event::Loop> main = event::makeLoop();
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  observability::LogFiles log_files{stats};
  observability::Logger logger{observability::LogLevel::kOff};
  Workers workers;
};

// Answers each connection with a text.
class Greeter : public filter::TerminalNetworkFilter {
 public:
  explicit Greeter(std::string text) : text_(std::move(text)) {}
  void serve(filter::Accepted accepted, worker::WorkerServices&, base::List<filter::LiveConnection>&) const override {
    [[maybe_unused]] const ssize_t n = write(accepted.fd.get(), text_.data(), text_.size());
  }

 private:
  std::string text_;
};

// That nobody else has.
inline net::Address unixAddress() {
  static int count = 0;
  return *net::Address::fromUnixPath("@sluice-server-" + std::to_string(std::random_device()()) + "-" +
                                     std::to_string(++count));
}

}  // namespace sluice::server
