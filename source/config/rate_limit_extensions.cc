#include "source/config/rate_limit_extensions.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/rate_limit_descriptors/expr/v3/expr.pb.h"
#include "source/config/any_type.h"
#include "source/config/cel_compiler.h"
#include "source/match/cel/scalar_text.h"
#include "source/match/exchange.h"
#include "source/stream/attributes.h"

namespace sluice::config {
namespace {

namespace cel = match::cel;
using envoy::extensions::rate_limit_descriptors::expr::v3::Descriptor;

// Of an expression; null, lists and maps are no values.
class ExpressionValue final : public route::RequestValue {
 public:
  explicit ExpressionValue(cel::Program::Ptr program) : program_(std::move(program)) {}

  std::optional<std::string> get(const stream::FormatContext& context) const override {
    const cel::Limits limits;
    cel::Memory memory(limits.bytes, limits.steps);
    const cel::Value value = program_->evaluate(stream::Attributes(context), memory);
    if (value.is(cel::Value::Kind::kString) || value.is(cel::Value::Kind::kBytes)) return std::string(value.text());
    if (value.is(cel::Value::Kind::kNull)) return std::nullopt;
    cel::ScalarText room;
    const auto text = cel::writeScalar(value, room);
    return text ? std::optional(std::string(*text)) : std::nullopt;
  }

 private:
  const cel::Program::Ptr program_;
};

class InputValue final : public route::RequestValue {
 public:
  explicit InputValue(std::shared_ptr<const match::Input> input) : input_(std::move(input)) {}

  std::optional<std::string> get(const stream::FormatContext& context) const override {
    const match::Exchange exchange(*context.request, &context.info, input_->needs());
    match::Scratch scratch;
    const match::Value value = input_->get(exchange.data(), scratch);
    return value.text ? std::optional(std::string(*value.text)) : std::nullopt;
  }

 private:
  const std::shared_ptr<const match::Input> input_;
};

void expression(const Descriptor& proto, const Context& context, route::RateLimitAction& out) {
  out.key = proto.descriptor_key();
  out.skip_if_absent = proto.skip_if_error();
  cel::Program::Ptr program;
  switch (proto.expr_specifier_case()) {
    case Descriptor::kText:
      program = compileCelScalar(proto.text(), context.child("text"));
      break;
    case Descriptor::kParsed:
      program = compileCelScalar(proto.parsed(), context.child("parsed"));
      break;
    case Descriptor::EXPR_SPECIFIER_NOT_SET:
      context.error("has no expression; set text");
  }
  if (program) out.source = std::make_shared<const ExpressionValue>(std::move(program));
}

void matchInput(const google::protobuf::Any& config, const Context& context, const CompileMatchInput& compile_input,
                route::RateLimitAction& out) {
  if (!compile_input) {
    context.error("is no expression, and inputs of matchers have no place here");
    return;
  }
  std::shared_ptr<const match::Input> input = compile_input(config, context);
  if (!input) return;
  if ((input->needs() & ~match::kRequestParts) != 0 || input->isEverything()) {
    context.error(input->isEverything() ? "stands for no value; use envoy.extensions.rate_limit_descriptors.expr.v3"
                                        : "looks at what is not known when a request is limited; use one of requests");
    return;
  }
  out.source = std::make_shared<const InputValue>(std::move(input));
}

}  // namespace

void compileDescriptorExtension(const envoy::config::core::v3::TypedExtensionConfig& extension, const Context& context,
                                const CompileMatchInput& compile_input, route::RateLimitAction& out) {
  const Context at = context.child("typed_config");
  out.kind = route::RateLimitAction::Kind::kExtension;
  out.key = extension.name();
  if (describedType(extension.typed_config()) != Descriptor::descriptor()->full_name()) {
    return matchInput(extension.typed_config(), at, compile_input, out);
  }
  const auto proto = unpackOnly<Descriptor>(extension.typed_config(), at);
  if (proto) expression(*proto, at, out);
}

}  // namespace sluice::config
