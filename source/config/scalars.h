#pragma once

// Scalars of the configuration's text form (protobuf's JSON mapping) as numbers, enums, bytes and times.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

#include "source/config/document.h"

namespace sluice::config {

// Integers are numbers or strings, with an integral fraction or exponent allowed ("1e3"). Nothing if not an integer or
// out of range.
std::optional<int64_t> toInt64(const DocumentNode& node);
std::optional<uint64_t> toUint64(const DocumentNode& node);
// Numbers or strings, "NaN", "Infinity", "-Infinity" and hexadecimal ones too.
std::optional<double> toDouble(const DocumentNode& node);
// Booleans, or strings: true, t, yes, y, 1 and their opposites, in any case.
std::optional<bool> toBool(const DocumentNode& node);
// Names in any case, '-' for '_' allowed; or a number, which need not be declared.
std::optional<int> toEnum(const DocumentNode& node, const google::protobuf::EnumDescriptor& type);
// Base64, standard or URL alphabet.
std::optional<std::string> toBytes(const DocumentNode& node);

// Seconds with an optional fraction of at most nine digits and the unit: "0.25s". Not ".25s".
std::optional<google::protobuf::Duration> toDuration(std::string_view text);
// RFC 3339.
std::optional<google::protobuf::Timestamp> toTimestamp(std::string_view text);

// How the author of `text` should have written a duration, such as "0.25s" for "250ms"; or a general advice.
std::string durationAdvice(std::string_view text);

}  // namespace sluice::config
