// All subscriptions of the process, wherever they come from: names of the aggregated stream, of streams of one type,
// of servers that are polled, and of files. One watcher a type gets the updates of every source of it.
//
//   Subscriptions subscriptions({.loop = loop, .node = node, .make_transport = ..., .load_file = ...});
//   subscriptions.addType(typeInfo(kClusterType), clusters);  // each type, before anything else
//   subscriptions.startAds(ads_config);                     // if the bootstrap has one
//   subscriptions.subscribe(kClusterType, cds_config, kWildcard);
//
// Updates never come from inside subscribe() or unsubscribe(). Main thread; loop and watchers outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "source/xds/ads_client.h"
#include "source/xds/file_subscription.h"
#include "source/xds/rest_subscription.h"

namespace sluice::xds {

// A stream to a management server (core.v3.ApiConfigSource with a gRPC service).
struct GrpcSource {
  std::string cluster;
  std::string authority;
  std::vector<std::pair<std::string, std::string>> initial_metadata;
  Variant variant = Variant::kSotw;
  bool node_on_first_message_only = false;
  // For as long as the server has never answered: another one (of which cluster, authority and metadata count); one at
  // most.
  std::vector<GrpcSource> fallback = {};
};

// Where a resource comes from (core.v3.ConfigSource), checked already.
struct Source {
  enum class Kind : uint8_t { kFile, kAds, kGrpc, kRest };
  Kind kind = Kind::kAds;
  std::string path;                                        // kFile
  std::string watched_directory;                           // kFile
  GrpcSource grpc;                                         // kGrpc
  RestSource rest = {};                                    // kRest
  std::chrono::milliseconds initial_fetch_timeout{15000};  // 0: wait for ever
};

// Of what decides where a resource comes from: sources with one identity share a stream or a file, and the same name
// from two of them is two resources.
std::string identity(const Source& source);

class Subscriptions {
 public:
  struct Deps {
    event::Loop& loop;
    envoy::config::core::v3::Node node;
    std::function<std::unique_ptr<Transport>(const GrpcSource&)> make_transport;
    FileSubscription::Loader load_file;
    std::function<uint64_t()> random;
    std::function<void(const std::string&)> log;
    // What an earlier process accepted of a type from a source, by its identity; empty: nothing is known.
    std::function<std::shared_ptr<const StoredType>(std::string_view type_url, const std::string& source)> stored = {};
    std::function<void()> on_taken = {};  // as AdsClient's, of any stream
    // Of servers that are polled; empty: there are none.
    RestSubscription::Ask ask = {};
    RestSubscription::Parse parse = {};
  };
  // Of one type from one source.
  struct View {
    std::string_view type_url;
    std::string source;  // "ads", "grpc CLUSTER", "rest CLUSTER" or the path
    SubscriptionStats stats;
    const StreamStats* stream = nullptr;  // null for files; valid during the call
    std::string_view identity = {};       // of the source
  };

  explicit Subscriptions(Deps deps);
  ~Subscriptions();

  // A type, once, and who takes its resources. Texts of `type` are of static storage.
  void addType(const TypeInfo& type, ResourceWatcher& watcher);
  // The aggregated stream, once. It carries all types that were added, in the order of their ranks.
  void startAds(const GrpcSource& source);

  // A name ("*": all) of a type from a source. Errors: ads where there is no aggregated stream, a type without a stream
  // of its own, a directory that cannot be watched.
  absl::Status subscribe(std::string_view type_url, const Source& source, std::string_view name);
  // Forgets it; `source` is its identity. A stream or file that nobody wants anything of is let go.
  void unsubscribe(std::string_view type_url, const std::string& source, std::string_view name);

  // Holds back changes of a type's interest on the aggregated stream; null if there is none.
  std::unique_ptr<AdsClient::Pause> pause(std::string_view type_url);

  // As AdsClient's, to all servers.
  void report(const std::vector<ServingReport::Waiting>& waiting);

  std::vector<Verdict> verdicts(std::string_view type_url) const;
  void forEach(const std::function<void(const View&)>& visit) const;

 private:
  // One type from one source.
  class Feed;
  class StreamFeed;
  class FileFeed;
  class RestFeed;
  using Key = std::pair<std::string, std::string>;  // type, identity of the source

  struct Type {
    TypeInfo info;
    ResourceWatcher* watcher;
  };
  const Type& typeOf(std::string_view type_url) const;
  absl::StatusOr<Feed*> feedFor(std::string_view type_url, const Source& source);
  absl::StatusOr<std::unique_ptr<Feed>> makeFeed(std::string_view type_url, const Source& source);
  // The other streams to the server of `up` need not wait any longer: it is back.
  void wakeSiblings(const std::string& server, const AdsClient& up);
  std::unique_ptr<Feed> makeRestFeed(const Type& type, const Source& source);
  std::unique_ptr<AdsClient> makeClient(const Source& source, std::string_view own_type);

  Deps deps_;
  std::vector<Type> types_;  // by rank
  std::unique_ptr<AdsClient> ads_;
  std::string ads_server_;  // the cluster of ads_
  std::map<Key, std::unique_ptr<Feed>> feeds_;
};

}  // namespace sluice::xds
