#include "source/control_plane/client_status.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "envoy/service/status/v3/csds.pb.h"
#include "source/base/text.h"
#include "source/config/format/substitution_format.h"
#include "source/config/redact.h"
#include "source/config/route_texts.h"
#include "source/config/unknown_fields.h"
#include "source/config/validate.h"
#include "source/config/value_matchers.h"

namespace sluice::control_plane {
namespace {

namespace v3 = envoy::service::status::v3;
using NodeMessage = envoy::config::core::v3::Node;

struct NodeMatcher {
  struct OfMetadata {
    std::vector<std::string> path;
    match::MetadataValueMatcher value;
  };
  std::optional<match::StringMatcher> id;
  std::vector<OfMetadata> metadata;  // all of them
};

NodeMatcher compile(const envoy::type::matcher::v3::NodeMatcher& config, const config::Context& context,
                    config::Regexes& regexes) {
  NodeMatcher out;
  if (config.has_node_id()) out.id = regexes.stringMatcher(config.node_id(), context.child("node_id"));
  for (int i = 0; i < config.node_metadatas_size(); ++i) {
    const auto& from = config.node_metadatas(i);
    NodeMatcher::OfMetadata& one = out.metadata.emplace_back();
    for (const auto& segment : from.path()) one.path.push_back(segment.key());
    one.value = config::compileValueMatcher(
        from.value(), context.child("node_metadatas", static_cast<size_t>(i)).child("value"), regexes);
  }
  return out;
}

// Null if there is no such value.
const stream::MetadataValue* valueAt(const stream::MetadataFields& fields, const std::vector<std::string>& path) {
  const stream::MetadataFields* at = &fields;
  const stream::MetadataValue* value = nullptr;
  for (const std::string& key : path) {
    if (at == nullptr) return nullptr;
    const auto found =
        std::find_if(at->begin(), at->end(), [&key](const stream::MetadataField& field) { return field.name == key; });
    if (found == at->end()) return nullptr;
    value = &found->value;
    at = std::get_if<stream::MetadataFields>(&value->value);
  }
  return value;
}

bool matches(const NodeMatcher& matcher, const std::string& id, const stream::MetadataFields& metadata) {
  if (matcher.id && !matcher.id->matches(id)) return false;
  return std::all_of(matcher.metadata.begin(), matcher.metadata.end(),
                     [&metadata](const auto& one) { return one.value.matches(valueAt(metadata, one.path)); });
}

bool matchesAny(const std::vector<NodeMatcher>& matchers, const NodeMessage& node) {
  if (matchers.empty()) return true;
  const stream::MetadataFields metadata = config::fieldsOf(node.metadata());
  return std::any_of(matchers.begin(), matchers.end(),
                     [&](const auto& matcher) { return matches(matcher, node.id(), metadata); });
}

v3::ConfigStatus configStatusOf(const Subscription::Shown& shown) {
  if (shown.refused) return v3::ERROR;
  if (shown.version.empty()) return v3::NOT_SENT;
  // What is known by version only was accepted on an earlier stream.
  return shown.sent == nullptr || shown.sent == shown.accepted ? v3::SYNCED : v3::STALE;
}

envoy::admin::v3::ClientResourceStatus clientStatusOf(const Subscription::Shown& shown) {
  if (shown.refused) return envoy::admin::v3::NACKED;
  if (shown.version.empty()) {
    return shown.answered ? envoy::admin::v3::DOES_NOT_EXIST : envoy::admin::v3::REQUESTED;
  }
  return shown.sent == nullptr || shown.accepted != nullptr ? envoy::admin::v3::ACKED : envoy::admin::v3::REQUESTED;
}

class Answer {
 public:
  Answer(bool contents, size_t max_bytes) : contents_(contents), max_bytes_(max_bytes) {}

  void add(const NodeMessage& node, const std::vector<const Subscription*>& subscriptions) {
    bytes_ += node.ByteSizeLong();
    if (isFull()) return;
    v3::ClientConfig& client = *out_.add_config();
    *client.mutable_node() = node;
    for (const Subscription* subscription : subscriptions) {
      subscription->forEachShown([&](const Subscription::Shown& shown) {
        if (!isFull()) add(*subscription, shown, client);
      });
    }
  }
  bool isFull() const { return bytes_ > max_bytes_; }
  std::string take() {
    config::redact(out_);
    return out_.SerializeAsString();
  }

 private:
  void add(const Subscription& subscription, const Subscription::Shown& shown, v3::ClientConfig& client) {
    const std::string& error = subscription.lastError() ? *subscription.lastError() : kNone;
    const Resource* const held = shown.accepted;
    bytes_ += shown.name.size() + (shown.refused ? error.size() : 0) +
              (contents_ && held != nullptr ? held->bytes.size() : 0) + kOfEach;
    if (isFull()) return;
    auto& item = *client.add_generic_xds_configs();
    item.set_type_url(std::string(typeUrl(subscription.type())));
    item.set_name(std::string(shown.name));
    item.set_config_status(configStatusOf(shown));
    item.set_client_status(clientStatusOf(shown));
    if (held != nullptr) {
      item.set_version_info(held->version);
    } else if (shown.sent == nullptr) {
      item.set_version_info(std::string(shown.version));
    }
    if (held != nullptr && contents_) {
      item.mutable_xds_config()->set_type_url(item.type_url());
      item.mutable_xds_config()->set_value(held->bytes);
    }
    if (!shown.refused) return;
    item.mutable_error_state()->set_details(error);
    item.mutable_error_state()->set_version_info(std::string(shown.refused_version));
  }

  static constexpr size_t kOfEach = 100;  // bytes of a resource beside its content, about
  static inline const std::string kNone;

  const bool contents_;
  const size_t max_bytes_;
  size_t bytes_ = 0;
  v3::ClientStatusResponse out_;
};

class StatusStream final : public ServedStream {
 public:
  StatusStream(Reads reads, const DiscoveryServer& discovery, MessageWriter& writer)
      : ServedStream(reads), discovery_(discovery), writer_(writer) {}

  absl::Status onMessage(std::string_view bytes) override {
    absl::StatusOr<std::string> answer = clientStatus(discovery_, bytes);
    if (answer.ok()) writer_.write(*std::move(answer));
    return answer.status();
  }
  void onWritten() override {}

 private:
  const DiscoveryServer& discovery_;
  MessageWriter& writer_;
};

}  // namespace

std::unique_ptr<ServedStream> openClientStatus(std::string_view method, const DiscoveryServer& discovery,
                                               MessageWriter& writer) {
  constexpr std::string_view kService = "/envoy.service.status.v3.ClientStatusDiscoveryService/";
  if (!method.starts_with(kService)) return nullptr;
  method.remove_prefix(kService.size());
  const bool fetch = method == "FetchClientStatus";
  if (!fetch && method != "StreamClientStatus") return nullptr;
  using Reads = ServedStream::Reads;
  return std::make_unique<StatusStream>(fetch ? Reads::kOnce : Reads::kWhenAnswered, discovery, writer);
}

absl::StatusOr<std::string> clientStatus(const DiscoveryServer& discovery, std::string_view request, size_t max_bytes) {
  if (request.size() > kMaxClientStatusRequestBytes) {
    return absl::InvalidArgumentError(base::strCat("the request has ", request.size(), " bytes; it may have ",
                                                   kMaxClientStatusRequestBytes,
                                                   ": match nodes by a prefix or a regex"));
  }
  v3::ClientStatusRequest message;
  if (!message.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return absl::InvalidArgumentError("the message is no ClientStatusRequest");
  }
  config::ErrorList errors;
  const config::Context context(errors);
  config::checkUnknownFields(message, config::UnknownFieldPolicy::kRefuseAll, context);
  config::validate(message, context);
  std::vector<NodeMatcher> matchers;
  config::Regexes regexes;
  for (int i = 0; errors.empty() && i < message.node_matchers_size(); ++i) {
    matchers.push_back(
        compile(message.node_matchers(i), context.child("node_matchers", static_cast<size_t>(i)), regexes));
  }
  if (!errors.empty()) return absl::InvalidArgumentError(errors.toString());
  Answer answer(!message.exclude_resource_contents(), max_bytes);
  discovery.forEachClient([&](const NodeMessage& node, const std::vector<const Subscription*>& subscriptions) {
    if (!answer.isFull() && matchesAny(matchers, node)) answer.add(node, subscriptions);
  });
  if (answer.isFull()) {
    return absl::ResourceExhaustedError(
        base::strCat("the answer would have more than ", max_bytes,
                     " bytes; ask for fewer clients with node_matchers, or set exclude_resource_contents"));
  }
  return answer.take();
}

}  // namespace sluice::control_plane
