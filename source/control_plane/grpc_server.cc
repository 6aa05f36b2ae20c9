#include "source/control_plane/grpc_server.h"

#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/grpcpp.h"
#include "source/base/text.h"

namespace sluice::control_plane {
namespace {

constexpr int kMaxMessageBytes = 256 << 20;

std::string hexDecoded(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view hex = text.substr(i).substr(0, 3);
    if (hex == "%5B" || hex == "%5D") {
      result.push_back(hex == "%5B" ? '[' : ']');
      i += 2;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

// gRPC's "ipv4:1.2.3.4:5", "ipv6:%5B::1%5D:5", "unix:" as we write addresses.
std::string addressOf(const std::string& peer) {
  const std::string_view text = peer;
  if (text.starts_with("ipv4:") || text.starts_with("ipv6:")) return hexDecoded(text.substr(5));
  return peer;
}

grpc::ByteBuffer bufferOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string bytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

class Server;

// One call. gRPC calls the On... functions on its own threads, and they do nothing but post; everything else runs on
// the loop. It deletes itself there after OnDone.
class Call final : public grpc::ServerGenericBidiReactor, public DiscoveryWriter {
 public:
  Call(Server& server, std::string method, std::string address);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void write(std::string message) override;

  void open();
  void finish(const grpc::Status& status);

 private:
  void readDone(bool ok);

  Server& server_;
  const std::string method_;
  const std::string address_;
  std::unique_ptr<DiscoveryStream> stream_;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  bool finished_ = false;
};

class Server final : public GrpcServer, public grpc::CallbackGenericService {
 public:
  Server(event::Loop& loop, DiscoveryServer& discovery) : loop_(loop), discovery_(discovery) {}
  ~Server() override {
    if (shutdown_.joinable()) shutdown_.join();
  }

  absl::Status bind(const std::string& address);

  const std::string& boundAddress() const override { return bound_; }
  void shutDown(std::function<void()> done) override;

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Call(*this, context->method(), addressOf(context->peer()));  // owned by itself until OnDone
  }

  event::Loop& loop() { return loop_; }
  DiscoveryServer& discovery() { return discovery_; }
  bool stopping() const { return stopping_; }
  std::vector<Call*>& calls() { return calls_; }

 private:
  event::Loop& loop_;
  DiscoveryServer& discovery_;
  std::string bound_;
  std::unique_ptr<grpc::Server> server_;
  bool stopping_ = false;
  std::vector<Call*> calls_;  // the loop's thread only
  std::thread shutdown_;
};

Call::Call(Server& server, std::string method, std::string address)
    : server_(server), method_(std::move(method)), address_(std::move(address)) {
  server_.loop().post([this] { open(); });
}

void Call::open() {
  server_.calls().push_back(this);
  const std::optional<StreamKind> kind = streamKindOf(method_);
  if (server_.stopping())
    return finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the control plane is shutting down"));
  if (!kind) return finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, base::strCat("no method ", method_)));
  stream_ = server_.discovery().open(*kind, address_, *this);
  StartRead(&incoming_);
}

void Call::OnReadDone(bool ok) {
  server_.loop().post([this, ok] { readDone(ok); });
}

void Call::OnWriteDone(bool ok) {
  server_.loop().post([this, ok] {
    if (finished_) return;
    if (!ok) return finish(grpc::Status::CANCELLED);
    stream_->onWritten();
  });
}

void Call::OnCancel() {
  server_.loop().post([this] { finish(grpc::Status::CANCELLED); });
}

void Call::OnDone() {
  server_.loop().post([this] {
    std::erase(server_.calls(), this);
    delete this;
  });
}

void Call::readDone(bool ok) {
  if (finished_) return;
  if (!ok) return finish(grpc::Status::OK);
  const absl::Status status = stream_->onMessage(bytesOf(incoming_));
  if (!status.ok()) {
    return finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, std::string(status.message())));
  }
  incoming_.Clear();
  StartRead(&incoming_);
}

void Call::write(std::string message) {
  outgoing_ = bufferOf(message);
  StartWrite(&outgoing_);
}

void Call::finish(const grpc::Status& status) {
  if (std::exchange(finished_, true)) return;
  stream_.reset();
  Finish(status);
}

absl::Status Server::bind(const std::string& address) {
  grpc::ServerBuilder builder;
  int port = -1;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(-1);
  // Two control planes on one port would each get half of the proxies.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A silent peer is noticed by pings, in both directions.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000);
  builder.RegisterCallbackGenericService(this);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port < 0) {
    return absl::UnavailableError(base::strCat("cannot listen on ", address, ": see gRPC's message above"));
  }
  const bool is_unix = address.starts_with("unix:");
  bound_ = is_unix ? address : base::strCat(address.substr(0, address.rfind(':')), ":", port);
  return absl::OkStatus();
}

void Server::shutDown(std::function<void()> done) {
  stopping_ = true;
  const std::vector<Call*> calls = calls_;
  for (Call* call : calls) {
    call->finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the control plane is shutting down"));
  }
  // Shutdown() blocks until all calls are done, and they need this loop for that.
  shutdown_ = std::thread([this, done = std::move(done)] {
    server_->Shutdown(std::chrono::system_clock::now());
    loop_.post(done);
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::start(const std::string& address, event::Loop& loop,
                                                              DiscoveryServer& discovery) {
  auto server = std::make_unique<Server>(loop, discovery);
  if (absl::Status status = server->bind(address); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace sluice::control_plane
