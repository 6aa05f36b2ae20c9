#include "source/extensions/matching/input_matchers/cel/factory.h"

#include <memory>
#include <utility>

#include "source/config/cel_compiler.h"
#include "source/config/value_matcher_factory.h"
#include "source/extensions/matching/input_matchers/cel/matcher.h"
#include "xds/type/matcher/v3/cel.pb.h"

namespace sluice::extensions::matching::input_matchers::cel {
namespace {

using Proto = xds::type::matcher::v3::CelMatcher;

class Factory : public config::ValueMatcherConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::ValueMatcher> compile(const google::protobuf::Message& message,
                                                     config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    auto program = config::compileCelCondition(proto.expr_match(), context.at.child("expr_match"));
    return program == nullptr ? nullptr : std::make_shared<CelMatcher>(std::move(program));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.value_matchers.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::matching::input_matchers::cel
