#include "source/extensions/filters/http/ldap_auth/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <chrono>
#include <string>
#include <thread>

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

using std::chrono::milliseconds;

// Takes connections as far as the kernel does, and says nothing.
struct SilentServer {
  explicit SilentServer(bool listens = true) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    if (listens) REQUIRE(listen(fd, 8) == 0);
    port = ntohs(address.sin_port);
  }
  ~SilentServer() { close(fd); }

  Server server(bool tls_first = false) const {
    return {"127.0.0.1", port, tls_first, "127.0.0.1:" + std::to_string(port)};
  }

  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uint16_t port;
};

constexpr Timeouts kShort{milliseconds(20), milliseconds(20)};
const TlsOptions kAnyCertificate{.start = false, .ca_file = "", .verify = false};

TEST_CASE("a server that does not listen, or has no address, is told of") {
  const SilentServer deaf(false);
  OpenSockets sockets;
  CHECK(Connection::open(deaf.server(), {}, kShort, sockets).status().message() == "Connection refused");
  const std::string too_long(64, 'a');
  const auto unknown = Connection::open({too_long, 1, false, too_long + ":1"}, {}, kShort, sockets);
  CHECK(std::string(unknown.status().message()).starts_with("its address is not found"));
}

TEST_CASE("nobody waits for a silent server longer than he wants to") {
  const SilentServer silent;
  OpenSockets sockets;
  TlsOptions start = kAnyCertificate;
  start.start = true;
  CHECK(Connection::open(silent.server(true), kAnyCertificate, kShort, sockets).status().message() == "TLS: Timed out");
  CHECK(Connection::open(silent.server(), start, kShort, sockets).status().message() == "StartTLS: Timed out");

  const auto plain = Connection::open(silent.server(), {}, kShort, sockets);
  REQUIRE(plain.ok());
  CHECK((*plain)->bind("cn=a", "b").kind == Result::Kind::kDown);
  CHECK((*plain)->search({"cn=a", Search::Scope::kBase, "(cn=*)", {}, 1}).result.kind == Result::Kind::kDown);
}

TEST_CASE("who waits for a server can be woken, and nobody begins to behind that") {
  const SilentServer silent;
  OpenSockets sockets;
  const Timeouts endless{std::chrono::minutes(5), std::chrono::minutes(5)};
  const auto connection = Connection::open(silent.server(), {}, endless, sockets);
  REQUIRE(connection.ok());

  std::thread waker([&] { sockets.stop(); });
  CHECK((*connection)->bind("cn=a", "b").kind == Result::Kind::kDown);
  waker.join();

  CHECK(sockets.stopped());
  CHECK(Connection::open(silent.server(), {}, endless, sockets).status().message() == "stopped");
  const std::string unknown(64, 'a');
  CHECK(Connection::open({unknown, 1, false, unknown}, {}, endless, sockets).status().message() == "stopped");
}

TEST_CASE("a bind without a name or a password is not sent") {
  const SilentServer silent;
  OpenSockets sockets;
  const auto connection = Connection::open(silent.server(), {}, kShort, sockets);
  REQUIRE(connection.ok());
  CHECK((*connection)->bind("cn=a", "").kind == Result::Kind::kRefused);
  CHECK((*connection)->bind("", "b").kind == Result::Kind::kRefused);
}

TEST_CASE("an attribute is found by its name in any case") {
  const Entry entry{"cn=a", {{"memberOf", {"cn=x", "cn=y"}}, {"UID", {"a"}}}};
  REQUIRE(entry.find("MEMBEROF"));
  CHECK(entry.find("memberof")->size() == 2);
  CHECK(entry.find("uid")->front() == "a");
  CHECK_FALSE(entry.find("member"));
}

TEST_CASE("a DN is one, and not empty") {
  for (const char* good : {"dc=x", "ou=people,dc=example,dc=com", "uid=a\\2cb+cn=c,dc=x", "1.2.3=x"}) {
    INFO(good);
    CHECK(isDn(good));
  }
  for (const char* bad : {"", "people", "ou=people,", "=x", "ou=a,dc"}) {
    INFO(bad);
    CHECK_FALSE(isDn(bad));
  }
}

TEST_CASE("a group is known by its DN, or right below a base by the value that names it there") {
  CHECK(groupName("cn=Staff,ou=groups,dc=x", "") == "cn=Staff,ou=groups,dc=x");
  CHECK(groupName("cn=Staff,ou=groups,dc=x", "ou=groups,dc=x") == "Staff");
  CHECK(groupName("cn=a\\2cb, OU=Groups, DC=x", "ou=groups,dc=x") == "a,b");
  CHECK_FALSE(groupName("cn=staff,ou=others,dc=x", "ou=groups,dc=x"));
  CHECK_FALSE(groupName("cn=staff,ou=more,ou=groups,dc=x", "ou=groups,dc=x"));
  CHECK_FALSE(groupName("cn=staff\\2cou=groups,dc=x", "ou=groups,dc=x"));
  CHECK_FALSE(groupName("cn=staff+cn=admins,ou=groups,dc=x", "ou=groups,dc=x"));
  CHECK_FALSE(groupName("ou=groups,dc=x", "ou=groups,dc=x"));
  CHECK_FALSE(groupName("staff", "ou=groups,dc=x"));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ldap_auth
