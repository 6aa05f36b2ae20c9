#pragma once

// One value against its rules. validate.cc finds the values; this decides.

#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "validate/validate.pb.h"

namespace sluice::config {

struct Violation {
  std::string message;  // what is wrong, as the predicate of the field: "must be at least 1, is 0"
  std::string rule;     // the option's name: "uint32.gte"
};

using MaybeViolation = std::optional<Violation>;

MaybeViolation checkString(std::string_view value, const ::validate::StringRules& rules);
MaybeViolation checkBytes(std::string_view value, const ::validate::BytesRules& rules);
MaybeViolation checkDuration(const google::protobuf::Duration& value, const ::validate::DurationRules& rules);
// `is_defined`: whether the enum type has a name for the value.
MaybeViolation checkEnum(int value, bool is_defined, const ::validate::EnumRules& rules);

// Integers and floating point; Rules is UInt32Rules and so on, `kind` its name in messages ("uint32").
template <typename Value, typename Rules>
MaybeViolation checkNumber(Value value, const Rules& rules, std::string_view kind);

}  // namespace sluice::config
