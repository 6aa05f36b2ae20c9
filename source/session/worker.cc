#include "source/session/worker.h"

#include <ctime>

#include "source/session/stream.h"

namespace sluice::session {

std::string_view DateCache::now(event::TimePoint now) {
  if (now >= next_) {
    const auto wall = std::chrono::system_clock::now();
    const time_t seconds = std::chrono::system_clock::to_time_t(wall);
    tm parts;
    gmtime_r(&seconds, &parts);
    size_ = strftime(text_, sizeof(text_), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    const auto into_second = wall - std::chrono::time_point_cast<std::chrono::seconds>(wall);
    next_ = now + std::chrono::duration_cast<event::Duration>(std::chrono::seconds(1) - into_second);
  }
  return {text_, size_};
}

// Keeps stream objects: free ones, and finished ones until the end of the turn (their own code may still be on the
// stack).
class SessionWorker::Reaper : public event::TurnTask {
 public:
  explicit Reaper(event::Loop& loop) : loop_(loop) {}
  ~Reaper() override {
    runAtTurnEnd();
    while (!free_.empty()) {
      Stream* stream = &free_.front();
      stream->unlink();
      delete stream;
    }
  }

  Stream* take() {
    if (free_.empty()) return nullptr;
    Stream& stream = free_.front();
    stream.unlink();
    --free_count_;
    return &stream;
  }
  void retire(Stream& stream) {
    retired_.pushBack(stream);
    loop_.atTurnEnd(*this);
  }
  void runAtTurnEnd() override {
    while (!retired_.empty()) {
      Stream& stream = retired_.front();
      stream.unlink();
      stream.cleanUp();
      if (free_count_ >= kMaxFree) {
        delete &stream;
      } else {
        free_.pushFront(stream);
        ++free_count_;
      }
    }
  }

 private:
  static constexpr size_t kMaxFree = 1024;
  event::Loop& loop_;
  base::List<Stream> free_;
  base::List<Stream> retired_;
  size_t free_count_ = 0;
};

SessionWorker::SessionWorker(worker::WorkerServices& services, RouteTables& tables)
    : services(services),
      loop(services.loop),
      cells(services.cells),
      tables(tables),
      scopes([&services](std::shared_ptr<const route::ScopeIndex> index) {
        services.postToMain([index = std::move(index)] {});
      }),
      reaper_(std::make_unique<Reaper>(services.loop)) {}

SessionWorker::~SessionWorker() = default;

Stream* SessionWorker::takeStream() {
  if (Stream* stream = reaper_->take()) return stream;
  return new Stream(*this);
}

void SessionWorker::retireStream(Stream& stream) {
  reaper_->retire(stream);
}

}  // namespace sluice::session
