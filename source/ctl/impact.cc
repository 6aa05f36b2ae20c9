#include "source/ctl/impact.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_join.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/base/text.h"
#include "source/config/stable_bytes.h"
#include "source/server/kept_hosts.h"
#include "source/server/listener_change.h"
#include "source/upstream/cluster/pool_renewal.h"

namespace sluice::ctl {
namespace {

namespace cluster = upstream::cluster;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using FilterChain = envoy::config::listener::v3::FilterChain;
using HttpConnectionManager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using ListenerProto = envoy::config::listener::v3::Listener;
using server::SocketFate;

constexpr std::string_view kGoOn = "connections go on";
constexpr std::string_view kDrain = "connections are asked to end, and cut after the drain time";

std::string bytesOfField(const Message& message, const FieldDescriptor& field) {
  const std::unique_ptr<Message> only(message.New());
  only->CopyFrom(message);
  std::vector<const FieldDescriptor*> set;
  only->GetReflection()->ListFields(*only, &set);
  for (const FieldDescriptor* other : set) {
    if (other != &field) only->GetReflection()->ClearField(only.get(), other);
  }
  return config::stableBytes(*only);
}

// Of one type.
std::vector<std::string> changedFields(const Message& before, const Message& after) {
  std::vector<std::string> out;
  for (int i = 0; i < before.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *before.GetDescriptor()->field(i);
    if (bytesOfField(before, field) != bytesOfField(after, field)) out.push_back(field.name());
  }
  return out;
}

std::string quoted(std::string_view what, std::string_view name) {
  return base::strCat(what, " '", name, "'");
}

// In the order in which chains are compiled.
const FilterChain* chainAt(const ListenerProto& listener, size_t index) {
  const auto count = static_cast<size_t>(listener.filter_chains_size());
  if (index < count) return &listener.filter_chains(static_cast<int>(index));
  return index == count && listener.has_default_filter_chain() ? &listener.default_filter_chain() : nullptr;
}

std::string labelOf(const ListenerProto& listener, size_t index) {
  const FilterChain* const chain = chainAt(listener, index);
  if (chain != nullptr && !chain->name().empty()) return quoted("filter chain", chain->name());
  const bool is_default = index == static_cast<size_t>(listener.filter_chains_size());
  return is_default ? "default_filter_chain" : base::strCat("filter_chains[", index, "]");
}

// What most likely became of a chain: the one of its name, or at its place.
const FilterChain* successorOf(const ListenerProto& before, size_t index, const ListenerProto& after) {
  const FilterChain* const chain = chainAt(before, index);
  if (chain == nullptr || chain->name().empty()) {
    const bool is_default = index == static_cast<size_t>(before.filter_chains_size());
    return chainAt(after, is_default ? static_cast<size_t>(after.filter_chains_size()) : index);
  }
  for (size_t i = 0; const FilterChain* other = chainAt(after, i); ++i) {
    if (other->name() == chain->name()) return other;
  }
  return nullptr;
}

// The chain without the route tables that stand in it.
std::string bytesWithoutRoutes(FilterChain chain) {
  for (auto& filter : *chain.mutable_filters()) {
    HttpConnectionManager manager;
    if (!filter.typed_config().UnpackTo(&manager)) continue;
    manager.clear_route_config();
    filter.mutable_typed_config()->set_value(config::stableBytes(manager));
  }
  return config::stableBytes(chain);
}

Consequence ofDrainedChain(const std::string& resource, const ListenerProto& before, size_t index,
                           const ListenerProto& after) {
  Consequence out{resource, labelOf(before, index), {}, Effect::kClients, std::string(kDrain)};
  const FilterChain* const chain = chainAt(before, index);
  const FilterChain* const next = successorOf(before, index, after);
  if (chain == nullptr || next == nullptr) {
    base::strAppend(out.text, ": the chain is gone");
    return out;
  }
  out.fields = changedFields(*chain, *next);
  if (bytesWithoutRoutes(*chain) == bytesWithoutRoutes(*next)) {
    base::strAppend(out.text, "; only its route table changed, which would change in place by RDS");
  }
  return out;
}

std::string_view textOf(SocketFate fate) {
  switch (fate) {
    case SocketFate::kKept:
      return "stays";
    case SocketFate::kOpened:
      return "is opened";
    case SocketFate::kExchanged:
      return "is made anew and takes the place of the one before";
    case SocketFate::kRefused:
      return "cannot be made otherwise while it is in use: the change is refused; remove the listener first";
  }
  return {};
}

void compareListener(const Inventory::Listener& before, const Inventory::Listener& after, Impact& out) {
  const server::ListenerChange change = server::compareListeners(before.compiled, after.compiled);
  if (change.same) return;
  const std::string resource = quoted("listener", after.compiled.name);
  const auto add = [&](std::string part, Effect effect, std::string_view text) {
    out.consequences.push_back({resource, std::move(part), {}, effect, std::string(text)});
  };
  out.consequences.push_back({resource, "", changedFields(before.proto, after.proto),
                              change.refused ? Effect::kRefused : Effect::kNone,
                              change.refused ? "is refused; what serves goes on" : "is replaced"});
  for (const auto& [address, fate] : change.sockets) {
    add(base::strCat("socket ", address.toString()), fate == SocketFate::kRefused ? Effect::kRefused : Effect::kNone,
        textOf(fate));
  }
  if (change.refused) return;
  for (const net::Address& address : change.closed) {
    add(base::strCat("socket ", address.toString()), Effect::kNone, "is closed; what it has accepted goes on");
  }
  for (size_t i = 0; i < before.compiled.chains.size(); ++i) {
    if (std::find(change.drained.begin(), change.drained.end(), i) != change.drained.end()) {
      out.consequences.push_back(ofDrainedChain(resource, before.proto, i, after.proto));
    } else {
      add(labelOf(before.proto, i), Effect::kNone, kGoOn);
    }
  }
  if (before.compiled.isUdp()) {
    add("sessions", change.sessions_drain ? Effect::kClients : Effect::kNone,
        change.sessions_drain ? "end when they are idle, and are cut after the drain time" : "go on");
  }
}

void compareListeners(const Inventory& before, const Inventory& after, Impact& out) {
  for (const auto& [name, listener] : before.listeners) {
    if (const auto next = after.listeners.find(name); next != after.listeners.end()) {
      compareListener(listener, next->second, out);
    } else if (!listener.compiled.api) {
      out.consequences.push_back(
          {quoted("listener", name),
           "",
           {},
           Effect::kClients,
           "is removed with its sockets, and its connections are asked to end, and cut after the drain time"});
    }
  }
  for (const auto& [name, listener] : after.listeners) {
    if (!before.listeners.contains(name)) {
      out.consequences.push_back({quoted("listener", name), "", {}, Effect::kNone, "is added"});
    }
  }
}

void compareClusters(const Inventory& before, const Inventory& after, Impact& out) {
  for (const auto& [name, was] : before.clusters) {
    const auto next = after.clusters.find(name);
    if (next == after.clusters.end()) {
      out.consequences.push_back({quoted("cluster", name),
                                  "",
                                  {},
                                  Effect::kHosts,
                                  "is removed: once nothing names it, its connections are closed when their requests "
                                  "are answered"});
    } else if (was.config->content_hash != next->second.config->content_hash) {
      out.consequences.push_back({quoted("cluster", name), "", changedFields(was.proto, next->second.proto),
                                  Effect::kHosts,
                                  "gets new connections; the ones before are closed when their requests are answered"});
    }
  }
  for (const auto& [name, added] : after.clusters) {
    if (!before.clusters.contains(name)) {
      out.consequences.push_back({quoted("cluster", name), "", {}, Effect::kNone, "is added"});
    }
  }
}

// The cluster that asks for the assignment; one without settings if it is not in the file.
const cluster::ClusterConfig& askerOf(const Inventory& inventory, const std::string& name) {
  static const cluster::ClusterConfig kPlain;
  for (const auto& [cluster_name, each] : inventory.clusters) {
    const std::string& service = each.proto.eds_cluster_config().service_name();
    if (each.proto.has_eds_cluster_config() && (service.empty() ? cluster_name : service) == name) return *each.config;
  }
  return kPlain;
}

void compareHosts(const std::string& name, const Inventory::Endpoints& was, const Inventory::Endpoints& next,
                  const cluster::ClusterConfig& config, Impact& out) {
  if (config::stableBytes(was.proto) == config::stableBytes(next.proto)) return;
  const cluster::HostSetPtr before = cluster::HostSet::build(*was.assignment, config.lb.hosts, nullptr);
  const cluster::AssignmentPtr kept = server::withKeptHosts(next.assignment, before.get(), config);
  const cluster::HostSetPtr after = cluster::HostSet::build(*kept, config.lb.hosts, before.get());
  Consequence out_of{quoted("endpoints", name), "", changedFields(was.proto, next.proto), Effect::kNone,
                     "connections to hosts go on"};
  const std::vector<cluster::HostPtr> removed = cluster::removedHosts(*before, *after);
  if (cluster::renewsPools(config.host_changes, *before, *after)) {
    out_of.effect = Effect::kHosts;
    out_of.text = "connections to all hosts are made anew (close_connections_on_host_set_change)";
  } else if (!removed.empty()) {
    constexpr size_t kNamed = 5;
    std::vector<std::string> names;
    for (size_t i = 0; i < std::min(kNamed, removed.size()); ++i) names.push_back(removed[i]->addressText());
    if (removed.size() > kNamed) names.push_back(base::strCat("and ", removed.size() - kNamed, " more"));
    out_of.effect = Effect::kHosts;
    out_of.text = base::strCat("connections to hosts that leave are closed when their requests are answered: ",
                               absl::StrJoin(names, ", "));
  }
  out.consequences.push_back(std::move(out_of));
}

void compareEndpoints(const Inventory& before, const Inventory& after, Impact& out) {
  for (const auto& [name, was] : before.endpoints) {
    const auto next = after.endpoints.find(name);
    if (next != after.endpoints.end()) {
      compareHosts(name, was, next->second, askerOf(after, name), out);
    } else {
      out.consequences.push_back(
          {quoted("endpoints", name), "", {}, Effect::kNone, "are not told any more: the last ones serve on"});
    }
  }
  for (const auto& [name, added] : after.endpoints) {
    if (!before.endpoints.contains(name)) {
      out.consequences.push_back({quoted("endpoints", name), "", {}, Effect::kNone, "are added"});
    }
  }
}

// Route tables, secrets, scopes, configurations of extensions: exchanged where they are used, and new requests or
// connections go by them.
void compareOthers(const Inventory& before, const Inventory& after, Impact& out) {
  const auto add = [&out](const auto& key, std::string_view text) {
    const std::string& type = key.first;
    out.consequences.push_back(
        {quoted(type.substr(type.rfind('.') + 1), key.second), "", {}, Effect::kNone, std::string(text)});
  };
  for (const auto& [key, bytes] : before.others) {
    const auto next = after.others.find(key);
    if (next == after.others.end()) {
      add(key, "is removed; connections go on");
    } else if (next->second != bytes) {
      add(key, "changes in place; connections go on");
    }
  }
  for (const auto& [key, bytes] : after.others) {
    if (!before.others.contains(key)) add(key, "is added");
  }
}

void compareBootstraps(const Inventory& before, const Inventory& after, bool by_xds, Impact& out) {
  if (!before.is_bootstrap || !after.is_bootstrap) return;
  std::vector<std::string> fields = changedFields(before.bootstrap, after.bootstrap);
  if (!by_xds) {
    const bool statics = std::any_of(out.consequences.begin(), out.consequences.end(),
                                     [](const Consequence& each) { return each.effect != Effect::kRestart; });
    const std::string kStatic = "static_resources";
    if (statics && std::find(fields.begin(), fields.end(), kStatic) == fields.end()) fields.push_back(kStatic);
  }
  if (fields.empty()) return;
  out.consequences.insert(out.consequences.begin(),
                          {"bootstrap", "", std::move(fields), Effect::kRestart,
                           by_xds ? "is read at the start only: a restart, which drains all connections"
                                  : "is read at the start only: a restart, which drains all connections; below is what "
                                    "the same change does where a control plane serves it"});
}

}  // namespace

std::string_view wordOf(Effect effect) {
  switch (effect) {
    case Effect::kNone:
      return "in_place";
    case Effect::kHosts:
      return "closes_upstream";
    case Effect::kClients:
      return "drains_downstream";
    case Effect::kRestart:
      return "restart";
    case Effect::kRefused:
      return "refused";
  }
  return {};
}

Effect Impact::worst() const {
  Effect out = Effect::kNone;
  for (const Consequence& each : consequences) out = std::max(out, each.effect);
  return out;
}

Impact compare(const Inventory& before, const Inventory& after, bool by_xds) {
  Impact out;
  compareListeners(before, after, out);
  compareClusters(before, after, out);
  compareEndpoints(before, after, out);
  compareOthers(before, after, out);
  compareBootstraps(before, after, by_xds, out);
  return out;
}

nlohmann::ordered_json toJson(const Impact& impact) {
  nlohmann::ordered_json out{{"worst", wordOf(impact.worst())}, {"closes", impact.worst() != Effect::kNone}};
  out["changes"] = nlohmann::ordered_json::array();
  for (const Consequence& each : impact.consequences) {
    out["changes"].push_back({{"resource", each.resource},
                              {"part", each.part},
                              {"fields", each.fields},
                              {"effect", wordOf(each.effect)},
                              {"text", each.text}});
  }
  return out;
}

std::string toText(const Impact& impact) {
  std::string out;
  for (const Consequence& each : impact.consequences) {
    base::strAppend(out, each.part.empty() ? each.resource : base::strCat("  ", each.part));
    if (!each.fields.empty()) base::strAppend(out, " (", absl::StrJoin(each.fields, ", "), ")");
    base::strAppend(out, ": ", each.text, "\n");
  }
  if (impact.consequences.empty()) return "nothing changes\n";
  switch (impact.worst()) {
    case Effect::kNone:
      return out + "nothing closes\n";
    case Effect::kHosts:
      return out + "closes connections to hosts; none of clients\n";
    case Effect::kClients:
      return out + "closes connections of clients\n";
    case Effect::kRestart:
      return out + "takes a restart\n";
    case Effect::kRefused:
      return out + "is refused in part\n";
  }
  return out;
}

}  // namespace sluice::ctl
