// The kind of extension that is a value which matchers look at.
#pragma once

#include <memory>
#include <string_view>

#include "source/config/factory.h"
#include "source/config/registry.h"
#include "source/config/services.h"
#include "source/match/input.h"

namespace sluice::config {

class MatchInputConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const match::Input> compile(const google::protobuf::Message& message,
                                                      FactoryContext context) const = 0;
};

// Null after reporting to the context, which stands at the message.
inline std::shared_ptr<const match::Input> compileMatchInput(const google::protobuf::Any& config,
                                                             const FactoryContext& context) {
  return context.services.registry.match_inputs.compile(config, context);
}

// The same for places of a message that `context` stands at, which it has to outlive.
inline auto inputsOf(const FactoryContext& context) {
  return [&context](const google::protobuf::Any& config, const Context& at) {
    return compileMatchInput(config, context.moved(at));
  };
}

// Of inputs without settings.
template <typename Proto, typename Input>
class PlainInputFactory : public MatchInputConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::Input> compile(const google::protobuf::Message&, FactoryContext) const override {
    return std::make_shared<Input>();
  }
};

}  // namespace sluice::config
