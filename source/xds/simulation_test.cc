// A client against a strict model of a server, over a network that delays, loses, repeats and breaks, from a seed. The
// server checks the client's manners at each request; when the faults stop, every resource has to be the newest one.

#include <catch2/catch.hpp>
#include <deque>
#include <random>

#include "source/event/simulated_loop.h"
#include "source/xds/ads_client.h"
#include "source/xds/fakes.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;
using testing::named;

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t operator()() { return engine_(); }
  size_t below(size_t n) { return engine_() % n; }
  bool chance(size_t percent) { return below(100) < percent; }

 private:
  std::mt19937_64 engine_;
};

constexpr std::string_view kBad = "bad";

// What the server has. Versions are never used twice, by no restart either.
struct Store {
  struct Item {
    std::string version;
    std::shared_ptr<const google::protobuf::Any> body;
  };
  void set(std::string_view type, const std::string& name, bool bad) {
    const std::string content = bad ? std::string(kBad) : std::to_string(++counter);
    auto body = type == kClusterType ? testing::clusterBody(name, content)
                                     : testing::endpointBody(name, bad ? 0 : static_cast<uint32_t>(counter));
    version[std::string(type)] = std::to_string(++counter);
    items[std::string(type)][name] = {std::to_string(counter), std::move(body)};
  }
  void remove(std::string_view type, const std::string& name) {
    items[std::string(type)].erase(name);
    version[std::string(type)] = std::to_string(++counter);
  }

  int counter = 0;
  std::map<std::string, std::string> version;
  std::map<std::string, std::map<std::string, Item>> items;
};

// One stream at the server. REQUIREs what a client must keep to.
class ServerStream {
 public:
  ServerStream(Variant variant, Store& store, Dice& dice) : variant_(variant), store_(store), dice_(dice) {}

  void onRequest(const Request& request) {
    REQUIRE((request.node != nullptr) == first_message_);
    first_message_ = false;
    Type& type = types_[request.type_url];
    const bool first = !std::exchange(type.started, true);
    if (first) REQUIRE(request.response_nonce.empty());
    if (request.error) REQUIRE_FALSE(request.response_nonce.empty());
    if (!request.response_nonce.empty()) onNonce(type, request);
    variant_ == Variant::kSotw ? onSotw(type, request, first) : onDelta(type, request, first);
  }

  // Something to send, or nothing.
  std::optional<Response> respond() {
    std::vector<std::pair<const std::string, Type>*> due;
    for (auto& item : types_) {
      if (isDue(item.first, item.second)) due.push_back(&item);
    }
    if (due.empty()) return std::nullopt;
    auto& [url, type] = *due[dice_.below(due.size())];
    Response response = variant_ == Variant::kSotw ? sotwResponse(url, type) : deltaResponse(url, type);
    response.type_url = url;
    response.nonce = std::to_string(++nonces_);
    response.version = store_.version[url];
    type.unanswered.insert(response.nonce);
    type.last_nonce = response.nonce;
    return response;
  }

  // Each response was answered.
  bool settled() const {
    return std::all_of(types_.begin(), types_.end(), [](const auto& item) { return item.second.unanswered.empty(); });
  }
  bool idle() {
    return std::none_of(types_.begin(), types_.end(), [&](auto& item) { return isDue(item.first, item.second); });
  }

 private:
  struct Type {
    bool started = false;
    bool wildcard = false;
    bool ever_named = false;
    std::set<std::string> names;
    std::set<std::string> forced;              // must be answered whatever is known
    std::map<std::string, std::string> known;  // delta: versions at the client
    std::string sent_version;                  // state-of-the-world
    bool dirty = false;
    std::string last_nonce;
    std::set<std::string> unanswered;
  };

  void onNonce(Type& type, const Request& request) {
    if (type.unanswered.erase(request.response_nonce) > 0) return;
    // Not an ACK: state-of-the-world repeats the newest nonce that it answered in changes of interest; never another.
    REQUIRE(variant_ == Variant::kSotw);
    REQUIRE_FALSE(request.error.has_value());
  }

  void onSotw(Type& type, const Request& request, bool first) {
    if (!first && request.response_nonce != type.last_nonce) return;  // stale: a newer response is on its way
    std::set<std::string> names(request.names.begin(), request.names.end());
    type.ever_named = type.ever_named || !names.empty();
    const bool wildcard = names.erase(std::string(kWildcard)) > 0 || !type.ever_named;
    if (first || names != type.names || wildcard != type.wildcard) {
      // A full set whose version the client has needs no answer.
      const bool has_it = first && wildcard && request.version == store_.version[request.type_url];
      type.dirty = type.dirty || !has_it;
      if (has_it) type.sent_version = request.version;
    }
    type.names = std::move(names);
    type.wildcard = wildcard;
  }

  void onDelta(Type& type, const Request& request, bool first) {
    if (!first) REQUIRE(request.initial_versions.empty());
    if (first) {
      type.known = request.initial_versions;
      type.wildcard = request.subscribe.empty();
    }
    for (const std::string& name : request.subscribe) {
      if (name == kWildcard) {
        type.wildcard = true;
      } else {
        type.names.insert(name);
        type.forced.insert(name);
      }
    }
    for (const std::string& name : request.unsubscribe) {
      REQUIRE((type.names.erase(name) > 0 || name == kWildcard));
      type.known.erase(name);
      type.forced.erase(name);
    }
  }

  bool wants(const Type& type, const std::string& name) const { return type.wildcard || type.names.contains(name); }

  bool isDue(const std::string& url, const Type& type) {
    if (variant_ == Variant::kSotw) return type.dirty || (type.started && type.sent_version != store_.version[url]);
    return !deltaChange(url, type).first.empty() || !deltaChange(url, type).second.empty();
  }

  Response sotwResponse(const std::string& url, Type& type) {
    Response response;
    for (const auto& [name, item] : store_.items[url]) {
      if (wants(type, name)) response.resources.push_back(testing::bare(item.body));
    }
    type.dirty = dice_.chance(10);  // now and then the same again
    type.sent_version = store_.version[url];
    return response;
  }

  std::pair<std::vector<std::string>, std::vector<std::string>> deltaChange(const std::string& url, const Type& type) {
    std::pair<std::vector<std::string>, std::vector<std::string>> change;
    const auto& items = store_.items[url];
    for (const auto& [name, item] : items) {
      const auto known = type.known.find(name);
      const bool current = known != type.known.end() && known->second == item.version;
      if (wants(type, name) && (!current || type.forced.contains(name))) change.first.push_back(name);
    }
    for (const auto& [name, version] : type.known) {
      if (!items.contains(name)) change.second.push_back(name);
    }
    for (const std::string& name : type.forced) {
      if (!items.contains(name) && !type.known.contains(name)) change.second.push_back(name);
    }
    return change;
  }

  Response deltaResponse(const std::string& url, Type& type) {
    Response response;
    auto [changed, removed] = deltaChange(url, type);
    const size_t limit = 1 + dice_.below(8);  // a large change may come in pieces
    if (changed.size() > limit) changed.resize(limit);
    for (const std::string& name : changed) {
      const Store::Item& item = store_.items[url][name];
      response.resources.push_back(named(name, item.version, item.body));
      type.known[name] = item.version;
      type.forced.erase(name);
    }
    for (const std::string& name : removed) {
      type.known.erase(name);
      type.forced.erase(name);
    }
    response.removed = std::move(removed);
    return response;
  }

  const Variant variant_;
  Store& store_;
  Dice& dice_;
  bool first_message_ = true;
  int nonces_ = 0;
  std::map<std::string, Type> types_;
};

struct Wire : Transport {
  void connect(std::string_view, TransportEvents& to) override {
    REQUIRE_FALSE(connected);
    REQUIRE_FALSE(connecting);
    events = &to;
    connecting = true;
  }
  bool writable() const override { return connected && !busy; }
  void send(std::string bytes) override {
    REQUIRE(writable());
    to_server.push_back(std::move(bytes));
    busy = true;
  }

  TransportEvents* events = nullptr;
  bool connecting = false;
  bool connected = false;
  bool busy = false;
  bool doomed = false;  // lost something: the connection will break
  std::deque<std::string> to_server;
  std::deque<std::string> to_client;
};

// Endpoints are wanted for the clusters that are held, as in the proxy.
class World {
 public:
  World(Variant variant, uint64_t seed)
      : variant_(variant),
        dice_(seed),
        client_(options(variant), std::unique_ptr<Transport>(wire_ = new Wire), loop_, [this] { return dice_(); }) {
    clusters_.world = endpoints_.world = this;
    client_.addType({typeInfo(kClusterType)}, clusters_);
    client_.addType({typeInfo(kEndpointType)}, endpoints_);
    client_.subscribe(kClusterType, kWildcard);
    client_.start();
  }

  void step(bool faults) {
    if (faults) {
      change();
      harm();
    }
    if (wire_->doomed && wire_->connected && dice_.chance(30)) breakStream();
    if (wire_->connecting && dice_.chance(50)) establish(faults);
    for (size_t n = dice_.below(3); n > 0; --n) deliverToServer();
    if (stream_ && dice_.chance(60)) push(faults);
    for (size_t n = dice_.below(3); n > 0; --n) deliverToClient();
    if (wire_->connected && wire_->busy && dice_.chance(70)) {
      wire_->busy = false;
      wire_->events->onWritable();
    }
    loop_.advance(std::chrono::milliseconds(dice_.below(faults ? 400 : 100)));
  }

  void makeAllGood() {
    for (auto& [type, items] : store_.items) {
      std::vector<std::string> names;
      for (const auto& [name, item] : items) names.push_back(name);
      for (const std::string& name : names) store_.set(type, name, false);
    }
  }

  void requireNewest() {
    REQUIRE(stream_ != nullptr);
    CHECK(stream_->idle());
    CHECK(stream_->settled());
    CHECK(wire_->to_server.empty());
    std::map<std::string, std::string> clusters;
    std::map<std::string, std::string> endpoints;
    for (const auto& [name, item] : store_.items[std::string(kClusterType)]) {
      clusters[name] = item.body->value();
      const auto found = store_.items[std::string(kEndpointType)].find(name);
      if (found != store_.items[std::string(kEndpointType)].end()) endpoints[name] = found->second.body->value();
    }
    CHECK(clusters_.bodies == clusters);
    // In state of the world an endpoint resource that is missing is not removed.
    if (variant_ == Variant::kSotw)
      std::erase_if(endpoints_.bodies, [&](auto& e) { return !endpoints.contains(e.first); });
    CHECK(endpoints_.bodies == endpoints);
    for (const std::string_view type : {kClusterType, kEndpointType}) {
      for (const Verdict& verdict : client_.verdicts(type)) {
        // The refusal of what the server no longer has, and never said so, stays to be seen.
        if (store_.items[std::string(type)].contains(verdict.name)) CHECK(verdict.state == VerdictState::kAccepted);
      }
    }
  }

 private:
  struct Watcher : ResourceWatcher {
    std::vector<ResourceError> onUpdate(const Update& update) override {
      std::vector<ResourceError> errors;
      CHECK(update.rejected.empty());
      for (const std::string& name : update.removed) bodies.erase(name);
      for (const UpdatedResource& resource : update.changed) {
        if (isBad(resource)) {
          errors.push_back({resource.name, "", "is bad"});
        } else {
          CHECK(bodies[resource.name] != resource.body->value());  // what is the same is not handed on
          bodies[resource.name] = resource.body->value();
        }
      }
      if (update.type_url == kClusterType) world->followClusters();
      return errors;
    }
    void onWaitOver(std::string_view, const std::vector<std::string>&, WaitEnd) override {}
    static bool isBad(const UpdatedResource& resource) {
      return resource.body->value() == testing::clusterBody(resource.name, std::string(kBad))->value() ||
             resource.body->value() == testing::endpointBody(resource.name, 0)->value();
    }

    World* world = nullptr;
    std::map<std::string, std::string> bodies;
  };

  static AdsClient::Options options(Variant variant) {
    AdsClient::Options options;
    options.variant = variant;
    options.node.set_id("n");
    return options;
  }

  void followClusters() {
    std::vector<std::string> names;
    for (const auto& [name, body] : clusters_.bodies) names.push_back(name);
    std::erase_if(endpoints_.bodies, [&](const auto& item) { return !clusters_.bodies.contains(item.first); });
    client_.setInterest(kEndpointType, names);
  }

  void change() {
    if (!dice_.chance(40)) return;
    const std::string name = "c" + std::to_string(dice_.below(6));
    const std::string_view type = dice_.chance(50) ? kClusterType : kEndpointType;
    dice_.chance(25) ? store_.remove(type, name) : store_.set(type, name, dice_.chance(15));
  }
  void harm() {
    if (!wire_->connected) return;
    auto& queue = dice_.chance(50) ? wire_->to_server : wire_->to_client;
    if (dice_.chance(2) && !queue.empty()) {
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(dice_.below(queue.size())), queue.end());
      wire_->doomed = true;
    }
    if (dice_.chance(3)) breakStream();
  }
  void establish(bool faults) {
    wire_->connecting = false;
    if (faults && dice_.chance(30)) return wire_->events->onClosed(absl::UnavailableError("refused"));
    wire_->connected = true;
    wire_->busy = wire_->doomed = false;
    stream_ = std::make_unique<ServerStream>(variant_, store_, dice_);
    wire_->events->onConnected();
  }
  void breakStream() {
    wire_->connected = false;
    wire_->to_server.clear();
    wire_->to_client.clear();
    stream_.reset();
    wire_->events->onClosed(absl::UnavailableError("broken"));
  }
  void deliverToServer() {
    if (wire_->to_server.empty() || wire_->doomed) return;
    stream_->onRequest(*wireEncoder(variant_).decodeRequest(wire_->to_server.front()));
    wire_->to_server.pop_front();
  }
  void deliverToClient() {
    if (wire_->to_client.empty()) return;
    const std::string bytes = std::move(wire_->to_client.front());
    wire_->to_client.pop_front();
    wire_->events->onMessage(bytes);
  }
  void push(bool faults) {
    std::optional<Response> response = stream_->respond();
    if (!response) return;
    wire_->to_client.push_back(wireEncoder(variant_).encode(*response));
    if (faults && dice_.chance(5)) {  // a type that nobody asked for must change nothing
      response->type_url = std::string(kRouteType);
      wire_->to_client.push_back(wireEncoder(variant_).encode(*response));
    }
  }

  const Variant variant_;
  Dice dice_;
  event::SimulatedLoop loop_;
  Store store_;
  std::unique_ptr<ServerStream> stream_;
  Wire* wire_ = nullptr;
  Watcher clusters_;
  Watcher endpoints_;
  AdsClient client_;
};

void simulate(Variant variant) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    World world(variant, seed);
    for (int i = 0; i < 250; ++i) world.step(/*faults=*/true);
    world.makeAllGood();
    for (int i = 0; i < 600; ++i) world.step(/*faults=*/false);
    world.requireNewest();
  }
}

TEST_CASE("sotw: whatever breaks, when it stops every resource is the newest") {
  simulate(Variant::kSotw);
}

TEST_CASE("delta: whatever breaks, when it stops every resource is the newest") {
  simulate(Variant::kDelta);
}

}  // namespace
}  // namespace sluice::xds
