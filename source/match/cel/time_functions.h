// Parts of timestamps, in a zone or in UTC, and of durations, as a whole number of a unit. Used by functions.cc only.
#pragma once

#include "source/match/cel/functions.h"
#include "source/match/cel/time.h"

namespace sluice::match::cel::moment {

Value fullYear(const Arguments& args);
Value month(const Arguments& args);       // from 0
Value date(const Arguments& args);        // from 1
Value dayOfMonth(const Arguments& args);  // from 0
Value dayOfWeek(const Arguments& args);   // 0: Sunday
Value dayOfYear(const Arguments& args);   // from 0
Value hours(const Arguments& args);
Value minutes(const Arguments& args);
Value seconds(const Arguments& args);
Value milliseconds(const Arguments& args);  // of the second, also for durations

}  // namespace sluice::match::cel::moment
