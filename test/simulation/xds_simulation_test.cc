// The proxy's xDS client against the control plane's discovery server: their real logic and their real bytes, a network
// that delays and breaks, control planes that restart, resources that are refused; all from a seed, in virtual time.
//
// What must hold: when the faults stop, client and server agree on the newest of everything, and the server knows it.

#include <catch2/catch.hpp>
#include <deque>
#include <random>

#include "source/control_plane/discovery_server.h"
#include "source/event/simulated_loop.h"
#include "source/xds/ads_client.h"

namespace sluice {
namespace {

using control_plane::ResourceType;
using xds::ResourceError;
using xds::Update;
using xds::Variant;

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t operator()() { return engine_(); }
  size_t below(size_t n) { return engine_() % n; }
  bool chance(size_t percent) { return below(100) < percent; }

 private:
  std::mt19937_64 engine_;
};

// Field 1 holds the name, field 2 the content: all that both sides look at.
std::string bytesOf(const std::string& name, const std::string& content) {
  const auto field = [](char tag, const std::string& text) {
    return std::string{tag, static_cast<char>(text.size())} + text;
  };
  return field('\x0a', name) + field('\x12', content);
}

bool isBad(std::string_view bytes) {
  return bytes.find("bad") != std::string_view::npos;
}

// What operators want: for each type, content by name. Contents come back, and with them versions, which are hashes.
class Intent : public control_plane::SnapshotSource {
 public:
  std::array<std::map<std::string, std::string>, control_plane::kResourceTypeCount> wanted;

  void publish() {
    std::vector<control_plane::ResourcePtr> resources;
    for (const ResourceType type : control_plane::kResourceTypes) {
      for (const auto& [name, content] : wanted[static_cast<size_t>(type)]) {
        resources.push_back(control_plane::makeResource({type, name, bytesOf(name, content), "", false, {}}));
      }
    }
    snapshot_ = std::make_shared<control_plane::Snapshot>(resources);
  }
  absl::StatusOr<control_plane::SnapshotPtr> snapshotFor(const control_plane::Node&) override { return snapshot_; }

 private:
  control_plane::SnapshotPtr snapshot_;
};

class Wire : public xds::Transport {
 public:
  void connect(std::string_view, xds::TransportEvents& to) override {
    events = &to;
    connecting = true;
  }
  bool writable() const override { return connected && !busy; }
  void send(std::string bytes) override {
    to_server.push_back(std::move(bytes));
    busy = true;
  }

  xds::TransportEvents* events = nullptr;
  bool connecting = false;
  bool connected = false;
  bool busy = false;
  std::deque<std::string> to_server;
};

class World {
 public:
  World(Variant variant, uint64_t seed) : variant_(variant), dice_(seed) {
    xds::AdsClient::Options options;
    options.variant = variant;
    options.node.set_id("edge-1");
    options.node.set_cluster("edge");
    auto wire = std::make_unique<Wire>();
    wire_ = wire.get();
    client_ = std::make_unique<xds::AdsClient>(options, std::move(wire), loop_, [this] { return dice_(); });
    for (const ResourceType type : control_plane::kResourceTypes) {
      watchers_[index(type)].world = this;
      watchers_[index(type)].type = type;
      client_->addType({xds::typeInfo(typeUrl(type))}, watchers_[index(type)]);
    }
    client_->subscribe(typeUrl(ResourceType::kCluster), xds::kWildcard);
    client_->subscribe(typeUrl(ResourceType::kListener), xds::kWildcard);
    client_->start();
    intent_.publish();
    startServer();
  }
  ~World() { closeStream(); }

  void step(bool faults) {
    if (faults) edit();
    if (faults && wire_->connected && dice_.chance(2)) breakStream();
    if (faults && dice_.chance(1)) {
      if (wire_->connected) breakStream();
      startServer();
    }
    if (wire_->connecting && dice_.chance(50)) establish(faults);
    for (size_t n = dice_.below(3); n > 0; --n) deliverToServer();
    if (written_ && dice_.chance(60)) {
      written_ = false;
      stream_->onWritten();
    }
    for (size_t n = dice_.below(3); n > 0; --n) deliverToClient();
    if (wire_->connected && wire_->busy && dice_.chance(70)) {
      wire_->busy = false;
      wire_->events->onWritable();
    }
    loop_.advance(std::chrono::milliseconds(dice_.below(faults ? 500 : 100)));
  }

  void wantOnlyGood() {
    for (auto& resources : intent_.wanted) {
      for (auto& [name, content] : resources) content = "good" + std::to_string(dice_.below(4));
    }
    intent_.publish();
    server_->refresh();
  }

  void requireAgreement() {
    const auto status = server_->status();
    REQUIRE(status.size() == 1);
    CHECK(status[0].up_to_date);
    for (const ResourceType type : control_plane::kResourceTypes) {
      INFO(typeUrl(type));
      std::map<std::string, std::string> newest;
      for (const auto& [name, content] : intent_.wanted[index(type)]) {
        if (isWanted(type, name)) newest[name] = bytesOf(name, content);
      }
      auto held = watchers_[index(type)].held;
      // Endpoints that nobody gives are told as none.
      std::erase_if(held, [&](const auto& item) {
        return !newest.contains(item.first) && item.second == control_plane::emptyAssignment(item.first)->bytes;
      });
      // In state of the world an endpoint or route resource that is missing is not removed.
      if (variant_ == Variant::kSotw && !isCompleteSet(type)) {
        std::erase_if(held, [&](const auto& item) { return !newest.contains(item.first); });
      }
      CHECK(held == newest);
      for (const xds::Verdict& verdict : client_->verdicts(typeUrl(type))) {
        if (newest.contains(verdict.name)) CHECK(verdict.state == xds::VerdictState::kAccepted);
      }
    }
  }

 private:
  struct Watcher : xds::ResourceWatcher {
    std::vector<ResourceError> onUpdate(const Update& update) override {
      std::vector<ResourceError> errors;
      CHECK(update.rejected.empty());
      for (const std::string& name : update.removed) held.erase(name);
      for (const xds::UpdatedResource& resource : update.changed) {
        if (isBad(resource.body->value())) {
          errors.push_back({resource.name, "content", "is bad"});
        } else {
          held[resource.name] = resource.body->value();
        }
      }
      world->followParents(type);
      return errors;
    }
    void onWaitOver(std::string_view, const std::vector<std::string>&, xds::WaitEnd) override {}

    World* world = nullptr;
    ResourceType type = ResourceType::kCluster;
    std::map<std::string, std::string> held;
  };

  struct Writer : control_plane::MessageWriter {
    void write(std::string message) override {
      REQUIRE_FALSE(world->written_);
      world->to_client_.push_back(std::move(message));
      world->written_ = true;
    }
    World* world = nullptr;
  };

  static size_t index(ResourceType type) { return static_cast<size_t>(type); }

  // Endpoints are wanted for the clusters, routes for the listeners of the same name.
  // Clusters ask for the endpoints of their name, listeners for the route table and the secret of theirs.
  bool isWanted(ResourceType type, const std::string& name) const {
    if (isCompleteSet(type)) return true;
    const ResourceType parent = type == ResourceType::kEndpoints ? ResourceType::kCluster : ResourceType::kListener;
    return watchers_[index(parent)].held.contains(name);
  }
  void followParents(ResourceType parent) {
    if (!isCompleteSet(parent)) return;
    std::vector<std::string> names;
    for (const auto& [name, bytes] : watchers_[index(parent)].held) names.push_back(name);
    const auto ask = [&](ResourceType child) {
      std::erase_if(watchers_[index(child)].held, [&](const auto& item) { return !isWanted(child, item.first); });
      client_->setInterest(typeUrl(child), names);
    };
    if (parent == ResourceType::kCluster) return ask(ResourceType::kEndpoints);
    ask(ResourceType::kRoute);
    ask(ResourceType::kSecret);
  }

  void edit() {
    if (!dice_.chance(30)) return;
    for (size_t n = 1 + dice_.below(3); n > 0; --n) {
      auto& resources = intent_.wanted[dice_.below(control_plane::kResourceTypeCount)];
      const std::string name = "r" + std::to_string(dice_.below(5));
      if (dice_.chance(25)) {
        resources.erase(name);
      } else {
        resources[name] = dice_.chance(15) ? "bad" : "good" + std::to_string(dice_.below(4));
      }
    }
    intent_.publish();
    server_->refresh();
  }

  void startServer() {
    closeStream();
    server_ = std::make_unique<control_plane::DiscoveryServer>(
        intent_, loop_.timers(), logger_, [] { return std::chrono::system_clock::time_point(); },
        control_plane::DiscoveryServer::Options{.identifier = "control"});
    server_->refresh();
  }
  void establish(bool faults) {
    wire_->connecting = false;
    if (faults && dice_.chance(30)) return wire_->events->onClosed(absl::UnavailableError("refused"));
    wire_->connected = true;
    wire_->busy = false;
    writer_.world = this;
    stream_ = server_->open(
        {variant_ == Variant::kSotw ? control_plane::Variant::kStateOfTheWorld : control_plane::Variant::kDelta,
         std::nullopt},
        "sim", writer_);
    wire_->events->onConnected();
  }
  void closeStream() {
    stream_.reset();
    written_ = false;
    to_client_.clear();
    wire_->to_server.clear();
  }
  void breakStream() {
    wire_->connected = false;
    closeStream();
    wire_->events->onClosed(absl::UnavailableError("broken"));
  }
  void deliverToServer() {
    if (stream_ == nullptr || wire_->to_server.empty()) return;
    const std::string bytes = std::move(wire_->to_server.front());
    wire_->to_server.pop_front();
    REQUIRE(stream_->onMessage(bytes).ok());
  }
  void deliverToClient() {
    if (to_client_.empty()) return;
    const std::string bytes = std::move(to_client_.front());
    to_client_.pop_front();
    wire_->events->onMessage(bytes);
  }

  const Variant variant_;
  Dice dice_;
  event::SimulatedLoop loop_;
  observability::Logger logger_{observability::LogLevel::kOff};
  Intent intent_;
  std::array<Watcher, control_plane::kResourceTypeCount> watchers_;
  std::unique_ptr<xds::AdsClient> client_;
  Wire* wire_ = nullptr;  // the client's
  std::unique_ptr<control_plane::DiscoveryServer> server_;
  std::unique_ptr<control_plane::DiscoveryStream> stream_;
  Writer writer_;
  bool written_ = false;
  std::deque<std::string> to_client_;
};

void simulate(Variant variant) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    World world(variant, seed);
    for (int i = 0; i < 200; ++i) world.step(/*faults=*/true);
    world.wantOnlyGood();
    for (int i = 0; i < 1500; ++i) world.step(/*faults=*/false);
    world.requireAgreement();
  }
}

TEST_CASE("sotw: proxy and control plane agree on the newest of everything when the faults stop") {
  simulate(Variant::kSotw);
}

TEST_CASE("delta: proxy and control plane agree on the newest of everything when the faults stop") {
  simulate(Variant::kDelta);
}

}  // namespace
}  // namespace sluice
