#include "source/extensions/filters/http/header_mutation/factory.h"

#include <memory>
#include <optional>
#include <string>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "google/protobuf/struct.pb.h"
#include "source/config/format/substitution_format.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_mutations.h"
#include "source/extensions/filters/http/header_mutation/filter.h"

namespace sluice::extensions::http_filters::header_mutation {
namespace {

namespace v3 = envoy::extensions::filters::http::header_mutation::v3;
using envoy::config::core::v3::KeyValueAppend;
using envoy::config::core::v3::KeyValueMutation;

QueryChange::Action actionOf(KeyValueAppend::KeyValueAppendAction action) {
  using Action = QueryChange::Action;
  switch (action) {
    case KeyValueAppend::ADD_IF_ABSENT:
      return Action::kAddIfAbsent;
    case KeyValueAppend::OVERWRITE_IF_EXISTS_OR_ADD:
      return Action::kOverwriteIfExistsOrAdd;
    case KeyValueAppend::OVERWRITE_IF_EXISTS:
      return Action::kOverwriteIfExists;
    default:
      return Action::kAppendIfExistsOrAdd;
  }
}

std::optional<QueryChange> compileQueryAddition(const KeyValueAppend& proto, const config::Context& at) {
  const google::protobuf::Value& value = proto.record().value();
  if (value.kind_case() != google::protobuf::Value::kStringValue) {
    at.child("record").error("needs a key and a value that is a text; numbers go in quotes");
    return std::nullopt;
  }
  auto formatter =
      config::compileFormat(value.string_value(), {.omit_empty_values = true, .escape = stream::Escape::kNone});
  if (!formatter.ok()) {
    at.child("record").child("value").error(std::string(formatter.status().message()));
    return std::nullopt;
  }
  return QueryChange{actionOf(proto.action()), proto.record().key(), *std::move(formatter)};
}

std::optional<QueryChange> compileQueryChange(const KeyValueMutation& proto, const config::Context& at) {
  if (proto.has_append() != proto.remove().empty()) {
    at.error(proto.has_append() ? "has both append and remove; keep one of them" : "has neither append nor remove");
    return std::nullopt;
  }
  if (proto.has_append()) return compileQueryAddition(proto.append(), at.child("append"));
  return QueryChange{QueryChange::Action::kRemove, proto.remove(), nullptr};
}

std::vector<QueryChange> compileQuery(const google::protobuf::RepeatedPtrField<KeyValueMutation>& list,
                                      const config::Context& at) {
  std::vector<QueryChange> out;
  for (int i = 0; i < list.size(); ++i) {
    auto change = compileQueryChange(list[i], at.child("query_parameter_mutations", static_cast<size_t>(i)));
    if (change) out.push_back(*std::move(change));
  }
  return out;
}

Mutations compileMutations(const v3::Mutations& proto, const config::Context& at) {
  using config::compileHeaderMutationList;
  return {.request = compileHeaderMutationList(proto.request_mutations(), "request_mutations", at),
          .request_trailers =
              compileHeaderMutationList(proto.request_trailers_mutations(), "request_trailers_mutations", at),
          .response = compileHeaderMutationList(proto.response_mutations(), "response_mutations", at),
          .response_trailers =
              compileHeaderMutationList(proto.response_trailers_mutations(), "response_trailers_mutations", at),
          .query = compileQuery(proto.query_parameter_mutations(), at)};
}

class Factory : public config::RoutedHttpFilterOf<v3::HeaderMutation, v3::HeaderMutationPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const v3::HeaderMutation& proto,
                                   const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(Settings{compileMutations(proto.mutations(), context.at.child("mutations")),
                                                    proto.most_specific_header_mutations_wins()});
  }

  config::RouteConfigPtr makeRouteConfig(const v3::HeaderMutationPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileMutations(proto.mutations(), context.at.child("mutations")));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::header_mutation
