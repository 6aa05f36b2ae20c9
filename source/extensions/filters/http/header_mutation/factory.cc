#include "source/extensions/filters/http/header_mutation/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_mutations.h"
#include "source/extensions/filters/http/header_mutation/filter.h"

namespace sluice::extensions::http_filters::header_mutation {
namespace {

namespace v3 = envoy::extensions::filters::http::header_mutation::v3;

Mutations compileMutations(const v3::Mutations& proto, const config::Context& at) {
  using config::compileHeaderMutationList;
  return {.request = compileHeaderMutationList(proto.request_mutations(), "request_mutations", at),
          .request_trailers =
              compileHeaderMutationList(proto.request_trailers_mutations(), "request_trailers_mutations", at),
          .response = compileHeaderMutationList(proto.response_mutations(), "response_mutations", at),
          .response_trailers =
              compileHeaderMutationList(proto.response_trailers_mutations(), "response_trailers_mutations", at)};
}

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return v3::HeaderMutation::descriptor()->full_name(); }
  std::string_view upstreamRefusal() const override { return {}; }
  std::string_view routeConfigType() const override { return v3::HeaderMutationPerRoute::descriptor()->full_name(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    const config::ErrorMark mark(context.at);
    const auto& proto = static_cast<const v3::HeaderMutation&>(message);
    Settings settings{compileMutations(proto.mutations(), context.at.child("mutations")),
                      proto.most_specific_header_mutations_wins()};
    if (mark.hit()) return nullptr;
    return std::make_shared<FilterFactory>(std::move(settings));
  }

  std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message& message,
                                                             config::FactoryContext context) const override {
    const config::ErrorMark mark(context.at);
    const auto& proto = static_cast<const v3::HeaderMutationPerRoute&>(message);
    Mutations mutations = compileMutations(proto.mutations(), context.at.child("mutations"));
    if (mark.hit()) return nullptr;
    return std::make_shared<RouteSettings>(std::move(mutations));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::header_mutation
