// Settings by key, which others of the configuration name as their `runtime_key`. (proto: LayeredRuntime)
//
// Immutable: made from all layers together, a later layer over an earlier one. The only layers are those of the
// bootstrap, so a value holds for the process's life: what names a key is resolved when it is compiled, and a request
// pays nothing for it. Main makes it before anything else is compiled; any thread may read it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "source/runtime/fraction.h"

namespace sluice::runtime {

// One value, in each of the ways in which it can be read.
struct Value {
  std::optional<bool> flag;
  std::optional<double> number;
  std::optional<Fraction> fraction;

  static Value ofFlag(bool flag) { return {.flag = flag}; }
  // A whole number of 0 or more is a percentage, too; over 100 is all.
  static Value ofNumber(double number);
  static Value ofFraction(Fraction fraction) { return {.fraction = fraction}; }
  // Text as it stands for one of the others: "true", "false" or a number.
  static Value ofText(std::string_view text);
};

class Snapshot {
 public:
  Snapshot() = default;
  explicit Snapshot(std::map<std::string, Value, std::less<>> values) : values_(std::move(values)) {}

  // Null: no layer sets it. Lives as long as the snapshot.
  const Value* find(std::string_view key) const;

  // The value of a key, or `fallback` if there is no key, no value, or one of another kind.
  bool flag(std::string_view key, bool fallback) const;
  double number(std::string_view key, double fallback) const;
  Fraction fraction(std::string_view key, Fraction fallback) const;

  // Sorted by key.
  const std::map<std::string, Value, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace sluice::runtime
