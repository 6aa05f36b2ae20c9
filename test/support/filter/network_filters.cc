#include "test/support/filter/network_filters.h"

#include <tuple>
#include <utility>

namespace sluice::filter::testing {
namespace {

template <typename Filter, typename... Args>
class Makes : public NetworkFilterFactory {
 public:
  explicit Makes(Args... args) : args_(args...) {}
  std::unique_ptr<NetworkFilter> create() const override {
    return std::apply([](auto... args) { return std::make_unique<Filter>(args...); }, args_);
  }

 private:
  const std::tuple<Args...> args_;
};

template <typename Filter, typename... Args>
NetworkFilterPtr makes(Args... args) {
  return std::make_shared<const Makes<Filter, Args...>>(args...);
}

enum class WaitAt { kTimer, kCall, kFirstBytes };

class Waiting : public NetworkFilter {
 public:
  explicit Waiting(WaitAt at) : at_(at) {}

  NetworkResult onNewConnection(NetworkStream& stream) override {
    if (at_ == WaitAt::kFirstBytes) return Next{};
    return wait(stream);
  }
  NetworkResult onData(Chunk&, NetworkStream& stream) override {
    if (at_ != WaitAt::kFirstBytes || call_) return Next{};
    return wait(stream);
  }

 private:
  NetworkResult wait(NetworkStream& stream) {
    token_ = stream.resumeToken();
    if (at_ == WaitAt::kTimer) {
      call_ = stream.calls().after(std::chrono::seconds(1), [this] { token_.resume(); });
    } else {
      call_ = stream.calls().send({.cluster = "auth"}, [this](const HttpCallResponse& answer) {
        answer.status == 200 ? token_.resume()
                             : token_.close({"denied", {}, stream::ResponseFlag::kUnauthorizedExternalService});
      });
    }
    return Pause{};
  }

  const WaitAt at_;
  NetworkToken token_;
  std::unique_ptr<Call> call_;
};

class Doubling : public NetworkFilter {
 public:
  NetworkResult onData(Chunk& chunk, NetworkStream&) override {
    std::string out;
    for (const char c : chunk.bytes()) {
      if (odd_) out += c;
      odd_ = !odd_;
    }
    chunk.replace(std::move(out));
    return Next{};
  }
  NetworkResult onWrite(Chunk& chunk, NetworkStream&) override {
    chunk.replace(doubled(chunk.bytes()).append(chunk.endStream() ? "." : ""));
    return Next{};
  }

 private:
  bool odd_ = false;
};

class Pausing : public NetworkFilter {
 public:
  NetworkResult onData(Chunk& chunk, NetworkStream& stream) override { return pause(read_, chunk, stream); }
  NetworkResult onWrite(Chunk& chunk, NetworkStream& stream) override { return pause(write_, chunk, stream); }

 private:
  struct Wait {
    NetworkToken token;
    std::unique_ptr<Call> timer;
    std::string bytes;
    size_t count = 0;
  };
  static NetworkResult pause(Wait& wait, Chunk& chunk, NetworkStream& stream) {
    wait.token = stream.resumeToken();
    switch (wait.count++ % 3) {
      case 0:
        wait.timer = stream.calls().after(std::chrono::seconds(1), [&wait] { wait.token.resume(); });
        break;
      case 1:
        wait.bytes = std::string(chunk.bytes());
        chunk.replace("lost");
        wait.timer =
            stream.calls().after(std::chrono::seconds(1), [&wait] { wait.token.resumeWith(std::move(wait.bytes)); });
        break;
      default:
        wait.token.resume();
    }
    return Pause{};
  }

  Wait read_, write_;
};

class Closing : public NetworkFilter {
 public:
  Closing(CloseAt where, size_t at, std::chrono::milliseconds delay) : where_(where), left_(at), delay_(delay) {}
  NetworkResult onData(Chunk& chunk, NetworkStream&) override { return count(CloseAt::kClientByte, chunk); }
  NetworkResult onWrite(Chunk& chunk, NetworkStream&) override { return count(CloseAt::kTerminalByte, chunk); }

 private:
  NetworkResult count(CloseAt where, const Chunk& chunk) {
    if (where != where_) return Next{};
    if (chunk.bytes().size() >= left_) return Close{"enough", delay_};
    left_ -= chunk.bytes().size();
    return Next{};
  }
  const CloseAt where_;
  size_t left_;
  const std::chrono::milliseconds delay_;
};

class Forgetting : public NetworkFilter {
 public:
  NetworkResult onData(Chunk&, NetworkStream& stream) override {
    (void)stream.resumeToken();
    return Pause{};
  }
};

}  // namespace

NetworkFilterPtr waitsForTimer() {
  return makes<Waiting>(WaitAt::kTimer);
}
NetworkFilterPtr waitsForCall() {
  return makes<Waiting>(WaitAt::kCall);
}
NetworkFilterPtr waitsAtFirstBytes() {
  return makes<Waiting>(WaitAt::kFirstBytes);
}

NetworkFilterPtr doubling() {
  return makes<Doubling>();
}
std::string doubled(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out.append(2, c);
  return out;
}

NetworkFilterPtr pausing() {
  return makes<Pausing>();
}

NetworkFilterPtr closing(CloseAt where, size_t at, std::chrono::milliseconds delay) {
  return makes<Closing>(where, at, delay);
}

NetworkFilterPtr forgetting() {
  return makes<Forgetting>();
}

}  // namespace sluice::filter::testing
