#include "source/control_plane/grpc_server.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/server_posix.h"
#include "source/base/host_port.h"
#include "source/base/text.h"
#include "source/control_plane/listen_address.h"
#include "source/net/socket.h"
#include "source/xds/secure_bridge.h"

namespace sluice::control_plane {
namespace {

// A request names resources, 100,000 of them at most; anyone who reaches the port can make us hold one for each call.
constexpr int kMaxRequestBytes = 32 << 20;

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

// The TLS port: accepts, shakes hands, and gives the server the plain end of each connection.
class SecurePort : private event::FdHandler, private xds::SecureBridge::Events {
 public:
  SecurePort(net::Fd socket, const net::TransportFactory& security, grpc::Server& server, event::Loop& loop,
             observability::Logger& logger)
      : socket_(std::move(socket)), security_(security), server_(server), loop_(loop), logger_(logger) {
    watch_ = loop_.watch(socket_.get(), event::kReadable, event::Trigger::kLevel, *this);
  }
  ~SecurePort() override {
    for (auto& [bridge, peer] : bridges_) xds::SecureBridge::drop(std::move(peer.bridge));
  }

  void stopAccepting() {
    resume_.cancel();
    watch_.reset();
    socket_ = net::Fd();
  }
  // Any thread. gRPC calls a connection that it was given "fd:N"; empty: it is none of ours.
  std::string peerOf(const std::string& name) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = names_.find(name);
    return found == names_.end() ? std::string() : found->second;
  }

 private:
  struct Peer {
    std::unique_ptr<xds::SecureBridge> bridge;
    std::string address;
  };

  void onFdEvents(uint32_t) override {
    net::Fd fd(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid() && (errno == EMFILE || errno == ENFILE)) {
      watch_->setInterest(0);  // what waits in the socket's queue is looked at again in a while
      return resume_.arm(kPause);
    }
    if (!fd.valid() || bridges_.size() >= kMaxConnections) return;
    const net::Address address = net::peerAddress(fd.get());
    if (address.isIp()) net::setNoDelay(fd.get());
    auto bridge = std::make_unique<xds::SecureBridge>(loop_, buffers_, std::move(fd), net::Connection::Mode::kAccepted,
                                                      security_.make({}), kHandshakeTimeout,
                                                      static_cast<xds::SecureBridge::Events&>(*this));
    const xds::SecureBridge* const key = bridge.get();
    bridges_.emplace(key, Peer{std::move(bridge), address.isIp() ? address.toString() : "unix:"});
  }

  void onSecured(xds::SecureBridge& bridge, net::Fd plain) override {
    const net::TlsInfo& info = *bridge.transport().tlsInfo();
    std::string name = bridges_.at(&bridge).address;
    const net::TlsInfo::Certificate& peer = info.peer;
    if (info.peer_presented) base::strAppend(name, " (", peer.uri_sans.empty() ? peer.subject : peer.uri_sans[0], ")");
    const int fd = plain.release();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      names_[base::strCat("fd:", fd)] = name;  // a number that is used again is another connection
    }
    grpc::AddInsecureChannelFromFd(&server_, fd);
  }

  void onEnded(xds::SecureBridge& bridge, const std::string& why) override {
    auto node = bridges_.extract(&bridge);
    if (!why.empty()) logger_.warning("discovery", "connection from ", node.mapped().address, ": ", why);
    xds::SecureBridge::drop(std::move(node.mapped().bridge));
  }

  static constexpr size_t kMaxConnections = 16384;
  static constexpr std::chrono::seconds kHandshakeTimeout{10};
  static constexpr std::chrono::milliseconds kPause{100};

  net::Fd socket_;
  const net::TransportFactory& security_;
  grpc::Server& server_;
  event::Loop& loop_;
  observability::Logger& logger_;
  net::WorkerBuffers buffers_;
  std::unique_ptr<event::FdWatch> watch_;
  event::Timer resume_{loop_.timers(), [this] { watch_->setInterest(event::kReadable); }};
  std::map<const xds::SecureBridge*, Peer> bridges_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> names_;  // under mutex_
};

class Server;

// One call. gRPC calls the On... functions on its own threads, and they do nothing but post; everything else runs on
// the loop. It deletes itself there after OnDone.
class Call final : public grpc::ServerGenericBidiReactor, public MessageWriter {
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
  void readNext();

  Server& server_;
  const std::string method_;
  const std::string address_;
  std::unique_ptr<ServedStream> stream_;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  bool finished_ = false;
};

class Server final : public GrpcServer, public grpc::CallbackGenericService {
 public:
  Server(event::Loop& loop, Open open, observability::Logger& logger)
      : loop_(loop), open_(std::move(open)), logger_(logger) {}
  ~Server() override {
    if (shutdown_.joinable()) shutdown_.join();
  }

  absl::Status bind(const net::Address& address, const net::TransportFactory* security);

  const std::string& boundAddress() const override { return bound_; }
  void shutDown(std::function<void()> done) override;

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    std::string peer = secure_port_ ? secure_port_->peerOf(context->peer()) : std::string();
    if (peer.empty()) peer = addressOf(context->peer());
    return new Call(*this, context->method(), std::move(peer));  // owned by itself until OnDone
  }

  event::Loop& loop() { return loop_; }
  const Open& opener() const { return open_; }
  bool stopping() const { return stopping_; }
  std::vector<Call*>& calls() { return calls_; }

 private:
  event::Loop& loop_;
  const Open open_;
  observability::Logger& logger_;
  std::string bound_;
  std::unique_ptr<SecurePort> secure_port_;  // null: gRPC listens; outlives the server, which asks it
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
  if (server_.stopping())
    return finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the control plane is shutting down"));
  stream_ = server_.opener()(method_, address_, *this);
  if (!stream_) return finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, base::strCat("no method ", method_)));
  StartRead(&incoming_);
}

void Call::OnReadDone(bool ok) {
  server_.loop().post([this, ok] { readDone(ok); });
}

void Call::OnWriteDone(bool ok) {
  server_.loop().post([this, ok] {
    if (finished_) return;
    if (!ok) return finish(grpc::Status::CANCELLED);
    if (stream_->reads() == ServedStream::Reads::kOnce) return finish(grpc::Status::OK);
    stream_->onWritten();
    if (stream_->reads() == ServedStream::Reads::kWhenAnswered) readNext();
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
    return finish(grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message())));
  }
  if (stream_->reads() == ServedStream::Reads::kAlways) readNext();
}

void Call::readNext() {
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

absl::Status Server::bind(const net::Address& address, const net::TransportFactory* security) {
  grpc::ServerBuilder builder;
  const std::string text = listenAddressText(address);
  net::Fd socket;
  int port = -1;
  if (security == nullptr) {
    builder.AddListeningPort(text, grpc::InsecureServerCredentials(), &port);
  } else {
    absl::StatusOr<net::Fd> bound = net::listenOn(address, {});
    if (!bound.ok()) return bound.status();
    socket = *std::move(bound);
  }
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
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
  if (server_ == nullptr || (security == nullptr && port < 0)) {
    return absl::UnavailableError(base::strCat("cannot listen on ", text, ": see gRPC's message above"));
  }
  if (security != nullptr) {
    bound_ = address.isUnix() ? text : net::localAddress(socket.get()).toString();
    secure_port_ = std::make_unique<SecurePort>(std::move(socket), *security, *server_, loop_, logger_);
  } else {
    bound_ = address.isUnix() ? text : base::strCat(base::splitHostPort(text).host, ":", port);
  }
  return absl::OkStatus();
}

void Server::shutDown(std::function<void()> done) {
  stopping_ = true;
  if (secure_port_) secure_port_->stopAccepting();
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

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::start(const net::Address& address,
                                                              const net::TransportFactory* security, event::Loop& loop,
                                                              Open open, observability::Logger& logger) {
  auto server = std::make_unique<Server>(loop, std::move(open), logger);
  if (absl::Status status = server->bind(address, security); !status.ok()) return status;
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace sluice::control_plane
