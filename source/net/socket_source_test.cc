#include "source/net/socket_source.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

namespace sluice::net {
namespace {

const Address kAny = *Address::fromIp("127.0.0.1", 0);

bool connects(const Address& address) {
  const Fd fd(socket(address.socketFamily(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(fd.get(), address.sockaddrPointer(), address.sockaddrLength()) == 0;
}

TEST_CASE("an opened socket has its address, and takes nobody before its taker begins") {
  OpenedSockets source;
  const auto taken = source.take({.address = kAny});
  REQUIRE(taken.ok());
  CHECK_FALSE(taken->listening);
  const Address address = localAddress(taken->fd.get());
  CHECK_FALSE(connects(address));
  REQUIRE(beginListening(taken->fd.get(), address, {}).ok());
  CHECK(connects(address));
}

TEST_CASE("an address that another process listens on is not opened, though the kernel would share it") {
  OpenedSockets source;
  const ListenOptions shared{.reuse_port = true};
  const Fd other = *listenOn(kAny, shared);
  const Address address = localAddress(other.get());
  const auto taken = source.take({.address = address, .options = shared});
  CHECK(taken.status().code() == absl::StatusCode::kAlreadyExists);
  CHECK(source.take({.address = address, .options = shared, .shares_with_ours = true}).ok());
}

TEST_CASE("workers share an address that the first of them found free") {
  OpenedSockets source;
  const ListenOptions shared{.reuse_port = true};
  const auto first = source.take({.address = kAny, .options = shared});
  REQUIRE(first.ok());
  const Address address = localAddress(first->fd.get());
  const auto second = source.take({.address = address, .worker = 1, .options = shared});
  REQUIRE(second.ok());
  CHECK(localAddress(second->fd.get()) == address);
}

TEST_CASE("the file of a Unix socket of ours gives way to that of its successor") {
  OpenedSockets source;
  const std::string path = "/tmp/socket_source_test." + std::to_string(getpid());
  const Address address = *Address::fromUnixPath(path);
  const Fd before = *listenOn(address, {});
  CHECK_FALSE(source.take({.address = address}).ok());
  const auto taken = source.take({.address = address, .shares_with_ours = true});
  REQUIRE(taken.ok());
  REQUIRE(beginListening(taken->fd.get(), address, {}).ok());
  CHECK(connects(address));
  unlink(path.c_str());
}

}  // namespace
}  // namespace sluice::net
