// %REQUEST_BODY(KEY:KEY)% and %RESPONSE_BODY(KEY:KEY)%: values of JSON bodies; without keys the whole body.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "source/base/text.h"
#include "source/stream/body_values.h"
#include "source/stream/format_arguments.h"

namespace sluice::stream {
namespace {

using Values = std::vector<std::optional<BodyValue>>;

class BodyOperator final : public ExtendedOperator {
 public:
  BodyOperator(Values BodyValues::*which, size_t index, size_t limit) : which_(which), index_(index), limit_(limit) {}

  FormatValue read(const FormatContext& context, FormatScratch&) const override {
    if (context.bodies == nullptr) return {};
    const Values& values = context.bodies->*which_;
    if (index_ >= values.size() || !values[index_] || values[index_]->text.size() > context.bodies->longest) return {};
    const BodyValue& value = *values[index_];
    if (value.json) return {FormatValue::Kind::kJson, value.text, 0, nullptr};
    return {FormatValue::Kind::kText, std::string_view(value.text).substr(0, limit_), 0, nullptr};
  }

 private:
  Values BodyValues::*const which_;
  const size_t index_;  // in it
  const size_t limit_;  // of texts: half of another value would be another one
};

absl::Status parse(const FormatOperator::Spelling& spelling, std::vector<BodyPath> BodyPaths::*paths,
                   Values BodyValues::*values, FormatOperator& op) {
  if (spelling.bodies == nullptr) {
    return absl::InvalidArgumentError(
        base::strCat("%", spelling.name, "% is known to formats of the filter transform only"));
  }
  std::vector<BodyPath>& wanted = spelling.bodies->*paths;
  op.extended = std::make_shared<const BodyOperator>(values, wanted.size(), spelling.limit);
  BodyPath& path = wanted.emplace_back();
  if (!spelling.arguments.empty()) path = absl::StrSplit(base::toAbsl(spelling.arguments), ':');
  return absl::OkStatus();
}

}  // namespace

absl::Status parseRequestBody(const FormatOperator::Spelling& spelling, FormatOperator& op) {
  return parse(spelling, &BodyPaths::request, &BodyValues::request, op);
}

absl::Status parseResponseBody(const FormatOperator::Spelling& spelling, FormatOperator& op) {
  return parse(spelling, &BodyPaths::response, &BodyValues::response, op);
}

}  // namespace sluice::stream
