#include "source/match/cel/time_functions.h"

namespace sluice::match::cel::moment {
namespace {

using Kind = Value::Kind;

// `part` of a timestamp, in the zone of the second argument or in UTC.
template <typename Part>
Value partOf(const Arguments& args, Part part) {
  if (!args[0].is(Kind::kTimestamp)) return noOverload();
  const int64_t seconds = args[0].asTime().seconds;
  int32_t offset = 0;
  if (args.zone != nullptr) {
    offset = args.zone->At(absl::FromUnixSeconds(seconds)).offset;
  } else if (args.size == 2) {
    if (!args[1].is(Kind::kString)) return noOverload();
    const auto fixed = fixedOffset(args[1].text());
    if (!fixed) return Value::error("the name of a time zone has to be a literal");
    offset = *fixed;
  }
  return Value::integer(part(civilOf(seconds + offset)));
}

// A whole duration in units of `unit` seconds, cut off towards zero.
int64_t inUnits(Time value, int64_t unit) {
  const int64_t seconds = value.seconds < 0 && value.nanos > 0 ? value.seconds + 1 : value.seconds;
  return seconds / unit;
}

template <typename Part>
Value partOrUnits(const Arguments& args, int64_t unit, Part part) {
  if (args[0].is(Kind::kDuration) && args.size == 1) return Value::integer(inUnits(args[0].asTime(), unit));
  return partOf(args, part);
}

}  // namespace

Value fullYear(const Arguments& args) {
  return partOf(args, [](const Civil& civil) { return civil.year; });
}
Value month(const Arguments& args) {
  return partOf(args, [](const Civil& civil) { return civil.month - 1; });
}
Value date(const Arguments& args) {
  return partOf(args, [](const Civil& civil) { return civil.day; });
}
Value dayOfMonth(const Arguments& args) {
  return partOf(args, [](const Civil& civil) { return civil.day - 1; });
}
Value dayOfWeek(const Arguments& args) {
  return partOf(args, [](const Civil& civil) { return civil.day_of_week; });
}
Value dayOfYear(const Arguments& args) {
  return partOf(args, [](const Civil& civil) { return civil.day_of_year; });
}
Value hours(const Arguments& args) {
  return partOrUnits(args, 3600, [](const Civil& civil) { return civil.hours; });
}
Value minutes(const Arguments& args) {
  return partOrUnits(args, 60, [](const Civil& civil) { return civil.minutes; });
}
Value seconds(const Arguments& args) {
  return partOrUnits(args, 1, [](const Civil& civil) { return civil.seconds; });
}

Value milliseconds(const Arguments& args) {
  const Time time = args[0].is(Kind::kDuration) || args[0].is(Kind::kTimestamp) ? args[0].asTime() : Time{};
  const int64_t of_second = time.nanos / 1'000'000;
  if (args[0].is(Kind::kDuration) && args.size == 1) {
    const bool negative = time.seconds < 0 && time.nanos > 0;
    return Value::integer(negative ? -((1'000'000'000 - time.nanos) / 1'000'000) : of_second);
  }
  return partOf(args, [of_second](const Civil&) { return of_second; });
}

}  // namespace sluice::match::cel::moment
