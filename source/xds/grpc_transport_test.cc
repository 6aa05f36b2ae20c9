#include "source/xds/grpc_transport.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "source/xds/ads_client.h"
#include "source/xds/fakes.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;
using envoy::service::discovery::v3::AggregatedDiscoveryService;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using testing::bare;
using testing::clusterBody;
using testing::RecordingWatcher;
using testing::response;

using Stream = grpc::ServerReaderWriter<DiscoveryResponse, DiscoveryRequest>;

// A management server in this process: `serve` handles each stream on a thread of gRPC's.
class TestServer : public AggregatedDiscoveryService::Service {
 public:
  using Serve = std::function<void(grpc::ServerContext&, Stream&)>;
  TestServer(const std::string& address, Serve serve) : serve_(std::move(serve)) {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~TestServer() override { stop(); }
  void stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  grpc::Status StreamAggregatedResources(grpc::ServerContext* context, Stream* stream) override {
    serve_(*context, *stream);
    return grpc::Status::OK;
  }

  int port = 0;

 private:
  const Serve serve_;
  std::unique_ptr<grpc::Server> server_;
};

// The client on a real loop, which a watchdog ends if nothing happens.
struct Fixture {
  explicit Fixture(std::function<absl::StatusOr<net::Address>()> endpoint) {
    signal(SIGPIPE, SIG_IGN);  // as the mains do
    AdsClient::Options options;
    options.node.set_id("edge-1");
    options.node.set_cluster("edge");
    options.backoff = {1ms, 2ms};
    GrpcTransportOptions transport;
    transport.next_endpoint = std::move(endpoint);
    transport.authority = "xds_cluster";
    transport.initial_metadata = {{"x-token", "secret"}};
    transport.connect_timeout = connect_timeout;
    client = std::make_unique<AdsClient>(options, makeGrpcTransport(transport, *loop), *loop, [] { return 1; });
    client->addType({typeInfo(kClusterType)}, watcher);
    client->subscribe(kClusterType, "*");
  }
  bool runUntil(std::function<bool()> done) {
    bool late = false;
    event::Timer watchdog(loop->timers(), [&] {
      late = true;
      loop->stop();
    });
    watchdog.arm(20s);
    event::Timer poll(loop->timers(), [&] {
      if (done()) return loop->stop();
      poll.arm(1ms);
    });
    poll.arm(0ms);
    loop->run();
    return !late;
  }

  std::chrono::milliseconds connect_timeout{5000};
  std::unique_ptr<event::Loop> loop = event::makeLoop();
  RecordingWatcher watcher;
  std::unique_ptr<AdsClient> client;
};

std::function<absl::StatusOr<net::Address>()> at(int port) {
  return [port] { return net::Address::parse("127.0.0.1:" + std::to_string(port)); };
}

DiscoveryResponse clusters(const std::string& version, const std::string& name, size_t size) {
  return toSotwMessage(
      response(kClusterType, version, "nonce-" + version, {bare(clusterBody(name, std::string(size, 'x')))}));
}

TEST_CASE("a response arrives over gRPC and its ACK goes back") {
  std::atomic<bool> acked{false};
  std::string token;
  std::string node;
  TestServer server("127.0.0.1:0", [&](grpc::ServerContext& context, Stream& stream) {
    DiscoveryRequest request;
    stream.Read(&request);
    node = request.node().id();
    const auto found = context.client_metadata().find("x-token");
    if (found != context.client_metadata().end()) token.assign(found->second.data(), found->second.size());
    stream.Write(clusters("v1", "a", 10));
    if (stream.Read(&request) && request.response_nonce() == "nonce-v1" && request.version_info() == "v1") acked = true;
    stream.Read(&request);
  });
  Fixture f(at(server.port));

  f.client->start();

  CHECK(f.runUntil([&] { return acked.load(); }));
  CHECK(f.watcher.held.contains("a"));
  CHECK(node == "edge-1");
  CHECK(token == "secret");
  f.client.reset();
}

TEST_CASE("a response beyond gRPC's default limit of 4 MiB arrives") {
  TestServer server("127.0.0.1:0", [&](grpc::ServerContext&, Stream& stream) {
    DiscoveryRequest request;
    stream.Read(&request);
    stream.Write(clusters("v1", "big", 9 << 20));
    while (stream.Read(&request)) {
    }
  });
  Fixture f(at(server.port));

  f.client->start();

  CHECK(f.runUntil([&] { return f.watcher.held.contains("big"); }));
  f.client.reset();
}

TEST_CASE("a server on a Unix socket is reached") {
  const std::string path = std::filesystem::temp_directory_path() / ("sluice-xds-" + std::to_string(getpid()));
  TestServer server("unix:" + path, [&](grpc::ServerContext&, Stream& stream) {
    DiscoveryRequest request;
    stream.Read(&request);
    stream.Write(clusters("v1", "a", 1));
    while (stream.Read(&request)) {
    }
  });
  Fixture f([&] { return net::Address::fromUnixPath(path); });

  f.client->start();

  CHECK(f.runUntil([&] { return f.watcher.held.contains("a"); }));
  f.client.reset();
  server.stop();
  std::filesystem::remove(path);
}

TEST_CASE("a server that ends each stream is asked again and again") {
  std::atomic<int> streams{0};
  TestServer server("127.0.0.1:0", [&](grpc::ServerContext&, Stream&) { ++streams; });
  Fixture f(at(server.port));

  f.client->start();

  CHECK(f.runUntil([&] { return streams >= 5; }));
}

TEST_CASE("each attempt asks for the next endpoint") {
  TestServer server("127.0.0.1:0", [&](grpc::ServerContext&, Stream& stream) {
    DiscoveryRequest request;
    stream.Read(&request);
    stream.Write(clusters("v1", "a", 1));
    while (stream.Read(&request)) {
    }
  });
  int asked = 0;
  Fixture f([&]() -> absl::StatusOr<net::Address> {
    switch (++asked) {
      case 1:
        return absl::UnavailableError("no endpoints");
      case 2:
        return net::Address::fromUnixPath("/nonexistent/socket");
      case 3:
        return net::Address::parse("127.0.0.1:1");
      default:
        return at(server.port)();
    }
  });

  f.client->start();

  CHECK(f.runUntil([&] { return f.watcher.held.contains("a"); }));
  CHECK(asked == 4);
  CHECK(f.client->streamStats().failures == 3);
  f.client.reset();
}

TEST_CASE("a client may go away at any moment of its stream") {
  std::atomic<int> ended{0};
  TestServer server("127.0.0.1:0", [&](grpc::ServerContext&, Stream& stream) {
    DiscoveryRequest request;
    for (int i = 0; stream.Read(&request); ++i) stream.Write(clusters(std::to_string(i), "a", 100000));
    ++ended;
  });
  for (int turns = 0; turns < 40; ++turns) {
    Fixture f(at(server.port));
    f.client->start();
    int left = turns;
    f.runUntil([&] { return left-- == 0; });
    f.client.reset();
  }
  SUCCEED("nothing leaked, hung or crashed");
}

TEST_CASE("a peer that accepts and says nothing does not hold a call when the client goes away") {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&any), sizeof(any)) == 0);
  REQUIRE(listen(listener, 1) == 0);
  socklen_t length = sizeof(any);
  getsockname(listener, reinterpret_cast<sockaddr*>(&any), &length);
  Fixture f(at(ntohs(any.sin_port)));

  f.client->start();

  CHECK(f.runUntil([&] { return f.client->streamStats().connected; }));
  f.client.reset();
  close(listener);
}

}  // namespace
}  // namespace sluice::xds
