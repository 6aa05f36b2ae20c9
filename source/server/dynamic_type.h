// One xDS type as this process takes it: a row of DynamicConfig's table.
//
// What is the same for all types is the watcher's (dynamic_watcher.h); what differs stands here. Thread: main.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "source/config/config_source.h"
#include "source/config/errors.h"
#include "source/server/discovery_stats.h"
#include "source/server/resource_key.h"
#include "source/xds/resource_type.h"
#include "source/xds/resource_watcher.h"

namespace sluice::server {

// One that came. Its message is of the row's type and keeps the rules that stand in api/; it may be moved from.
struct DynamicResource {
  std::string_view source;  // identity of where it comes from
  const std::string& name;
  const std::string& version;
  google::protobuf::Message& message;

  ResourceKey key() const { return {std::string(source), name}; }
};

struct DynamicType {
  // Its message is the one of that name which is linked. Texts of static storage.
  xds::TypeInfo wire;
  // As messages call it: "no clusters came", "secret 'x' did not come".
  std::string noun;

  // Where all of them come from, asked for by wildcard; the start of the process waits for the first answer. None: each
  // is asked for by its name (DynamicConfig::want).
  std::optional<config::ResourceSource> root = {};
  // Where those come from that are asked for with `self`: the source of what names them. None: from the aggregated
  // stream.
  std::optional<config::ResourceSource> self = {};

  // A response, or a part of a large one, is about to be taken. Empty: that means nothing.
  std::function<void(const xds::Update& update)> begin = {};
  // Checks what the rules do not say, and gives it to whoever serves it. What is wrong goes to `context`: then it is
  // refused, and its last good version serves on. Must not wait (see config/init.h for what has to).
  std::function<void(const DynamicResource& resource, const config::Context& context)> take;
  // It came again with the bytes that were taken. Empty: that means nothing.
  std::function<void(const ResourceKey& key)> repeated = {};
  // It is gone. Empty: what is removed serves until its users let go of it.
  std::function<void(const ResourceKey& key)> remove = {};
  // A response of that source is taken whole. Empty: that means nothing.
  std::function<void(std::string_view source)> end = {};
  // Nothing is known of it (name `*`: of any), and the time to wait is over, or it was refused, or there is none.
  std::function<void(const ResourceKey& key, xds::WaitEnd why)> give_up = {};
  // What follows for those that need it, for the log: "connections that need it are closed until then". Empty: whoever
  // waits tells.
  std::string without = {};
  // Calls `visit` with what is told of the resource of that source and name; without a name: of all of that source.
  using Visit = std::function<void(DiscoveryStats&)>;
  std::function<void(std::string_view source, std::string_view name, const Visit& visit)> discovery = {};

  // A type whose names change with what a response brings: its requests wait until the response is taken, so that one
  // goes out. Empty: none.
  std::string_view holds_back = {};
  // What is told of its subscription: "cluster_manager.cds."; empty: nothing.
  std::string stat_prefix = {};
  // The same of other sources than the root, which are asked by name, together. Empty: they are told with it.
  std::string named_stat_prefix = {};
};

}  // namespace sluice::server
