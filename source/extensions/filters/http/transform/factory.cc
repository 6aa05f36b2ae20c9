#include "source/extensions/filters/http/transform/factory.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "envoy/extensions/filters/http/transform/v3/transform.pb.h"
#include "source/config/format/substitution_format.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_mutations.h"
#include "source/extensions/filters/http/transform/filter.h"

namespace sluice::extensions::http_filters::transform {
namespace {

namespace v3 = envoy::extensions::filters::http::transform::v3;
using config::Context;

void compileBody(const v3::BodyTransformation& proto, const Context& at, Transformation& out) {
  auto formatter = config::compileFormat(proto.body_format(), stream::Escape::kNone, &out.wanted);
  if (!formatter.ok()) {
    at.child("body_format").error(std::string(formatter.status().message()));
    return;
  }
  out.body = *std::move(formatter);
  out.merges = proto.action() == v3::BodyTransformation::MERGE;
  out.content_type = proto.body_format().content_type();
}

Transformation compileTransformation(const v3::Transformation& proto, const Context& at) {
  Transformation out;
  out.headers = config::compileHeaderMutationList(proto.headers_mutations(), "headers_mutations", at, &out.wanted);
  if (proto.has_body_transformation()) compileBody(proto.body_transformation(), at.child("body_transformation"), out);
  return out;
}

// Nothing of a body that has not been collected is there.
void warnOfUnread(const Rules& rules, const Context& at) {
  if (rules.request && !rules.request->wanted.response.empty()) {
    at.child("request_transformation").warn("%RESPONSE_BODY% has no value in it: there is no response yet");
  }
  if (rules.response && !rules.request && !rules.response->wanted.request.empty()) {
    at.child("response_transformation")
        .warn("%REQUEST_BODY% has no value in it: without request_transformation bodies of requests are not read");
  }
}

Rules compileRules(const v3::TransformConfig& proto, const Context& at) {
  Rules out;
  if (proto.clear_cluster_cache() && proto.clear_route_cache()) {
    at.error("has both clear_cluster_cache and clear_route_cache; keep one of them");
  }
  out.rematches = proto.clear_route_cache();
  if (proto.has_request_transformation()) {
    out.request = compileTransformation(proto.request_transformation(), at.child("request_transformation"));
  }
  if (proto.has_response_transformation()) {
    out.response = compileTransformation(proto.response_transformation(), at.child("response_transformation"));
  }
  warnOfUnread(out, at);
  return out;
}

class Factory : public config::RoutedHttpFilterOf<v3::TransformConfig> {
 public:
  config::HttpFilterPtr makeFilter(const v3::TransformConfig& proto,
                                   const config::FactoryContext& context) const override {
    const std::string prefix = context.owner + "http_transform.";
    return std::make_shared<FilterFactory>(Settings{compileRules(proto, context.at),
                                                    context.stats->counter(prefix + "rq_transformed"),
                                                    context.stats->counter(prefix + "rs_transformed")});
  }

  config::RouteConfigPtr makeRouteConfig(const v3::TransformConfig& proto,
                                         const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileRules(proto, context.at));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::transform
