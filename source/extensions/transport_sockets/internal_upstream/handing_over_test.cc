#include "source/extensions/transport_sockets/internal_upstream/handing_over.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "source/config/test_world.h"
#include "source/config/transport_socket_factory.h"
#include "source/extensions/transport_sockets/internal_upstream/factory.h"

namespace sluice::extensions::transport_sockets::internal_upstream {
namespace {

using Proto = envoy::extensions::transport_sockets::internal_upstream::v3::InternalUpstreamTransport;

const std::string kPlain =
    "transport_socket: {name: raw, typed_config: {'@type': "
    "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}\n";

// Makes plain sockets, as raw_buffer does.
class PlainFactory : public config::TransportSocketConfigFactory {
 public:
  std::string_view configType() const override {
    return envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer::descriptor()->full_name();
  }
  std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message&,
                                                                 config::FactoryContext) const override {
    return nullptr;
  }
  std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message&,
                                                               config::FactoryContext) const override {
    return nullptr;
  }
};

struct World : config::testing::TestWorld {
  World() {
    registerFactory(registry);
    registry.transport_sockets.add(std::make_unique<PlainFactory>());
  }
  std::shared_ptr<const net::TransportFactory> compile(const std::string& yaml) {
    Proto proto;
    const auto* factory = registry.transport_sockets.find(Proto::descriptor()->full_name());
    return load(kPlain + yaml, proto) ? factory->compileUpstream(proto, context("up")) : nullptr;
  }
};

stream::FixedMetadata saying(const char* filter, const char* key, const char* value) {
  return {{{filter, {stream::MetadataFields{{key, {std::string(value)}}}}}}, value};
}

std::string textOf(const stream::MetadataValue* value) {
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
  return text == nullptr ? "none" : *text;
}

TEST_CASE("metadata of host and cluster is handed over under its name, and no other is") {
  World world;
  const auto factory =
      world.compile("passthrough_metadata: [{kind: {host: {}}, name: a}, {kind: {cluster: {}}, name: b}]");
  REQUIRE(factory);
  const stream::FixedMetadata host = saying("a", "k", "of host"), cluster = saying("b", "k", "of cluster");
  net::TransportFactory::Options options{.host_metadata = &host, .cluster_metadata = &cluster};

  const auto got = factory->handedOver(options);

  REQUIRE(got);
  CHECK(textOf(got->metadata.find("a", {"k"})) == "of host");
  CHECK(textOf(got->metadata.find("b", {"k"})) == "of cluster");
  CHECK(factory->handsOver());
  CHECK(factory->make(options) == nullptr);  // a plain socket
  CHECK_FALSE(factory->isTls());
}

TEST_CASE("metadata that is not there is counted") {
  World world;
  const auto factory = world.compile("passthrough_metadata: [{kind: {host: {}}, name: a}]");
  REQUIRE(factory);
  observability::StatsCells cells;
  const stream::FixedMetadata other = saying("other", "k", "v");

  CHECK(factory->handedOver({.host_metadata = &other, .cells = &cells}) == nullptr);
  CHECK(factory->handedOver({.cells = &cells}) == nullptr);

  CHECK(cells.read(world.stats.counter("cluster.up.internal_upstream.no_metadata").id) == 2);
}

TEST_CASE("filter state that streams share is handed over") {
  World world;
  const auto factory = world.compile("");
  REQUIRE(factory);
  stream::FilterState state;
  state.set("a", std::make_shared<stream::FilterState::Text>("1"), {.sharing = stream::FilterState::Sharing::kOnce});
  const auto shared = state.shared();

  const auto got = factory->handedOver({.shared = shared.get()});

  REQUIRE(got);
  REQUIRE(got->filter_state.get<stream::FilterState::Object>("a") != nullptr);
  CHECK(got->filter_state.get<stream::FilterState::Object>("a")->text() == "1");
}

TEST_CASE("metadata of requests and routes cannot go with a connection") {
  World world;

  CHECK_FALSE(world.compile("passthrough_metadata: [{kind: {request: {}}, name: a}]"));

  CHECK_THAT(world.problems(), Catch::Contains("passthrough_metadata[0].kind"));
}

}  // namespace
}  // namespace sluice::extensions::transport_sockets::internal_upstream
