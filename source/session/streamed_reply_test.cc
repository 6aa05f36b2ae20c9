// An answer that a filter streams, to a client that reads slowly.
#include <catch2/catch.hpp>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/session/test_session.h"

namespace sluice::session {
namespace {

constexpr size_t kSize = 4 * 1024 * 1024;

// What is known of the source from the outside.
struct Progress {
  size_t read = 0;
  bool destroyed = false;
};

class Large : public filter::ReplyBody {
 public:
  explicit Large(Progress& progress) : progress_(progress) {}
  ~Large() override { progress_.destroyed = true; }
  Read read(size_t room, std::string& piece) override {
    piece.assign(std::min(room, kSize - progress_.read), 'x');
    progress_.read += piece.size();
    return progress_.read == kSize ? Read::kEnd : Read::kMore;
  }

 private:
  Progress& progress_;
};

class Store : public filter::HttpFilter {
 public:
  explicit Store(Progress* const& progress) : progress_(progress) {}
  filter::HookResult onRequestHeaders(http::RequestHeaders&, filter::Context&) override {
    filter::Reply reply{200, "", "stored", {{"content-length", std::to_string(kSize)}}};
    reply.stream = std::make_unique<Large>(*progress_);
    return reply;
  }

 private:
  Progress* const progress_;
};

struct Streamed : TestSession {
  Streamed() {
    settings->chain = filter::fixedChain({{"store", std::make_shared<filter::Factory<Store, Progress*>>(&progress)}});
    client = connect();
    client->send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    loop.turn();
  }
  Progress progress;
  std::unique_ptr<TestClient> client;
};

TEST_CASE("a streamed answer is read as fast as its client takes it") {
  Streamed t;
  for (int i = 0; i < 5; ++i) t.loop.turn();
  const size_t ahead = t.progress.read;
  CHECK(ahead < kSize / 2);  // what a window and the kernel's buffers hold

  size_t got = 0;
  for (int i = 0; i < 10'000 && got < kSize; ++i) {
    got += t.client->take().size();
    t.loop.turn();
    REQUIRE(t.progress.read <= got + ahead + filter::ChainRunner::kWindow);
  }

  CHECK(got > kSize);  // the head, too
  CHECK(t.progress.destroyed);
  CHECK(t.log == std::vector<std::string>{"/ 200 stored -"});
}

TEST_CASE("a client that goes in the middle of a streamed answer ends its source") {
  Streamed t;
  CHECK_FALSE(t.progress.destroyed);
  t.client->close();
  t.loop.turn();
  CHECK(t.progress.destroyed);
  CHECK(t.progress.read < kSize);
}

}  // namespace
}  // namespace sluice::session
