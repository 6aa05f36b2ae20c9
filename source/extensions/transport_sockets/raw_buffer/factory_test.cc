#include "source/extensions/transport_sockets/raw_buffer/factory.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "source/config/test_world.h"
#include "source/config/transport_socket_factory.h"

namespace sluice::extensions::transport_sockets::raw_buffer {
namespace {

TEST_CASE("a raw buffer is a plain socket on both sides") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  const envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer proto;
  const auto* factory = world.registry.transport_sockets.find(proto.GetDescriptor()->full_name());
  REQUIRE(factory != nullptr);

  CHECK(factory->compileDownstream(proto, world.context()) == nullptr);
  CHECK(factory->compileUpstream(proto, world.context()) == nullptr);
  CHECK(world.problems() == "");
}

}  // namespace
}  // namespace sluice::extensions::transport_sockets::raw_buffer
