// Timestamps, durations and time zones as the language has them. (langdef: Timestamps and durations)
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "source/match/cel/value.h"

namespace sluice::match::cel {

// Timestamps are in the years 1 to 9999, durations at most 315,576,000,000 s long. Nothing: out of range, or the text
// is not of its kind.
std::optional<Time> timestampOf(int64_t seconds);
std::optional<Time> parseTimestamp(std::string_view text);  // RFC 3339
std::optional<Time> parseDuration(std::string_view text);   // "1h30m", "-1.5s", "10us"
// Of two in range; the result may be out of it.
Time sum(Time a, Time b);
Time difference(Time a, Time b);
bool isTimestamp(Time value);
bool isDuration(Time value);

using TimeText = std::array<char, 48>;
// "2026-01-31T12:00:00.5Z" and "1.5s"; views into `room`.
std::string_view writeTimestamp(Time value, TimeText& room);
std::string_view writeDuration(Time value, TimeText& room);

// Parts of a timestamp in some zone.
struct Civil {
  int64_t year;
  int month, day;  // from 1
  int hours, minutes, seconds;
  int day_of_week;  // 0: Sunday
  int day_of_year;  // from 0
};
Civil civilOf(int64_t local_seconds);

// Seconds east of UTC of "UTC", "Z", "+01:00", "-02:30" or "02:00"; nothing for others, which are names.
std::optional<int32_t> fixedOffset(std::string_view zone);

}  // namespace sluice::match::cel
