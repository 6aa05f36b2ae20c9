#include "source/extensions/matching/inputs/http/factory.h"

#include <memory>
#include <string>

#include "envoy/type/matcher/v3/http_inputs.pb.h"
#include "envoy/type/matcher/v3/status_code_input.pb.h"
#include "source/base/ascii.h"
#include "source/config/match_input_factory.h"
#include "source/extensions/matching/inputs/http/inputs.h"

namespace sluice::extensions::matching::inputs::http {
namespace {

namespace v3 = envoy::type::matcher::v3;

std::string nameOf(const v3::HttpRequestQueryParamMatchInput& proto) {
  return proto.query_param();
}

template <typename Proto>
std::string nameOf(const Proto& proto) {
  return base::lowered(proto.header_name());
}

// Of inputs that have a name and nothing else.
template <typename Proto, typename Input>
class Named : public config::MatchInputConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::Input> compile(const google::protobuf::Message& message,
                                              config::FactoryContext context) const override {
    const std::string name = nameOf(static_cast<const Proto&>(message));
    if (name.empty()) {
      context.at.child("header_name").error("is empty; name the header to look at");
      return nullptr;
    }
    return std::make_shared<Input>(name);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  auto& inputs = registry.match_inputs;
  inputs.add(std::make_unique<Named<v3::HttpRequestHeaderMatchInput, RequestHeader>>());
  inputs.add(std::make_unique<Named<v3::HttpRequestTrailerMatchInput, RequestTrailer>>());
  inputs.add(std::make_unique<Named<v3::HttpRequestQueryParamMatchInput, QueryParameter>>());
  inputs.add(std::make_unique<Named<v3::HttpResponseHeaderMatchInput, ResponseHeader>>());
  inputs.add(std::make_unique<Named<v3::HttpResponseTrailerMatchInput, ResponseTrailer>>());
  inputs.add(std::make_unique<config::PlainInputFactory<v3::HttpResponseStatusCodeMatchInput, StatusCode>>());
  inputs.add(std::make_unique<config::PlainInputFactory<v3::HttpResponseStatusCodeClassMatchInput, StatusCodeClass>>());
  inputs.add(std::make_unique<config::PlainInputFactory<v3::HttpResponseLocalReplyMatchInput, LocalReply>>());
}

}  // namespace sluice::extensions::matching::inputs::http
