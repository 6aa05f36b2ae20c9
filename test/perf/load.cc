// Load that wrk and h2load do not make: TLS handshakes, and echoes through a tunnel (WebSocket frames).
//
//   load tls-full|tls-resume|tunnel PORT SECONDS CONNECTIONS
//
// tls-*: each connection handshakes, sends one request, reads the answer and closes; then the next begins.
// tunnel: each connection upgrades once, then sends 64 bytes (a masked WebSocket frame) again and again, each time
// after the same bytes have come back. One thread, epoll. Prints "N done in S s, E errors, P50 ms, P99 ms".
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

enum class Mode { kTlsFull, kTlsResume, kTunnel };

constexpr std::string_view kRequest = "GET /1024 HTTP/1.1\r\nHost: bench.test\r\n\r\n";
constexpr std::string_view kUpgrade =
    "GET /echo HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct Slot {
  int fd = -1;
  SSL* ssl = nullptr;
  SSL_SESSION* session = nullptr;  // for the next connection
  bool connected = false;
  bool upgraded = false;
  std::string in;
  size_t expected = 0;  // bytes of the answer; 0: its head has not come
  Clock::time_point began;
};

class Load {
 public:
  Load(Mode mode, int port, int seconds, size_t connections)
      : mode_(mode), port_(port), seconds_(seconds), slots_(connections), context_(SSL_CTX_new(TLS_method())) {
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      auto& slot = *static_cast<Slot*>(SSL_get_app_data(ssl));
      if (slot.session != nullptr) SSL_SESSION_free(slot.session);
      slot.session = session;
      return 1;
    });
    // WebSocket: text frame of 58 bytes, masked with zeros: 64 bytes in all.
    frame_ = std::string("\x81\xba\0\0\0\0", 6) + std::string(58, 'x');
  }

  int run() {
    for (Slot& slot : slots_) open(slot);
    const auto began = Clock::now();
    const auto end = began + std::chrono::seconds(seconds_);
    epoll_event events[256];
    while (Clock::now() < end) {
      const int count = epoll_wait(epoll_, events, 256, 100);
      for (int i = 0; i < count; ++i) step(*static_cast<Slot*>(events[i].data.ptr));
      if (errors_ > 10'000) break;
    }
    std::sort(times_.begin(), times_.end());
    auto percentile = [this](double share) {
      return times_.empty() ? 0.0 : times_[static_cast<size_t>(share * static_cast<double>(times_.size() - 1))];
    };
    std::printf("%zu done in %.3f s, %zu errors, %zu resumed, %.3f ms p50, %.3f ms p99\n", times_.size(),
                std::chrono::duration<double>(Clock::now() - began).count(), errors_, resumed_, percentile(0.5),
                percentile(0.99));
    return 0;
  }

 private:
  void open(Slot& slot) {
    slot.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(slot.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(slot.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 && errno != EINPROGRESS) {
      std::perror("load: connect");
      std::exit(1);
    }
    slot.connected = slot.upgraded = false;
    slot.in.clear();
    slot.expected = 0;
    slot.began = Clock::now();
    if (mode_ != Mode::kTunnel) {
      slot.ssl = SSL_new(context_);
      SSL_set_app_data(slot.ssl, &slot);
      SSL_set_fd(slot.ssl, slot.fd);
      SSL_set_tlsext_host_name(slot.ssl, "bench.test");
      if (mode_ == Mode::kTlsResume && slot.session != nullptr) SSL_set_session(slot.ssl, slot.session);
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = &slot;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, slot.fd, &event);
  }

  void reopen(Slot& slot, bool failed) {
    if (failed) ++errors_;
    if (slot.ssl != nullptr) SSL_free(slot.ssl);
    slot.ssl = nullptr;
    ERR_clear_error();
    close(slot.fd);
    open(slot);
  }

  void finished(Slot& slot) {
    times_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - slot.began).count());
    slot.began = Clock::now();
  }

  void step(Slot& slot) {
    if (mode_ == Mode::kTunnel) return stepTunnel(slot);
    if (!slot.connected) {
      const int result = SSL_connect(slot.ssl);
      if (result != 1) {
        const int error = SSL_get_error(slot.ssl, result);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) reopen(slot, true);
        return;
      }
      slot.connected = true;
      if (SSL_session_reused(slot.ssl)) ++resumed_;
      SSL_write(slot.ssl, kRequest.data(), static_cast<int>(kRequest.size()));
    }
    char bytes[16 * 1024];
    while (true) {
      const int size = SSL_read(slot.ssl, bytes, sizeof(bytes));
      if (size <= 0) {
        if (SSL_get_error(slot.ssl, size) != SSL_ERROR_WANT_READ) reopen(slot, true);
        return;
      }
      slot.in.append(bytes, static_cast<size_t>(size));
      if (!answered(slot)) continue;
      finished(slot);
      SSL_shutdown(slot.ssl);
      return reopen(slot, false);
    }
  }

  static bool answered(Slot& slot) {
    if (slot.expected == 0) {
      const size_t head = slot.in.find("\r\n\r\n");
      if (head == std::string::npos) return false;
      std::transform(slot.in.begin(), slot.in.begin() + static_cast<long>(head), slot.in.begin(), ::tolower);
      const size_t length = slot.in.find("content-length:");
      slot.expected = head + 4 + (length < head ? std::strtoul(slot.in.c_str() + length + 15, nullptr, 10) : 0);
    }
    return slot.in.size() >= slot.expected;
  }

  void stepTunnel(Slot& slot) {
    if (!slot.connected) {
      slot.connected = true;
      if (write(slot.fd, kUpgrade.data(), kUpgrade.size()) != static_cast<ssize_t>(kUpgrade.size())) {
        slot.connected = false;
        return;
      }
    }
    char bytes[16 * 1024];
    while (true) {
      const ssize_t size = read(slot.fd, bytes, sizeof(bytes));
      if (size <= 0) {
        if (size == 0 || errno != EAGAIN) reopen(slot, true);
        return;
      }
      slot.in.append(bytes, static_cast<size_t>(size));
      if (!slot.upgraded) {
        const size_t head = slot.in.find("\r\n\r\n");
        if (head == std::string::npos) continue;
        if (slot.in.compare(0, 12, "HTTP/1.1 101") != 0) return reopen(slot, true);
        slot.upgraded = true;
      } else if (slot.in.size() < frame_.size()) {
        continue;
      } else if (slot.in != frame_) {
        return reopen(slot, true);
      } else {
        finished(slot);
      }
      slot.in.clear();
      slot.began = Clock::now();
      if (write(slot.fd, frame_.data(), frame_.size()) != static_cast<ssize_t>(frame_.size())) {
        return reopen(slot, true);
      }
    }
  }

  const Mode mode_;
  const int port_;
  const int seconds_;
  const int epoll_ = epoll_create1(0);
  std::vector<Slot> slots_;
  SSL_CTX* const context_;
  std::string frame_;
  std::vector<double> times_;
  size_t errors_ = 0;
  size_t resumed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string_view mode = argc == 5 ? argv[1] : "";
  if (mode != "tls-full" && mode != "tls-resume" && mode != "tunnel") {
    std::fprintf(stderr, "usage: load tls-full|tls-resume|tunnel PORT SECONDS CONNECTIONS\n");
    return 2;
  }
  const Mode chosen = mode == "tunnel" ? Mode::kTunnel : mode == "tls-full" ? Mode::kTlsFull : Mode::kTlsResume;
  return Load(chosen, std::atoi(argv[2]), std::atoi(argv[3]), static_cast<size_t>(std::atoi(argv[4]))).run();
}
