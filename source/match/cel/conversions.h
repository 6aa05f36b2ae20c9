// Functions that make a value of one type of another. Used by functions.cc only.
#pragma once

#include "source/match/cel/functions.h"

namespace sluice::match::cel::convert {

Value toInt(const Arguments& args);
Value toUint(const Arguments& args);
Value toDouble(const Arguments& args);
Value toString(const Arguments& args);
Value toBytes(const Arguments& args);
Value toBool(const Arguments& args);
Value toTimestamp(const Arguments& args);
Value toDuration(const Arguments& args);
Value typeOfValue(const Arguments& args);
Value same(const Arguments& args);

}  // namespace sluice::match::cel::convert
