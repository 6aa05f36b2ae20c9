#include "source/config/runtime_layers.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/config/runtime_compiler.h"

namespace sluice::config {
namespace {

using envoy::type::v3::FractionalPercent;
using google::protobuf::Struct;
using google::protobuf::Value;

constexpr int kMaxDepth = 32;

// A percentage is written as the message that it is.
bool isFraction(const Struct& value) {
  return value.fields().contains("numerator") || value.fields().contains("denominator");
}

std::optional<uint32_t> denominatorOf(const Value& value) {
  FractionalPercent::DenominatorType type{};
  if (value.kind_case() == Value::kNumberValue) {
    const double number = value.number_value();
    const bool fits = number >= 0 && number < FractionalPercent::DenominatorType_ARRAYSIZE;
    if (!fits || std::floor(number) != number) return std::nullopt;
    type = static_cast<FractionalPercent::DenominatorType>(static_cast<int>(number));
  } else if (!FractionalPercent::DenominatorType_Parse(value.string_value(), &type)) {
    return std::nullopt;
  }
  FractionalPercent percent;
  percent.set_denominator(type);
  return compileFraction(percent).denominator;
}

// Keys may be written as one with dots, or nested, or both.
class LayerReader {
 public:
  LayerReader(std::map<std::string, runtime::Value, std::less<>>& values,
              std::map<std::string, Context, std::less<>>& places)
      : values_(values), places_(places) {}

  void read(const Struct& layer, const std::string& prefix, const Context& context, int depth = 0) {
    if (depth > kMaxDepth) return context.error(absl::StrCat("is nested more than ", kMaxDepth, " levels deep"));
    for (const auto& [name, value] : layer.fields()) {
      const std::string key = absl::StrCat(prefix, name);
      const Context at = context.child(name);
      if (value.has_struct_value() && !isFraction(value.struct_value())) {
        read(value.struct_value(), key + ".", at, depth + 1);
      } else {
        values_.insert_or_assign(key, valueOf(value, at));
        places_.insert_or_assign(key, at);
      }
    }
  }

 private:
  static runtime::Value valueOf(const Value& value, const Context& context) {
    switch (value.kind_case()) {
      case Value::kBoolValue:
        return runtime::Value::ofFlag(value.bool_value());
      case Value::kNumberValue:
        return runtime::Value::ofNumber(value.number_value());
      case Value::kStringValue:
        return runtime::Value::ofText(value.string_value());
      case Value::kStructValue:
        return fractionOf(value.struct_value(), context);
      default:
        context.error("is no value; write true or false, a number, text, or a numerator with its denominator");
        return {};
    }
  }

  static runtime::Value fractionOf(const Struct& value, const Context& context) {
    runtime::Fraction out{0, 100};
    for (const auto& [name, part] : value.fields()) {
      const double number = part.number_value();
      if (name == "numerator" && part.has_number_value() && number >= 0 && std::floor(number) == number) {
        out.numerator = static_cast<uint32_t>(std::min<double>(number, UINT32_MAX));
      } else if (const auto denominator = denominatorOf(part); name == "denominator" && denominator) {
        out.denominator = *denominator;
      } else {
        context.child(name).error("is no part of a percentage; write numerator: 5, denominator: HUNDRED");
      }
    }
    return runtime::Value::ofFraction(out);
  }

  std::map<std::string, runtime::Value, std::less<>>& values_;
  std::map<std::string, Context, std::less<>>& places_;
};

}  // namespace

CompiledRuntime compileRuntime(const envoy::config::bootstrap::v3::LayeredRuntime& layers, const Context& context) {
  CompiledRuntime out;
  std::map<std::string, runtime::Value, std::less<>> values;
  LayerReader reader(values, out.places);
  for (int i = 0; i < layers.layers_size(); ++i) {
    const Context at = context.child("layers", static_cast<size_t>(i));
    if (layers.layers(i).has_admin_layer()) {
      at.child("admin_layer")
          .warn("stays empty, as values are fixed when the process starts; put them into static_layer");
    }
    reader.read(layers.layers(i).static_layer(), "", at.child("static_layer"));
  }
  out.snapshot = std::make_shared<const runtime::Snapshot>(std::move(values));
  return out;
}

}  // namespace sluice::config
