#include "source/xds/grpc_transport.h"

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <cstring>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "source/net/socket.h"
#include "source/xds/secure_bridge.h"

namespace sluice::xds {
namespace {

// A large fleet's clusters in one state-of-the-world response; gRPC's own limit is 4 MiB.
constexpr int kMaxReceiveBytes = 256 << 20;

absl::Status errnoStatus(const net::Address& address, int error) {
  return absl::UnavailableError(absl::StrCat("cannot connect to ", address.toString(), ": ", strerror(error)));
}

std::shared_ptr<grpc::Channel> makeChannel(int fd, const GrpcTransportOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(options.keepalive_time.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(options.keepalive_timeout.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // or a silent peer is never noticed
  arguments.SetUserAgentPrefix("sluice");
  return grpc::CreateCustomInsecureChannelFromFd("xds", fd, arguments);
}

// A message as one piece of memory; views the buffer where it is one piece already.
class Contiguous {
 public:
  explicit Contiguous(const grpc::ByteBuffer& buffer) {
    if (buffer.TrySingleSlice(&slice_).ok()) {
      view_ = {reinterpret_cast<const char*>(slice_.begin()), slice_.size()};
      return;
    }
    std::vector<grpc::Slice> slices;
    if (!buffer.Dump(&slices).ok()) return;
    copy_.reserve(buffer.Length());
    for (const grpc::Slice& slice : slices) copy_.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    view_ = copy_;
  }
  std::string_view view() const { return view_; }

 private:
  grpc::Slice slice_;
  std::string copy_;
  std::string_view view_;
};

// One call on one channel. Made and used on the main thread; its On...() run on gRPC's and only post. It lives until
// gRPC is done with it and no posted work refers to it.
class Call final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                   public std::enable_shared_from_this<Call> {
 public:
  // What happened, on the main thread; null once nobody wants to know.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void onCallMessage(std::string_view bytes) = 0;
    virtual void onCallWritten() = 0;
    virtual void onCallDone(const grpc::Status& status) = 0;
  };

  Call(int fd, const GrpcTransportOptions& options, event::Loop& loop, Owner& owner)
      : loop_(loop), owner_(&owner), channel_(std::make_unique<ChannelUse>(makeChannel(fd, options))) {
    grpc::ClientContext& context = channel_->context;
    if (!options.authority.empty()) context.set_authority(options.authority);
    for (const auto& [name, value] : options.initial_metadata) context.AddMetadata(name, value);
  }

  void start(const std::string& method) {
    self_ = shared_from_this();
    method_ = method;
    channel_->stub.PrepareBidiStreamingCall(&channel_->context, method_, grpc::StubOptions(), this);
    AddHold();  // reads and writes are started from the main thread, outside of gRPC's callbacks
    StartRead(&read_buffer_);
    StartCall();
  }

  void write(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    write_buffer_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&write_buffer_);
  }

  // No event comes after this. Returns when gRPC no longer uses the call.
  void abandon() {
    owner_ = nullptr;
    if (channel_ != nullptr) channel_->context.TryCancel();
    endHold();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      done_signal_.wait(lock, [this] { return done_; });
    }
    channel_.reset();
  }

 private:
  void OnReadDone(bool ok) override {
    post([this, ok] { ok ? deliver() : endHold(); });
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return;  // the read fails too, and OnDone tells why
    post([this] {
      if (owner_ != nullptr) owner_->onCallWritten();
    });
  }
  void OnDone(const grpc::Status& status) override {
    post([this, status] {
      channel_.reset();
      if (owner_ != nullptr) owner_->onCallDone(status);
    });
    const std::shared_ptr<Call> self = std::move(self_);
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
    done_signal_.notify_all();
  }

  void post(std::function<void()> work) {
    loop_.post([self = shared_from_this(), work = std::move(work)] { work(); });
  }
  void deliver() {
    if (owner_ == nullptr) return;
    const Contiguous message(read_buffer_);
    owner_->onCallMessage(message.view());
    if (owner_ == nullptr) return;
    read_buffer_.Clear();
    StartRead(&read_buffer_);  // one message at a time: the server waits for us, not our memory for the server
  }
  void endHold() {
    if (std::exchange(held_, false)) RemoveHold();
  }

  event::Loop& loop_;
  Owner* owner_;
  bool held_ = true;
  // What refers to the channel. The last reference to a channel joins gRPC's threads, so it has to go on the main
  // thread: on one of theirs it would wait for itself.
  struct ChannelUse {
    explicit ChannelUse(std::shared_ptr<grpc::Channel> channel) : stub(std::move(channel)) {}
    grpc::GenericStub stub;
    grpc::ClientContext context;
  };
  std::unique_ptr<ChannelUse> channel_;
  std::string method_;
  grpc::ByteBuffer read_buffer_;
  grpc::ByteBuffer write_buffer_;
  std::shared_ptr<Call> self_;  // for as long as gRPC uses it

  std::mutex mutex_;
  std::condition_variable done_signal_;
  bool done_ = false;  // under mutex_
};

class GrpcTransport final : public Transport,
                            private event::FdHandler,
                            private SecureBridge::Events,
                            private Call::Owner {
 public:
  GrpcTransport(GrpcTransportOptions options, event::Loop& loop)
      : options_(std::move(options)), loop_(loop), timer_(loop.timers(), [this] { onTimer(); }) {}
  ~GrpcTransport() override {
    if (call_ != nullptr) call_->abandon();
    SecureBridge::drop(std::move(bridge_));
  }

  void connect(std::string_view method, TransportEvents& events) override {
    method_ = std::string(method);
    events_ = &events;
    broken_.clear();
    absl::StatusOr<net::Address> address = options_.next_endpoint();
    if (!address.ok()) return failSoon(address.status());
    address_ = *address;
    net::TransportPtr security;
    if (options_.security) {
      absl::StatusOr<net::TransportPtr> made = options_.security();
      if (!made.ok()) return failSoon(made.status());
      security = *std::move(made);
    }
    absl::StatusOr<net::Fd> socket = net::startConnect(address_, options_.connect);
    if (!socket.ok()) return failSoon(absl::UnavailableError(socket.status().message()));
    if (security != nullptr) {
      bridge_ = std::make_unique<SecureBridge>(loop_, *options_.buffers, *std::move(socket),
                                               net::Connection::Mode::kConnecting, std::move(security),
                                               options_.connect_timeout, static_cast<SecureBridge::Events&>(*this));
      return;
    }
    socket_ = *std::move(socket);
    watch_ = loop_.watch(socket_.get(), event::kWritable, event::Trigger::kLevel, *this);
    timer_.arm(options_.connect_timeout);
  }

  bool writable() const override { return call_ != nullptr && !writing_; }
  void send(std::string bytes) override {
    writing_ = true;
    call_->write(bytes);
  }

 private:
  void onFdEvents(uint32_t) override {
    if (const int error = net::pendingError(socket_.get()); error != 0) return closed(errnoStatus(address_, error));
    watch_.reset();
    timer_.cancel();
    connected(std::move(socket_));
  }
  void onSecured(SecureBridge&, net::Fd plain) override { connected(std::move(plain)); }
  void onEnded(SecureBridge&, const std::string& why) override {
    SecureBridge::drop(std::move(bridge_));
    if (!why.empty()) broken_ = absl::StrCat("the connection to ", address_.toString(), " failed: ", why);
    // Once there is a call, gRPC tells of the end; without one nobody else does.
    if (call_ == nullptr) closed(absl::UnavailableError(broken_));
  }

  void connected(net::Fd fd) {
    call_ = std::make_shared<Call>(fd.release(), options_, loop_, static_cast<Call::Owner&>(*this));
    writing_ = false;
    call_->start(method_);
    events_->onConnected();
  }

  // The transport's events never come from inside its methods: an error at once waits for a timer that is due.
  void failSoon(absl::Status status) {
    failure_ = std::move(status);
    timer_.arm(event::Duration::zero());
  }
  void onTimer() {
    if (!failure_.ok()) return closed(std::exchange(failure_, absl::OkStatus()));
    closed(absl::DeadlineExceededError(absl::StrCat("cannot connect to ", address_.toString(), ": no answer within ",
                                                    options_.connect_timeout.count(), " ms")));
  }

  void onCallMessage(std::string_view bytes) override { events_->onMessage(bytes); }
  void onCallWritten() override {
    writing_ = false;
    events_->onWritable();
  }
  void onCallDone(const grpc::Status& status) override {
    call_.reset();
    if (!broken_.empty()) return closed(absl::UnavailableError(broken_));  // gRPC knows of a closed socket only
    if (status.ok()) return closed(absl::UnavailableError("the server ended the stream"));
    closed(absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message()));
  }

  void closed(const absl::Status& status) {
    watch_.reset();
    timer_.cancel();
    socket_ = net::Fd();
    SecureBridge::drop(std::move(bridge_));
    events_->onClosed(status);
  }

  const GrpcTransportOptions options_;
  event::Loop& loop_;
  TransportEvents* events_ = nullptr;
  std::string method_;

  // While connecting.
  net::Address address_;
  net::Fd socket_;
  std::unique_ptr<event::FdWatch> watch_;  // goes before the descriptor
  event::Timer timer_;
  absl::Status failure_;

  // While connected.
  std::unique_ptr<SecureBridge> bridge_;  // null: plain; while connecting, too
  std::string broken_;                    // why the bridge ended
  std::shared_ptr<Call> call_;
  bool writing_ = false;
};

}  // namespace

std::unique_ptr<Transport> makeGrpcTransport(GrpcTransportOptions options, event::Loop& loop) {
  return std::make_unique<GrpcTransport>(std::move(options), loop);
}

}  // namespace sluice::xds
