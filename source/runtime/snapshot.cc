#include "source/runtime/snapshot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "source/base/ascii.h"
#include "source/base/text.h"

namespace sluice::runtime {

Value Value::ofNumber(double number) {
  Value out{.number = number};
  if (number >= 0 && std::floor(number) == number) {
    out.fraction = Fraction{static_cast<uint32_t>(std::min(number, 100.0)), 100};
  }
  return out;
}

Value Value::ofText(std::string_view text) {
  if (base::equalsLowered(text, "true")) return ofFlag(true);
  if (base::equalsLowered(text, "false")) return ofFlag(false);
  double number = 0;
  if (absl::SimpleAtod(base::toAbsl(text), &number) && std::isfinite(number)) return ofNumber(number);
  return {};
}

const Value* Snapshot::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

bool Snapshot::flag(std::string_view key, bool fallback) const {
  const Value* value = key.empty() ? nullptr : find(key);
  return value == nullptr ? fallback : value->flag.value_or(fallback);
}

double Snapshot::number(std::string_view key, double fallback) const {
  const Value* value = key.empty() ? nullptr : find(key);
  return value == nullptr ? fallback : value->number.value_or(fallback);
}

Fraction Snapshot::fraction(std::string_view key, Fraction fallback) const {
  const Value* value = key.empty() ? nullptr : find(key);
  return value == nullptr ? fallback : value->fraction.value_or(fallback);
}

}  // namespace sluice::runtime
