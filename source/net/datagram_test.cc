#include "source/net/datagram.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

#include "source/net/socket.h"

namespace sluice::net {
namespace {

struct Ends {
  explicit Ends(const char* ip = "127.0.0.1") {
    server = *listenOn(*Address::fromIp(ip, 0), {.datagram = true});
    address = localAddress(server.get());
    client = *connectDatagram(address.isAny() ? *Address::fromIp("127.0.0.1", address.port()) : address);
  }
  void send(std::string_view bytes) { REQUIRE(::send(client.get(), bytes.data(), bytes.size(), 0) >= 0); }
  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const Datagram& one : batch.datagrams()) out.emplace_back(one.payload);
    return out;
  }

  Fd server, client;
  Address address;
  DatagramBatch batch;
};

using Texts = std::vector<std::string>;

TEST_CASE("datagrams come in order with their sender, and no more than a batch at once") {
  Ends t;
  for (size_t i = 0; i < DatagramBatch::kMost + 2; ++i) t.send(std::to_string(i));

  CHECK(t.batch.receive(t.server.get(), {}) == 0);
  CHECK(t.batch.datagrams().size() == DatagramBatch::kMost);
  CHECK(t.batch.datagrams()[7].payload == "7");
  CHECK(t.batch.datagrams()[7].peer == localAddress(t.client.get()));
  CHECK_FALSE(t.batch.datagrams()[7].local);
  CHECK(t.batch.receive(t.server.get(), {}) == 0);
  CHECK(t.texts() == Texts{"32", "33"});
  CHECK(t.batch.receive(t.server.get(), {}) == EAGAIN);
  CHECK(t.batch.datagrams().empty());
}

TEST_CASE("an empty datagram is one, and a larger one than allowed is counted and dropped") {
  Ends t;
  t.send("");
  t.send("1234");
  t.send("12345");
  t.send("1");

  CHECK(t.batch.receive(t.server.get(), {.max_size = 4}) == 0);

  CHECK(t.texts() == Texts{"", "1234", "1"});
  CHECK(t.batch.oversized() == 1);
}

TEST_CASE("a socket of all addresses tells where a datagram was sent to, and replies come from there") {
  Ends t("0.0.0.0");
  setTellLocal(t.server.get(), t.address);
  t.client = *connectDatagram(*Address::fromIp("127.0.0.2", t.address.port()));
  t.send("ping");
  CHECK(t.batch.receive(t.server.get(), {.bound = &t.address}) == 0);
  REQUIRE(t.batch.datagrams().size() == 1);
  const Datagram got = t.batch.datagrams()[0];
  CHECK(got.local.toString() == "127.0.0.2:" + std::to_string(t.address.port()));

  const std::string_view pong = "pong";
  const Sent sent = sendDatagramsTo(t.server.get(), {&pong, 1}, got.peer, got.local);

  CHECK(sent.datagrams == 1);
  CHECK(t.batch.receive(t.client.get(), {}) == 0);  // connected: takes it from no other address
  CHECK(t.texts() == Texts{"pong"});
}

TEST_CASE("an error of an earlier datagram costs the next one nothing") {
  Ends t;
  t.server = Fd();
  t.send("nobody is there");
  t.server = *listenOn(t.address, {.datagram = true});
  const std::string_view two[] = {"a", "b"};

  const Sent sent = sendDatagrams(t.client.get(), two);

  CHECK(sent.datagrams == 2);
  CHECK(sent.bytes == 2);
  CHECK(sent.failed == 0);
  CHECK(t.batch.receive(t.server.get(), {}) == 0);
  CHECK(t.texts() == Texts{"a", "b"});
}

TEST_CASE("a datagram that the kernel refuses does not hold up the next one") {
  Ends t;
  const std::string huge(70000, 'x');
  const std::string_view three[] = {"a", huge, "b"};

  const Sent sent = sendDatagrams(t.client.get(), three);

  CHECK(sent.datagrams == 2);
  CHECK(sent.failed == 1);
  CHECK(t.batch.receive(t.server.get(), {}) == 0);
  CHECK(t.texts() == Texts{"a", "b"});
}

TEST_CASE("the kernel tells how many found the receive buffer full") {
  Ends t;
  setTellLost(t.server.get());
  const int little = 4096;
  setsockopt(t.server.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
  for (int i = 0; i < 100; ++i) t.send(std::string(1000, 'x'));
  size_t came = 0;
  while (t.batch.receive(t.server.get(), {}) == 0) came += t.batch.datagrams().size();
  t.send("this one brings the number");
  CHECK(t.batch.receive(t.server.get(), {}) == 0);

  CHECK(came < 100);
  CHECK(t.batch.lost() == 100 - came);
}

TEST_CASE("what the kernel put together is taken apart again") {
  Ends t;
  setGro(t.server.get(), true);
  const int size = 3;
  REQUIRE(setsockopt(t.client.get(), SOL_UDP, UDP_SEGMENT, &size, sizeof(size)) == 0);
  t.send("aaabbbcccd");

  CHECK(t.batch.receive(t.server.get(), {.max_size = 2, .gro = true}) == 0);
  CHECK(t.texts() == Texts{"d"});
  CHECK(t.batch.oversized() == 3);

  t.send("aaabbbcccd");
  CHECK(t.batch.receive(t.server.get(), {.max_size = 3, .gro = true}) == 0);
  CHECK(t.texts() == Texts{"aaa", "bbb", "ccc", "d"});
}

TEST_CASE("an address of which somebody else has the UDP port is not free, whatever he allowed") {
  Ends t;
  const Fd shared = *listenOn(*Address::fromIp("127.0.0.1", 0), {.datagram = true, .reuse_port = true});

  CHECK_FALSE(probeFree(t.address, {.datagram = true}).ok());
  CHECK_FALSE(probeFree(localAddress(shared.get()), {.datagram = true, .reuse_port = true}).ok());
  CHECK(probeFree(t.address).ok());  // TCP has ports of its own
  CHECK_FALSE(connectDatagram(*Address::fromUnixPath("@x")).ok());
}

}  // namespace
}  // namespace sluice::net
