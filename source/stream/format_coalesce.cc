// %COALESCE({"operators": [...]})%: the first of several operators that has a value.
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "source/base/text.h"
#include "source/stream/format_arguments.h"

namespace sluice::stream {
namespace {

using Json = nlohmann::json;
using Spelling = FormatOperator::Spelling;

absl::Status wrong(std::string_view what) {
  return absl::InvalidArgumentError(base::strCat("%COALESCE%: ", what));
}

// Texts that are cut keep what is left; a number or a structure is never cut.
FormatValue cut(FormatValue value, size_t limit) {
  if (value.kind == FormatValue::Kind::kText) value.text = value.text.substr(0, limit);
  return value;
}

class Coalesce final : public ExtendedOperator {
 public:
  struct Alternative {
    FormatOperator value;
    size_t limit = std::string_view::npos;
  };
  Coalesce(std::vector<Alternative> alternatives, size_t limit)
      : alternatives_(std::move(alternatives)), limit_(limit) {}

  FormatValue read(const FormatContext& context, FormatScratch& scratch) const override {
    for (const Alternative& each : alternatives_) {
      const FormatValue value = each.value.read(context, scratch);
      if (value.kind != FormatValue::Kind::kMissing) return cut(cut(value, each.limit), limit_);
    }
    return {};
  }

 private:
  const std::vector<Alternative> alternatives_;
  const size_t limit_;
};

// "NAME", or {"command": "NAME", "param": "ARGUMENTS", "max_length": LENGTH}
absl::StatusOr<Coalesce::Alternative> compileAlternative(const Json& json, BodyPaths* bodies) {
  constexpr std::string_view kShape = "an operator is a name, or an object of command, param and max_length";
  std::string name, arguments;
  Coalesce::Alternative out;
  if (json.is_string()) {
    name = json.get<std::string>();
  } else if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if (key == "command" && value.is_string()) {
        name = value.get<std::string>();
      } else if (key == "param" && value.is_string()) {
        arguments = value.get<std::string>();
      } else if (key == "max_length" && value.is_number_unsigned()) {
        out.limit = value.get<size_t>();
      } else {
        return wrong(base::strCat("'", key, "' is none of its fields, or of another type; ", kShape));
      }
    }
  }
  if (name.empty()) return wrong(kShape);
  if (name == "COALESCE") return wrong("stands in itself; list the operators of the inner one instead");
  absl::StatusOr<FormatOperator> value = FormatOperator::compile(
      {.name = name, .arguments = arguments, .has_arguments = !arguments.empty(), .bodies = bodies});
  if (!value.ok()) return wrong(base::toStd(value.status().message()));
  out.value = *std::move(value);
  return out;
}

}  // namespace

absl::Status parseCoalesce(const Spelling& spelling, FormatOperator& op) {
  const Json json = Json::parse(spelling.arguments, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.size() != 1 || !json.contains("operators") || !json["operators"].is_array() ||
      json["operators"].empty()) {
    return wrong(
        "write {\"operators\": [\"NAME\", {\"command\": \"NAME\", \"param\": \"ARGUMENTS\"}]}, with \\u0029 for ')'");
  }
  std::vector<Coalesce::Alternative> alternatives;
  for (const Json& each : json["operators"]) {
    absl::StatusOr<Coalesce::Alternative> alternative = compileAlternative(each, spelling.bodies);
    if (!alternative.ok()) return alternative.status();
    alternatives.push_back(*std::move(alternative));
  }
  op.extended = std::make_shared<const Coalesce>(std::move(alternatives), spelling.limit);
  return absl::OkStatus();
}

}  // namespace sluice::stream
