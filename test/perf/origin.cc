// The upstream of the end-to-end benchmark: answers /N with a body of N bytes, /json/N with about N bytes of JSON, at
// the least cost that shows nothing of itself in the comparison, and sends back what comes after a WebSocket upgrade.
// One thread, epoll, keep-alive, request bodies by content-length.
//
//   origin PORT...
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace {

constexpr size_t kMaxBody = size_t{1} << 20;

struct Client {
  int fd;
  std::string in;         // received, not yet answered
  std::string out;        // answered, not yet taken by the kernel
  size_t body_left = 0;   // of a request whose answer is due when it is 0
  std::string due;        // that answer
  bool close = false;     // after `out`
  bool tunnel = false;    // upgraded: what comes goes back
  bool writable = false;  // whether epoll is asked for EPOLLOUT
};

class Origin {
 public:
  void listenOn(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || listen(fd, 4096) != 0) {
      std::perror("origin: listen");
      std::exit(1);
    }
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    listeners_[fd] = port;
  }

  void run() {
    epoll_event events[256];
    while (true) {
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (listeners_.count(fd) != 0) {
          acceptAll(fd);
        } else if (auto found = clients_.find(fd); found != clients_.end() && !serve(*found->second)) {
          close(fd);
          clients_.erase(found);
        }
      }
    }
  }

 private:
  void watch(int fd, uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void acceptAll(int listener) {
    while (true) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      clients_[fd] = std::make_unique<Client>(Client{fd, {}, {}, 0, {}, false, false, false});
      watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  // False when the connection is over.
  bool serve(Client& client) {
    const ssize_t size = read(client.fd, buffer_, sizeof(buffer_));
    if (size == 0 || (size < 0 && errno != EAGAIN)) return false;
    std::string_view data(buffer_, size > 0 ? static_cast<size_t>(size) : 0);
    if (client.tunnel) {
      client.out.append(data);
      return flush(client);
    }
    if (client.body_left > 0) data = takeBody(client, data);
    client.in.append(data);
    while (client.body_left == 0 && !client.tunnel && answerOne(client)) {
    }
    return flush(client);
  }

  static std::string_view takeBody(Client& client, std::string_view data) {
    const size_t taken = std::min(client.body_left, data.size());
    client.body_left -= taken;
    if (client.body_left == 0) client.out += std::exchange(client.due, {});
    return data.substr(taken);
  }

  bool answerOne(Client& client) {
    const size_t end = client.in.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string_view head(client.in.data(), end);
    const size_t path = head.find("/");
    const std::string& answer = answerFor(head.substr(path, head.find(' ', path) - path));
    if (head.find("websocket") != std::string_view::npos) {
      client.tunnel = true;
      // The answer to the sample key of RFC 6455 section 1.3, which the load sends.
      client.out +=
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
      client.out.append(client.in, end + 4);
      client.in.clear();
      return false;
    }
    if (head.find("onnection: close") != std::string_view::npos) client.close = true;
    const size_t body = contentLength(head);
    client.in.erase(0, end + 4);
    client.body_left = body;
    if (body == 0) {
      client.out += answer;
      return true;
    }
    client.due = answer;
    const std::string rest = std::exchange(client.in, {});
    client.in = takeBody(client, rest);
    return true;
  }

  // "/svc12/1024" -> 1024: the size asked for, 1 KiB when the path does not end with one.
  static size_t lastNumber(std::string_view path) {
    const size_t slash = path.rfind('/');
    const size_t number = std::strtoul(std::string(path.substr(slash + 1)).c_str(), nullptr, 10);
    return number == 0 ? 1024 : std::min(number, kMaxBody);
  }

  static size_t contentLength(std::string_view head) {
    for (std::string_view name : {"\r\ncontent-length:", "\r\nContent-Length:"}) {
      if (const size_t at = head.find(name); at != std::string_view::npos) {
        return std::strtoul(std::string(head.substr(at + name.size(), 24)).c_str(), nullptr, 10);
      }
    }
    return 0;
  }

  const std::string& answerFor(std::string_view path) {
    const size_t size = lastNumber(path);
    const bool json = path.substr(0, 6) == "/json/";
    std::string& answer = answers_[{json, size}];
    if (answer.empty()) {
      const std::string body = json ? records(size) : std::string(size, 'x');
      answer = std::string("HTTP/1.1 200 OK\r\nContent-Type: ") + (json ? "application/json" : "text/plain") +
               "\r\nCache-Control: max-age=60\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    return answer;
  }

  // Made-up orders: names that repeat, and numbers that do not.
  static std::string records(size_t size) {
    std::string text = "[";
    for (uint32_t i = 1, draw = 1; text.size() < size; ++i) {
      draw = draw * 1664525 + 1013904223;
      text += (i == 1 ? "" : ",") + std::string("{\"id\":") + std::to_string(draw) + ",\"customer\":\"customer-" +
              std::to_string(draw % 997) + "\",\"status\":\"" + (draw % 3 == 0 ? "shipped" : "open") +
              "\",\"total\":" + std::to_string(draw % 100000) + ".50,\"currency\":\"EUR\"}";
    }
    return text + "]";
  }

  bool flush(Client& client) {
    while (!client.out.empty()) {
      const ssize_t size = write(client.fd, client.out.data(), client.out.size());
      if (size < 0 && errno != EAGAIN) return false;
      if (size < 0) break;
      client.out.erase(0, static_cast<size_t>(size));
    }
    const bool blocked = !client.out.empty();
    if (blocked != client.writable) watch(client.fd, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
    client.writable = blocked;
    return blocked || !client.close;
  }

  const int epoll_ = epoll_create1(0);
  std::map<int, int> listeners_;
  std::unordered_map<int, std::unique_ptr<Client>> clients_;
  std::map<std::pair<bool, size_t>, std::string> answers_;  // by whether they are JSON, and their size
  char buffer_[256 * 1024];
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  auto origin = std::make_unique<Origin>();
  for (int i = 1; i < argc; ++i) origin->listenOn(std::atoi(argv[i]));
  if (argc < 2) {
    std::fprintf(stderr, "usage: origin PORT...\n");
    return 2;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  origin->run();
}
