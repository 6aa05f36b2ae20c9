#include "source/xds/subscriptions.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace sluice::xds {
namespace {

AdsClient::Options clientOptions(const GrpcSource& source, const envoy::config::core::v3::Node& node,
                                 std::string_view own_type, std::string identity) {
  AdsClient::Options options;
  options.source = std::move(identity);
  options.variant = source.variant;
  options.node = node;
  options.set_node_on_first_message_only = source.node_on_first_message_only;
  options.own_type = std::string(own_type);
  return options;
}

}  // namespace

std::string identity(const Source& source) {
  switch (source.kind) {
    case Source::Kind::kAds:
      return "ads";
    case Source::Kind::kFile:
      return absl::StrCat("file\n", source.path, "\n", source.watched_directory);
    case Source::Kind::kRest:
      return absl::StrCat("rest\n", source.rest.cluster, "\n", source.rest.refresh_delay.count(), "\n",
                          source.rest.request_timeout.count());
    case Source::Kind::kGrpc:
      break;
  }
  std::string key = absl::StrCat("grpc\n", source.grpc.cluster, "\n", source.grpc.authority, "\n",
                                 source.grpc.variant == Variant::kDelta, source.grpc.node_on_first_message_only);
  for (const auto& [name, value] : source.grpc.initial_metadata) absl::StrAppend(&key, "\n", name, "\n", value);
  for (const GrpcSource& other : source.grpc.fallback) {
    absl::StrAppend(&key, "\n\n", other.cluster, "\n", other.authority);
    for (const auto& [name, value] : other.initial_metadata) absl::StrAppend(&key, "\n", name, "\n", value);
  }
  return key;
}

// It is let go of through the loop, because what it tells a watcher may be why nobody wants it any more.
class Subscriptions::Feed : public event::Deferred {
 public:
  virtual void subscribe(std::string_view name, std::chrono::milliseconds fetch_timeout) = 0;
  virtual void unsubscribe(std::string_view name) = 0;
  virtual bool wants(std::string_view name) const = 0;
  virtual bool wantsAny() const = 0;
  virtual std::vector<Verdict> verdicts() const = 0;
  virtual void visit(const std::function<void(const View&)>& visit) const = 0;
  // Its own stream and where that goes; null: it has none.
  virtual std::pair<AdsClient*, std::string_view> ownStream() const { return {nullptr, {}}; }
};

// One type of a client: of the aggregated stream, or (then owned) of a stream of its own.
class Subscriptions::StreamFeed : public Feed {
 public:
  StreamFeed(std::string_view type_url, AdsClient& client) : type_url_(type_url), source_("ads"), client_(client) {}
  StreamFeed(std::string_view type_url, const std::string& cluster, std::unique_ptr<AdsClient> client)
      : type_url_(type_url),
        source_(absl::StrCat("grpc ", cluster)),
        server_(cluster),
        owned_(std::move(client)),
        client_(*owned_) {}

  void subscribe(std::string_view name, std::chrono::milliseconds fetch_timeout) override {
    client_.subscribe(type_url_, name, fetch_timeout);
  }
  void unsubscribe(std::string_view name) override { client_.unsubscribe(type_url_, name); }
  bool wants(std::string_view name) const override { return client_.wants(type_url_, name); }
  bool wantsAny() const override { return client_.wantsAny(type_url_); }
  std::pair<AdsClient*, std::string_view> ownStream() const override { return {owned_.get(), server_}; }
  std::vector<Verdict> verdicts() const override { return client_.verdicts(type_url_); }
  void visit(const std::function<void(const View&)>& visit) const override {
    const StreamStats stream = client_.streamStats();
    visit({type_url_, source_, client_.stats(type_url_), &stream});
  }

 private:
  const std::string type_url_;
  const std::string source_;
  const std::string server_;
  const std::unique_ptr<AdsClient> owned_;
  AdsClient& client_;
};

class Subscriptions::FileFeed : public Feed {
 public:
  FileFeed(std::string_view type_url, std::unique_ptr<FileSubscription> file)
      : type_url_(type_url), file_(std::move(file)) {}
  void subscribe(std::string_view name, std::chrono::milliseconds fetch_timeout) override {
    file_->subscribe(name, fetch_timeout);
  }
  void unsubscribe(std::string_view name) override { file_->unsubscribe(name); }
  bool wants(std::string_view name) const override { return file_->wants(name); }
  bool wantsAny() const override { return file_->wantsAny(); }
  std::vector<Verdict> verdicts() const override { return file_->verdicts(); }
  void visit(const std::function<void(const View&)>& visit) const override {
    visit({type_url_, file_->path(), file_->stats(), nullptr});
  }

 private:
  const std::string type_url_;
  const std::unique_ptr<FileSubscription> file_;
};

class Subscriptions::RestFeed : public Feed {
 public:
  RestFeed(std::string_view type_url, const std::string& cluster, std::unique_ptr<RestSubscription> rest)
      : type_url_(type_url), source_(absl::StrCat("rest ", cluster)), rest_(std::move(rest)) {}
  void subscribe(std::string_view name, std::chrono::milliseconds fetch_timeout) override {
    rest_->subscribe(name, fetch_timeout);
  }
  void unsubscribe(std::string_view name) override { rest_->unsubscribe(name); }
  bool wants(std::string_view name) const override { return rest_->wants(name); }
  bool wantsAny() const override { return rest_->wantsAny(); }
  std::vector<Verdict> verdicts() const override { return rest_->verdicts(); }
  void visit(const std::function<void(const View&)>& visit) const override {
    visit({type_url_, source_, rest_->stats(), &rest_->streamStats()});
  }

 private:
  const std::string type_url_;
  const std::string source_;
  const std::unique_ptr<RestSubscription> rest_;
};

Subscriptions::Subscriptions(Deps deps) : deps_(std::move(deps)) {}

Subscriptions::~Subscriptions() = default;

void Subscriptions::addType(const TypeInfo& type, ResourceWatcher& watcher) {
  const auto behind = std::upper_bound(types_.begin(), types_.end(), type.rank,
                                       [](int rank, const Type& other) { return rank < other.info.rank; });
  types_.insert(behind, {type, &watcher});
}

const Subscriptions::Type& Subscriptions::typeOf(std::string_view type_url) const {
  const auto type =
      std::find_if(types_.begin(), types_.end(), [&](const Type& known) { return known.info.url == type_url; });
  if (type == types_.end()) std::abort();  // an error of ours
  return *type;
}

std::unique_ptr<AdsClient> Subscriptions::makeClient(const Source& source, std::string_view own_type) {
  AdsClient::Options options = clientOptions(source.grpc, deps_.node, own_type, identity(source));
  if (deps_.stored) {
    options.stored = [stored = deps_.stored, of = identity(source)](std::string_view type) { return stored(type, of); };
  }
  auto client =
      std::make_unique<AdsClient>(std::move(options), deps_.make_transport(source.grpc), deps_.loop, deps_.random);
  client->onLog(deps_.log);
  client->onTaken(deps_.on_taken);
  client->onUp([this, server = source.grpc.cluster, up = client.get()] { wakeSiblings(server, *up); });
  return client;
}

void Subscriptions::wakeSiblings(const std::string& server, const AdsClient& up) {
  if (ads_ && ads_.get() != &up && ads_server_ == server) ads_->retryNow();
  for (const auto& [key, feed] : feeds_) {
    const auto [client, its_server] = feed->ownStream();
    if (client != nullptr && client != &up && its_server == server) client->retryNow();
  }
}

void Subscriptions::startAds(const GrpcSource& source) {
  ads_server_ = source.cluster;
  ads_ = makeClient({.kind = Source::Kind::kAds, .grpc = source}, "");
  for (const Type& type : types_) ads_->addType({type.info}, *type.watcher);
  ads_->start();
}

absl::Status Subscriptions::subscribe(std::string_view type_url, const Source& source, std::string_view name) {
  absl::StatusOr<Feed*> feed = feedFor(type_url, source);
  if (!feed.ok()) return feed.status();
  if (!(*feed)->wants(name)) (*feed)->subscribe(name, source.initial_fetch_timeout);
  return absl::OkStatus();
}

void Subscriptions::unsubscribe(std::string_view type_url, const std::string& source, std::string_view name) {
  const auto feed = feeds_.find({std::string(type_url), source});
  if (feed == feeds_.end() || !feed->second->wants(name)) return;
  feed->second->unsubscribe(name);
  if (feed->second->wantsAny()) return;
  deps_.loop.deleteLater(std::move(feed->second));
  feeds_.erase(feed);
}

absl::StatusOr<Subscriptions::Feed*> Subscriptions::feedFor(std::string_view type_url, const Source& source) {
  Key key(type_url, identity(source));
  if (const auto known = feeds_.find(key); known != feeds_.end()) return known->second.get();
  absl::StatusOr<std::unique_ptr<Feed>> feed = makeFeed(type_url, source);
  if (!feed.ok()) return feed.status();
  return feeds_.emplace(std::move(key), *std::move(feed)).first->second.get();
}

absl::StatusOr<std::unique_ptr<Subscriptions::Feed>> Subscriptions::makeFeed(std::string_view type_url,
                                                                             const Source& source) {
  const Type& type = typeOf(type_url);
  if (source.kind == Source::Kind::kAds) {
    if (ads_ == nullptr) {
      return absl::FailedPreconditionError("ads: the bootstrap has no dynamic_resources.ads_config; add one");
    }
    return std::make_unique<StreamFeed>(type_url, *ads_);
  }
  if (source.kind == Source::Kind::kFile) {
    auto file =
        std::make_unique<FileSubscription>(FileSubscription::Options{type.info, source.path, source.watched_directory,
                                                                     source.initial_fetch_timeout, identity(source)},
                                           deps_.load_file, *type.watcher, deps_.loop, deps_.log);
    if (absl::Status started = file->startLater(); !started.ok()) return started;
    return std::make_unique<FileFeed>(type_url, std::move(file));
  }
  if (source.kind == Source::Kind::kRest) {
    if (!type.info.rest_path.empty() && deps_.ask) return makeRestFeed(type, source);
    return absl::UnimplementedError(absl::StrCat("api_config_source: REST does not serve ", std::string(type_url)));
  }
  if (type.info.ownMethod(source.grpc.variant).empty()) {
    return absl::UnimplementedError(absl::StrCat("api_config_source: no stream serves ", std::string(type_url)));
  }
  std::unique_ptr<AdsClient> client = makeClient(source, type_url);
  client->addType({type.info}, *type.watcher);
  client->start();
  return std::make_unique<StreamFeed>(type_url, source.grpc.cluster, std::move(client));
}

std::unique_ptr<Subscriptions::Feed> Subscriptions::makeRestFeed(const Type& type, const Source& source) {
  RestSubscription::Options options;
  options.type = type.info;
  options.server = source.rest;
  options.node = deps_.node;
  options.source = identity(source);
  if (deps_.stored) options.stored = deps_.stored(type.info.url, options.source);
  options.initial_fetch_timeout = source.initial_fetch_timeout;
  auto rest = std::make_unique<RestSubscription>(std::move(options), deps_.ask, deps_.parse, *type.watcher, deps_.loop,
                                                 deps_.random, deps_.log);
  return std::make_unique<RestFeed>(type.info.url, source.rest.cluster, std::move(rest));
}

std::unique_ptr<AdsClient::Pause> Subscriptions::pause(std::string_view type_url) {
  return ads_ == nullptr ? nullptr : ads_->pause(type_url);
}

void Subscriptions::report(const std::vector<ServingReport::Waiting>& waiting) {
  if (ads_) ads_->report(waiting);
  for (const auto& [key, feed] : feeds_) {
    if (AdsClient* const own = feed->ownStream().first) own->report(waiting);
  }
}

std::vector<Verdict> Subscriptions::verdicts(std::string_view type_url) const {
  std::vector<Verdict> all;
  for (const auto& [key, feed] : feeds_) {
    if (key.first != type_url) continue;
    for (Verdict& verdict : feed->verdicts()) all.push_back(std::move(verdict));
  }
  return all;
}

void Subscriptions::forEach(const std::function<void(const View&)>& visit) const {
  for (const auto& [key, feed] : feeds_) {
    const std::string& identity = key.second;
    feed->visit([&](View view) {
      view.identity = identity;
      visit(view);
    });
  }
}

}  // namespace sluice::xds
