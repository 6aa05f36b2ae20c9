#include "source/admin/http_endpoint.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

namespace sluice::admin {
namespace {

using namespace std::chrono_literals;

// Gives one socket that listens already.
struct OneSocket : net::SocketSource {
  absl::StatusOr<net::TakenSocket> take(const net::SocketRequest& request) override {
    asked.push_back(request.address.toString() + " for " + std::to_string(request.worker));
    if (!fd.valid()) return absl::NotFoundError("nobody has prepared it");
    return net::TakenSocket{std::move(fd), true};
  }
  net::Fd fd;
  std::vector<std::string> asked;
};

struct World {
  absl::StatusOr<std::unique_ptr<HttpEndpoint>> open() {
    return openHttpEndpoint(*loop, address, stats, cells, files,
                            [](const HttpRequest& request) {
                              return HttpResponse{200, "hello " + std::string(request.target)};
                            },
                            {.sockets = &source});
  }
  // What comes back until the peer closes.
  std::string ask(const std::string& request) {
    const net::Fd fd(socket(address.socketFamily(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), address.sockaddrPointer(), address.sockaddrLength()) != 0) return "refused";
    if (send(fd.get(), request.data(), request.size(), 0) < 0) return "not sent";
    std::string answer;
    event::Timer poll(loop->timers(), [&] {
      char text[512];
      const ssize_t n = recv(fd.get(), text, sizeof(text), MSG_DONTWAIT);
      if (n > 0) answer.append(text, static_cast<size_t>(n));
      if (n == 0) return loop->stop();
      poll.arm(1ms);
    });
    poll.arm(1ms);
    loop->run();
    return answer;
  }

  const net::Address address =
      *net::Address::fromUnixPath("@sluice-endpoint-" + std::to_string(std::random_device()()));
  std::unique_ptr<event::Loop> loop = event::makeLoop();
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  observability::LogFiles files{stats};
  OneSocket source;
};

TEST_CASE("an endpoint serves on the socket that its source gives") {
  World t;
  t.source.fd = *net::listenOn(t.address, {});
  const auto endpoint = t.open();
  REQUIRE(endpoint.ok());
  CHECK(t.source.asked == std::vector<std::string>{t.address.toString() + " for 0"});
  const std::string answer = t.ask("GET /there HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.ends_with("hello /there"));
}

TEST_CASE("an endpoint whose source has no socket is not opened") {
  World t;
  CHECK(t.open().status().message() == "nobody has prepared it");
}

}  // namespace
}  // namespace sluice::admin
