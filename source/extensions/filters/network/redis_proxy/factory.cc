#include "source/extensions/filters/network/redis_proxy/factory.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.pb.h"
#include "source/config/cluster_reference.h"
#include "source/config/holding.h"
#include "source/config/network_filter_factory.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/network/redis_proxy/session.h"

namespace sluice::extensions::network_filters::redis_proxy {
namespace {

using Proto = envoy::extensions::filters::network::redis_proxy::v3::RedisProxy;
using RouteProto = Proto::PrefixRoutes::Route;
using PoolProto = Proto::ConnPoolSettings;
using config::Context;

Stats makeStats(const std::string& base, observability::Scope& scope) {
  auto counter = [&](const char* name) { return scope.counter(base + name); };
  auto gauge = [&](const char* name) { return scope.gauge(base + name); };
  return {counter("downstream_cx_total"),
          counter("downstream_cx_protocol_error"),
          counter("downstream_cx_drain_close"),
          counter("downstream_cx_rx_bytes_total"),
          counter("downstream_cx_tx_bytes_total"),
          counter("downstream_rq_total"),
          counter("splitter.invalid_request"),
          counter("splitter.unsupported_command"),
          gauge("downstream_cx_active"),
          gauge("downstream_rq_active"),
          gauge("downstream_cx_rx_bytes_buffered"),
          gauge("downstream_cx_tx_bytes_buffered")};
}

CommandStats makeCommandStats(const std::string& base, observability::Scope& scope) {
  auto counter = [&](const char* name) { return scope.counter(base + name); };
  return {counter("total"),       counter("success"),     counter("error"),
          counter("error_fault"), counter("delay_fault"), scope.histogram(base + "latency")};
}

upstream::ClusterId clusterId(const std::string& name, const Context& at, config::Services& services) {
  return config::clusterNamed(name, "commands are answered with an error", at, services);
}

Route compileRoute(const RouteProto& proto, const Context& at, config::Services& services) {
  Route out;
  out.prefix = proto.prefix();
  out.remove_prefix = proto.remove_prefix();
  out.cluster = clusterId(proto.cluster(), at.child("cluster"), services);
  if (proto.has_read_command_policy()) {
    const Context policy = at.child("read_command_policy");
    out.read_cluster = clusterId(proto.read_command_policy().cluster(), policy.child("cluster"), services);
  }
  for (int i = 0; i < proto.request_mirror_policy_size(); ++i) {
    const auto& policy = proto.request_mirror_policy(i);
    const Context mirror_at = at.child("request_mirror_policy", static_cast<size_t>(i));
    Mirror& mirror = out.mirrors.emplace_back();
    mirror.cluster = clusterId(policy.cluster(), mirror_at.child("cluster"), services);
    mirror.writes_only = policy.exclude_read_commands();
    if (policy.has_runtime_fraction()) {
      mirror.fraction = config::compileFraction(policy.runtime_fraction(), services.runtime.get());
    }
  }
  return out;
}

Routes compileRoutes(const Proto::PrefixRoutes& proto, const Context& at, config::Services& services) {
  Routes out(proto.case_insensitive());
  if (proto.routes().empty() && !proto.has_catch_all_route()) {
    at.error("leads nowhere; add routes, or a catch_all_route");
  }
  for (int i = 0; i < proto.routes_size(); ++i) {
    const Context route_at = at.child("routes", static_cast<size_t>(i));
    if (!out.add(compileRoute(proto.routes(i), route_at, services))) {
      route_at.child("prefix").error(
          absl::StrCat("'", proto.routes(i).prefix(), "' is that of another route; keep one"));
    }
  }
  if (proto.has_catch_all_route()) {
    const Context catch_all_at = at.child("catch_all_route");
    if (!proto.catch_all_route().prefix().empty()) {
      catch_all_at.child("prefix").error("all keys without a route come here; remove the prefix");
    }
    out.setCatchAll(compileRoute(proto.catch_all_route(), catch_all_at, services));
  }
  return out;
}

PoolSettings compilePool(const PoolProto& proto, const Context& at) {
  PoolSettings out;
  out.op_timeout = config::compileMilliseconds(proto.op_timeout());
  if (out.op_timeout.count() < 1) at.child("op_timeout").error("must be at least 1ms: hosts need time to answer");
  out.hashtags = proto.enable_hashtagging();
  out.redirections = proto.enable_redirection();
  out.flush_size = proto.max_buffer_size_before_flush();
  if (proto.has_buffer_flush_timeout()) out.flush_after = config::compileMilliseconds(proto.buffer_flush_timeout());
  out.command_stats = proto.enable_command_stats();
  if (proto.has_connection_rate_limit()) {
    out.connections_per_second = proto.connection_rate_limit().connection_rate_limit_per_sec();
  }
  switch (proto.read_policy()) {
    case PoolProto::MASTER:
      out.read = redis::Read::kPrimary;
      break;
    case PoolProto::PREFER_MASTER:
      out.read = redis::Read::kPreferPrimary;
      break;
    case PoolProto::REPLICA:
      out.read = redis::Read::kReplica;
      break;
    case PoolProto::PREFER_REPLICA:
      out.read = redis::Read::kPreferReplica;
      break;
    case PoolProto::ANY:
      out.read = redis::Read::kAny;
      break;
    default:
      at.child("read_policy")
          .error(
              "hosts of a Redis Cluster have no zones here; use MASTER, PREFER_MASTER, REPLICA, PREFER_REPLICA or ANY");
  }
  return out;
}

// An empty one is none, as nothing could be said for it.
void addPassword(const envoy::config::core::v3::DataSource& source, const Context& at, Settings& settings) {
  auto password = config::compileDataSource(source, at);
  if (!password) return;
  if (password->empty()) return at.error("is empty; set a password, or remove it");
  settings.passwords.push_back(*std::move(password));
}

void compileAuth(const Proto& proto, const Context& at, Settings& settings) {
  if (proto.has_downstream_auth_username()) {
    const Context username_at = at.child("downstream_auth_username");
    settings.username = config::compileDataSource(proto.downstream_auth_username(), username_at).value_or("");
  }
  if (proto.has_downstream_auth_password()) {
    addPassword(proto.downstream_auth_password(), at.child("downstream_auth_password"), settings);
  }
  for (int i = 0; i < proto.downstream_auth_passwords_size(); ++i) {
    addPassword(proto.downstream_auth_passwords(i), at.child("downstream_auth_passwords", static_cast<size_t>(i)),
                settings);
  }
  if (!settings.username.empty() && settings.passwords.empty()) {
    at.child("downstream_auth_username").error("nobody could log in without a password; set downstream_auth_passwords");
  }
}

// Its answer comes when somebody else does something, and all that other clients sent waits behind it.
bool blocksConnection(std::string_view name) {
  static constexpr std::string_view kSuch[] = {"blmove",   "blmpop",   "blpop", "brpop",   "brpoplpush", "bzmpop",
                                               "bzpopmax", "bzpopmin", "wait",  "waitaof", "xread",      "xreadgroup"};
  return std::find(std::begin(kSuch), std::end(kSuch), name) != std::end(kSuch);
}

// Or has answers that nobody waits for.
bool changesConnection(std::string_view name) {
  static constexpr std::string_view kSuch[] = {"asking",    "hello",     "monitor",     "psubscribe",   "psync",
                                               "readonly",  "readwrite", "replconf",    "reset",        "ssubscribe",
                                               "subscribe", "sync",      "unsubscribe", "punsubscribe", "sunsubscribe"};
  return std::find(std::begin(kSuch), std::end(kSuch), name) != std::end(kSuch);
}

class CommandTable {
 public:
  CommandTable(Settings& settings, const std::string& base, observability::Scope& scope)
      : settings_(settings), base_(base), scope_(scope) {
    for (const redis::Command& command : redis::commands()) add(std::string(command.name), command);
  }

  void addCustom(const std::string& name, const Context& at) {
    const std::string lower = absl::AsciiStrToLower(name);
    if (lower.empty()) return at.error("names no command");
    if (settings_.commands.contains(lower)) return at.error(absl::StrCat("'", name, "' is served anyway; remove it"));
    if (changesConnection(lower)) {
      return at.error(absl::StrCat("'", name, "' would change the connection that all clients share; remove it"));
    }
    if (blocksConnection(lower)) {
      return at.error(absl::StrCat("'", name,
                                   "' waits for what others do, and would hold up all clients on the "
                                   "connection that they share; remove it"));
    }
    add(lower, {{}, redis::Handling::kFirstKey, true, 1, true});
  }

  void addFault(const Proto::RedisFault& proto, const runtime::Snapshot* runtime, const Context& at) {
    Fault fault;
    fault.enabled = config::compileFraction(proto.fault_enabled(), runtime);
    fault.error = proto.fault_type() == Proto::RedisFault::ERROR;
    if (proto.has_delay()) fault.delay = config::compileMilliseconds(proto.delay());
    if (!fault.error && fault.delay.count() == 0) at.child("delay").error("a DELAY needs to say how long");
    for (int i = 0; i < proto.commands_size(); ++i) {
      const auto found = settings_.commands.find(absl::AsciiStrToLower(proto.commands(i)));
      if (found == settings_.commands.end()) {
        at.child("commands", static_cast<size_t>(i)).error(absl::StrCat("'", proto.commands(i), "' is no command"));
      } else {
        found->second.faults.push_back(fault);
      }
    }
    if (!proto.commands().empty()) return;
    for (auto& [name, served] : settings_.commands) served.faults.push_back(fault);
  }

 private:
  // Its name is that of the table, which is final before anybody looks at it.
  void add(std::string name, redis::Command command) {
    CommandStats stats = makeCommandStats(absl::StrCat(base_, "command.", name, "."), scope_);
    settings_.commands.emplace(std::move(name), ServedCommand{command, stats, {}});
  }

  Settings& settings_;
  const std::string base_;
  observability::Scope& scope_;
};

void compileCommands(const Proto& proto, const Context& at, const std::string& base, observability::Scope& scope,
                     const runtime::Snapshot* runtime, Settings& settings) {
  CommandTable table(settings, base, scope);
  for (int i = 0; i < proto.custom_commands_size(); ++i) {
    table.addCustom(proto.custom_commands(i), at.child("custom_commands", static_cast<size_t>(i)));
  }
  // Those of one command come before those of all.
  for (const bool of_all : {false, true}) {
    for (int i = 0; i < proto.faults_size(); ++i) {
      if (proto.faults(i).commands().empty() != of_all) continue;
      table.addFault(proto.faults(i), runtime, at.child("faults", static_cast<size_t>(i)));
    }
  }
  for (auto& [name, served] : settings.commands) served.command.name = name;
}

class Factory : public config::NetworkFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const Context& at = context.at;
    const config::ErrorMark mark(at);
    config::Holding holding(context);
    const std::string base = absl::StrCat("redis.", proto.stat_prefix(), ".");
    auto settings = std::make_shared<Settings>();
    settings->stats = makeStats(base, holding.stats());
    settings->pool = compilePool(proto.settings(), at.child("settings"));
    settings->routes = compileRoutes(proto.prefix_routes(), at.child("prefix_routes"), context.services);
    settings->latency_in_micros = proto.latency_in_micros();
    compileAuth(proto, at, *settings);
    compileCommands(proto, at, base, holding.stats(), context.services.runtime.get(), *settings);
    if (mark.hit()) return nullptr;
    settings->pools = std::make_shared<const worker::WorkerLocal<Pool>>(
        context.services.local_slots,
        [pool = settings->pool](worker::WorkerServices& worker) { return std::make_unique<Pool>(worker, pool); });
    return std::make_shared<RedisProxyFilter>(holding.tie(std::move(settings)));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.network_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::redis_proxy
