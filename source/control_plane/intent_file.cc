#include "source/control_plane/intent_file.h"

#include <algorithm>
#include <set>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/document.h"
#include "source/config/loader.h"
#include "source/config/message_reader.h"
#include "source/control_plane/references.h"

namespace sluice::control_plane {
namespace {

using config::DocumentNode;
using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::Address;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::RouteConfiguration;
using envoy::extensions::transport_sockets::tls::v3::Secret;

// Room for ordinary use of YAML aliases beside the bytes of the text.
constexpr size_t kSpareSteps = 1'000'000;

std::string addressText(const Address& address) {
  if (address.has_pipe()) return address.pipe().path();
  const auto& socket = address.socket_address();
  return base::strCat(socket.address(), ":", socket.port_value());
}

std::string nameOf(const google::protobuf::Message& message) {
  if (message.GetDescriptor() == ClusterLoadAssignment::descriptor()) {
    return static_cast<const ClusterLoadAssignment&>(message).cluster_name();
  }
  const auto* field = message.GetDescriptor()->FindFieldByName("name");
  return field == nullptr ? std::string() : message.GetReflection()->GetString(message, field);
}

class Reader {
 public:
  Reader(const std::string& name, std::string_view text, const ResourceValidator& validator, config::ErrorList& errors)
      : text_(text), validator_(validator), errors_(errors), file_(std::make_shared<IntentFile>()) {
    file_->name = name;
  }

  IntentFilePtr read() {
    const size_t before = errors_.total();
    config::Document document;
    const bool json = config::formatOf(file_->name) == config::Format::kJson;
    if (json ? !document.parseJson(text_, file_->name, errors_) : !document.parseYaml(text_, file_->name, errors_)) {
      return nullptr;
    }
    readRoot(document.root());
    return errors_.total() == before ? file_ : nullptr;
  }

 private:
  void error(const DocumentNode& at, std::string path, std::string message) {
    errors_.add({file_->name, at.line, at.column, std::move(path), "", std::move(message)});
  }

  const std::vector<const DocumentNode*>& listOf(const DocumentNode& node, const std::string& path) {
    static const std::vector<const DocumentNode*> kNone;
    if (node.kind == DocumentNode::Kind::kSequence) return node.items;
    if (node.kind != DocumentNode::Kind::kNull)
      error(node, path, base::strCat("has to be a list, is ", node.kindName()));
    return kNone;
  }

  void readRoot(const DocumentNode& root) {
    if (root.kind == DocumentNode::Kind::kNull) return;  // an empty file selects nothing and gives nothing
    if (root.kind != DocumentNode::Kind::kMapping) {
      return error(root, "", "a file of intent is a mapping with `resources` or `static_resources`, and `nodes`");
    }
    for (const DocumentNode::Entry& entry : root.entries) {
      const std::string& key = entry.key->text;
      if (key == "resources") {
        readResources(*entry.value);
      } else if (key == "static_resources" || key == "staticResources") {
        readStaticResources(*entry.value);
      } else if (key == "nodes") {
        readNodes(*entry.value);
      } else {
        refuseKey(*entry.key);
      }
    }
  }

  void refuseKey(const DocumentNode& key) {
    const auto* bootstrap = envoy::config::bootstrap::v3::Bootstrap::descriptor();
    if (bootstrap->FindFieldByName(key.text) != nullptr || bootstrap->FindFieldByCamelcaseName(key.text) != nullptr) {
      return error(key, key.text,
                   "belongs to a proxy's bootstrap; of a bootstrap the control plane takes `static_resources` only");
    }
    const std::string_view near = config::nearestName(key.text, {"resources", "static_resources", "nodes"});
    error(key, key.text,
          base::strCat("unknown field; a file of intent has `resources`, `static_resources` and `nodes`",
                       near.empty() ? "" : base::strCat("; did you mean `", near, "`?")));
  }

  void readResources(const DocumentNode& node) {
    const auto& items = listOf(node, "resources");
    for (size_t i = 0; i < items.size(); ++i) {
      google::protobuf::Any any;
      const std::string path = base::strCat("resources[", i, "]");
      if (!reader().read(*items[i], any, path)) continue;
      const std::optional<ResourceType> type = resourceTypeOf(any.type_url());
      if (!type || any.type_url() != typeUrl(*type)) {
        error(*items[i], path,
              base::strCat("`@type` ", any.type_url(),
                           " is not served; listeners, route configurations, clusters, cluster load assignments "
                           "and secrets are"));
        continue;
      }
      const auto message = config::unpackAny(any, context(path));
      if (message != nullptr) take(*type, *message, *items[i], path);
    }
  }

  void readStaticResources(const DocumentNode& node) {
    if (node.kind != DocumentNode::Kind::kMapping) {
      return error(node, "static_resources", base::strCat("has to be a mapping, is ", node.kindName()));
    }
    for (const DocumentNode::Entry& entry : node.entries) {
      const std::string path = base::strCat("static_resources.", entry.key->text);
      if (entry.key->text == "clusters") {
        readList<Cluster>(ResourceType::kCluster, *entry.value, path);
      } else if (entry.key->text == "listeners") {
        readList<Listener>(ResourceType::kListener, *entry.value, path);
      } else if (entry.key->text == "secrets") {
        readList<Secret>(ResourceType::kSecret, *entry.value, path);
      } else {
        error(*entry.key, path, "is not served; `clusters`, `listeners` and `secrets` are");
      }
    }
  }

  template <typename Message>
  void readList(ResourceType type, const DocumentNode& node, const std::string& list) {
    const auto& items = listOf(node, list);
    for (size_t i = 0; i < items.size(); ++i) {
      Message message;
      const std::string path = base::strCat(list, "[", i, "]");
      if (reader().read(*items[i], message, path)) take(type, message, *items[i], path);
    }
  }

  void take(ResourceType type, const google::protobuf::Message& message, const DocumentNode& at,
            const std::string& path) {
    const config::Context where = context(path);
    const size_t before = errors_.total();
    Resource resource{.type = type, .name = nameOf(message)};
    if (resource.name.empty()) {
      const bool endpoints = type == ResourceType::kEndpoints;
      where.error(base::strCat("has no `", endpoints ? "cluster_name" : "name", "`; a resource is told apart by it"));
    }
    validator_.validate(message, where);
    if (errors_.total() != before) return;
    Relations relations = relationsOf(message, where);
    if (type == ResourceType::kListener) describeListener(static_cast<const Listener&>(message), resource);
    describeNeeds(relations.references, resource);
    google::protobuf::Any any;
    config::packAny(message, typeUrl(type), any);
    resource.bytes = std::move(*any.mutable_value());
    file_->resources.push_back({.resource = makeResource(std::move(resource)),
                                .location = {file_->name, at.line, at.column, path},
                                .relations = std::move(relations)});
  }

  static void describeNeeds(const std::vector<Reference>& references, Resource& resource) {
    std::set<ResourceName> needs;
    for (const Reference& reference : references) needs.insert({reference.type, reference.name});
    resource.needs.assign(needs.begin(), needs.end());
  }

  static void describeListener(const Listener& listener, Resource& resource) {
    resource.api_listener = listener.has_api_listener();
    // Port 0 is a port of its own each time.
    const bool fixed = listener.address().has_pipe() || listener.address().socket_address().port_value() != 0;
    if (listener.has_address() && fixed) resource.addresses.push_back(addressText(listener.address()));
  }

  void readNodes(const DocumentNode& node) {
    const auto& items = listOf(node, "nodes");
    for (size_t i = 0; i < items.size(); ++i) {
      const std::string path = base::strCat("nodes[", i, "]");
      if (items[i]->kind != DocumentNode::Kind::kMapping || items[i]->entries.empty()) {
        error(*items[i], path, "has to be a mapping with `id`, `cluster` or `metadata`");
        continue;
      }
      NodeSelector selector;
      for (const DocumentNode::Entry& entry : items[i]->entries) readSelectorField(entry, path, selector);
      file_->nodes.push_back(std::move(selector));
    }
    if (node.kind == DocumentNode::Kind::kSequence && items.empty()) {
      error(node, "nodes", "is empty and so selects no node; leave it out to select every node");
    }
  }

  void readSelectorField(const DocumentNode::Entry& entry, const std::string& path, NodeSelector& selector) {
    const std::string& key = entry.key->text;
    const std::string at = base::strCat(path, ".", key);
    if (key == "metadata") {
      if (entry.value->kind != DocumentNode::Kind::kMapping) return error(*entry.value, at, "has to be a mapping");
      readMetadata(*entry.value, at, "", selector);
    } else if (key == "id" || key == "cluster") {
      std::string pattern;
      if (readPattern(*entry.value, at, pattern)) (key == "id" ? selector.id : selector.cluster) = pattern;
    } else {
      error(*entry.key, at, "unknown field; a node is selected by `id`, `cluster` and `metadata`");
    }
  }

  void readMetadata(const DocumentNode& node, const std::string& path, const std::string& prefix,
                    NodeSelector& selector) {
    for (const DocumentNode::Entry& entry : node.entries) {
      const std::string at = base::strCat(path, ".", entry.key->text);
      const std::string name = prefix + entry.key->text;
      if (entry.value->kind == DocumentNode::Kind::kMapping) {
        readMetadata(*entry.value, at, name + ".", selector);
      } else if (entry.value->kind == DocumentNode::Kind::kBool) {
        selector.metadata[name] = entry.value->boolean ? "true" : "false";
      } else {
        readPattern(*entry.value, at, selector.metadata[name]);
      }
    }
  }

  bool readPattern(const DocumentNode& node, const std::string& path, std::string& pattern) {
    const bool scalar = node.kind == DocumentNode::Kind::kString || node.kind == DocumentNode::Kind::kInteger ||
                        node.kind == DocumentNode::Kind::kNumber;
    if (!scalar) {
      error(node, path, base::strCat("has to be text, is ", node.kindName()));
      return false;
    }
    pattern = node.text;
    const size_t star = pattern.find('*');
    if (star == std::string::npos || star + 1 == pattern.size()) return true;
    error(node, path, "has a `*` that is not at its end; a pattern is exact or ends in `*`");
    return false;
  }

  config::MessageReader reader() {
    return config::MessageReader(file_->name, text_.size() + kSpareSteps, errors_, &positions_);
  }
  config::Context context(const std::string& path) { return config::Context(errors_, &positions_, path); }

  const std::string_view text_;
  const ResourceValidator& validator_;
  config::ErrorList& errors_;
  config::Positions positions_;
  std::shared_ptr<IntentFile> file_;
};

}  // namespace

IntentFilePtr readIntentFile(const std::string& name, std::string_view text, const ResourceValidator& validator,
                             config::ErrorList& errors) {
  return Reader(name, text, validator, errors).read();
}

}  // namespace sluice::control_plane
