// A strftime-like format for %START_TIME(...)%, compiled once. No locale, no lock (glibc's own takes one). UTC, or the
// time zone of the process as it was when the format was compiled.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sluice::stream {

// Conversions: %Y %m %d %e %H %I %M %S %y %j %a %A %b %h %B %p %u %w %D %F %T %R %z %Z %s %n %t %%, fractions of the
// second %f (nine digits) and %1f..%9f, and %E3S-like seconds with digits. Any other is an error.
class TimeFormat {
 public:
  // The longest text that a format can make; compile() refuses longer ones.
  static constexpr size_t kMaxSize = 512;

  enum class Zone : uint8_t { kUtc, kLocal };
  static absl::StatusOr<TimeFormat> compile(std::string_view format, Zone zone = Zone::kUtc);
  // "2026-01-31T12:00:00.123Z"
  static TimeFormat iso8601();

  // Writes to `out`, which has room for kMaxSize; returns the end.
  char* write(std::chrono::system_clock::time_point time, char* out) const;

 private:
  struct Piece {
    char conversion;     // 0: literal
    uint8_t digits = 0;  // of a fraction
    std::string literal;
  };
  std::vector<Piece> pieces_;
  bool iso8601_ = false;  // the default format: written in one go
  bool local_ = false;
  absl::TimeZone zone_;  // if it is local
};

}  // namespace sluice::stream
