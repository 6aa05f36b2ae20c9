#include "source/config/runtime_compiler.h"

namespace sluice::config {

using envoy::type::v3::FractionalPercent;

runtime::Fraction compileFraction(const FractionalPercent& percent) {
  uint32_t denominator = 100;
  if (percent.denominator() == FractionalPercent::TEN_THOUSAND) denominator = 10'000;
  if (percent.denominator() == FractionalPercent::MILLION) denominator = 1'000'000;
  return {percent.numerator(), denominator};
}

runtime::Fraction compileFraction(const envoy::config::core::v3::RuntimeFractionalPercent& percent,
                                  const runtime::Snapshot* snapshot) {
  const runtime::Fraction fallback = compileFraction(percent.default_value());
  return snapshot == nullptr ? fallback : snapshot->fraction(percent.runtime_key(), fallback);
}

runtime::Fraction shareOf(std::string_view runtime_key, const runtime::Snapshot* snapshot) {
  constexpr runtime::Fraction kAll{1, 1};
  return snapshot == nullptr ? kAll : snapshot->fraction(runtime_key, kAll);
}

double compileNumber(const envoy::config::core::v3::RuntimeDouble& number, const runtime::Snapshot* snapshot) {
  return snapshot == nullptr ? number.default_value() : snapshot->number(number.runtime_key(), number.default_value());
}

bool compileFlag(const envoy::config::core::v3::RuntimeFeatureFlag& flag, const runtime::Snapshot* snapshot) {
  const bool fallback = flag.default_value().value();
  return snapshot == nullptr ? fallback : snapshot->flag(flag.runtime_key(), fallback);
}

}  // namespace sluice::config
