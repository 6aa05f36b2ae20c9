#include "source/stream/time_format.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "source/base/text.h"

namespace sluice::stream {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::string_view kConversions = "YmdeHIMSyjaAbhBpuwDFTRzZsnt%";
// No conversion makes more than this (%s with 20 digits).
constexpr size_t kLongestConversion = 20;

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// `value` with leading zeros (or spaces) to `width` digits.
inline char* putNumber(char* out, uint32_t value, int width, char fill = '0') {
  for (int i = width - 1; i >= 0; --i) {
    out[i] = value == 0 && i != width - 1 ? fill : static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return out + width;
}

// A moment taken apart.
struct Parts {
  // `offset`: of the zone from UTC.
  Parts(std::chrono::system_clock::time_point time, std::chrono::seconds offset, const char* zone)
      : offset(offset), zone(zone) {
    using namespace std::chrono;
    const auto utc = floor<seconds>(time);
    nanosecond = static_cast<uint32_t>(duration_cast<nanoseconds>(time - utc).count());
    epoch_second = utc.time_since_epoch().count();
    const auto second_point = utc + offset;
    const auto day_point = floor<days>(second_point);
    const year_month_day date(day_point);
    year = static_cast<int>(date.year());
    month = static_cast<unsigned>(date.month());
    day = static_cast<unsigned>(date.day());
    day_number = day_point;
    const auto of_day = static_cast<unsigned>((second_point - day_point).count());
    hour = of_day / 3600;
    minute = of_day / 60 % 60;
    second = of_day % 60;
  }
  unsigned hour12() const { return hour % 12 == 0 ? 12 : hour % 12; }
  unsigned weekday() const { return std::chrono::weekday(day_number).c_encoding(); }
  unsigned yearDay() const {
    using namespace std::chrono;
    return static_cast<unsigned>((day_number - sys_days(std::chrono::year(year) / January / 1)).count()) + 1;
  }

  const std::chrono::seconds offset;
  const std::string_view zone;
  int64_t epoch_second;
  int year;
  unsigned month, day, hour, minute, second;
  std::chrono::sys_days day_number;
  uint32_t nanosecond;
};

char* putFraction(char* out, uint32_t nanosecond, uint8_t digits) {
  uint32_t value = nanosecond;
  for (uint8_t i = digits; i < 9; ++i) value /= 10;
  return putNumber(out, value, digits);
}

char* putClock(char* out, const Parts& at, bool seconds) {
  out = putNumber(out, at.hour, 2);
  *out++ = ':';
  out = putNumber(out, at.minute, 2);
  if (!seconds) return out;
  *out++ = ':';
  return putNumber(out, at.second, 2);
}

char* putYear(char* out, int year) {
  return putNumber(out, static_cast<uint32_t>(year < 0 ? 0 : year), 4);
}

char* putDate(char* out, const Parts& at) {
  out = putYear(out, at.year);
  *out++ = '-';
  out = putNumber(out, at.month, 2);
  *out++ = '-';
  return putNumber(out, at.day, 2);
}

char* putUsDate(char* out, const Parts& at) {
  out = putNumber(out, at.month, 2);
  *out++ = '/';
  out = putNumber(out, at.day, 2);
  *out++ = '/';
  return putNumber(out, static_cast<uint32_t>(at.year) % 100, 2);
}

// "+0130"
char* putOffset(char* out, std::chrono::seconds offset) {
  const auto minutes = static_cast<uint32_t>(std::abs(offset.count() / 60));
  *out++ = offset.count() < 0 ? '-' : '+';
  out = putNumber(out, minutes / 60, 2);
  return putNumber(out, minutes % 60, 2);
}

char* putConversion(char* out, char conversion, const Parts& at) {
  switch (conversion) {
    case 'Y':
      return putYear(out, at.year);
    case 'm':
      return putNumber(out, at.month, 2);
    case 'd':
      return putNumber(out, at.day, 2);
    case 'e':
      return putNumber(out, at.day, 2, ' ');
    case 'H':
      return putNumber(out, at.hour, 2);
    case 'I':
      return putNumber(out, at.hour12(), 2);
    case 'M':
      return putNumber(out, at.minute, 2);
    case 'S':
      return putNumber(out, at.second, 2);
    case 'y':
      return putNumber(out, static_cast<uint32_t>(at.year) % 100, 2);
    case 'j':
      return putNumber(out, at.yearDay(), 3);
    case 'a':
      return put(out, kDays[at.weekday()].substr(0, 3));
    case 'A':
      return put(out, kDays[at.weekday()]);
    case 'b':
    case 'h':
      return put(out, kMonths[at.month - 1].substr(0, 3));
    case 'B':
      return put(out, kMonths[at.month - 1]);
    case 'p':
      return put(out, at.hour < 12 ? "AM" : "PM");
    case 'u':
      return putNumber(out, at.weekday() == 0 ? 7 : at.weekday(), 1);
    case 'w':
      return putNumber(out, at.weekday(), 1);
    case 'D':
      return putUsDate(out, at);
    case 'F':
      return putDate(out, at);
    case 'T':
      return putClock(out, at, true);
    case 'R':
      return putClock(out, at, false);
    case 'z':
      return putOffset(out, at.offset);
    case 'Z':
      return put(out, at.zone.substr(0, kLongestConversion));
    case 's':
      return std::to_chars(out, out + kLongestConversion, at.epoch_second).ptr;
    case 'n':
      return put(out, "\n");
    case 't':
      return put(out, "\t");
    default:
      return put(out, "%");
  }
}

}  // namespace

absl::StatusOr<TimeFormat> TimeFormat::compile(std::string_view format, Zone zone) {
  TimeFormat out;
  if (zone == Zone::kLocal) {
    out.local_ = true;
    out.zone_ = absl::LocalTimeZone();
  }
  size_t longest = 0;
  for (size_t i = 0; i < format.size();) {
    Piece piece{0, 0, {}};
    if (format[i] != '%') {
      const size_t end = std::min(format.find('%', i), format.size());
      piece.literal = format.substr(i, end - i);
      i = end;
    } else {
      std::string_view rest = format.substr(i + 1);
      const bool digit = !rest.empty() && rest[0] >= '1' && rest[0] <= '9';
      if (digit && rest.size() > 1 && rest[1] == 'f') {
        piece = {'f', static_cast<uint8_t>(rest[0] - '0'), {}};
        i += 3;
      } else if (rest.starts_with('f')) {
        piece = {'f', 9, {}};
        i += 2;
      } else if (rest.size() > 2 && rest[0] == 'E' && rest[1] >= '1' && rest[1] <= '9' && rest[2] == 'S') {
        out.pieces_.push_back({'S', 0, {}});
        out.pieces_.push_back({0, 0, "."});
        piece = {'f', static_cast<uint8_t>(rest[1] - '0'), {}};
        i += 4;
      } else if (!rest.empty() && kConversions.find(rest[0]) != std::string_view::npos) {
        piece = {rest[0], 0, {}};
        i += 2;
      } else {
        return absl::InvalidArgumentError(base::strCat("time format '", format, "': '%", rest.substr(0, 1),
                                                       "' at offset ", i, " is no conversion; known are %",
                                                       kConversions, " and the fractions %f, %1f to %9f"));
      }
    }
    longest += piece.conversion == 0 ? piece.literal.size() : kLongestConversion + 3;
    out.pieces_.push_back(std::move(piece));
  }
  if (longest > kMaxSize) return absl::InvalidArgumentError("the time format is too long: its text may pass 512 bytes");
  return out;
}

TimeFormat TimeFormat::iso8601() {
  TimeFormat out;
  out.iso8601_ = true;
  return out;
}

char* TimeFormat::write(std::chrono::system_clock::time_point time, char* out) const {
  absl::TimeZone::CivilInfo there{{}, {}, 0, false, "UTC"};
  if (local_) there = zone_.At(absl::FromChrono(time));
  const Parts at(time, std::chrono::seconds(there.offset), there.zone_abbr);
  if (iso8601_) {
    out = putDate(out, at);
    *out++ = 'T';
    out = putClock(out, at, true);
    *out++ = '.';
    out = putNumber(out, at.nanosecond / 1'000'000, 3);
    *out++ = 'Z';
    return out;
  }
  for (const Piece& piece : pieces_) {
    if (piece.conversion == 0) {
      out = put(out, piece.literal);
    } else if (piece.conversion == 'f') {
      out = putFraction(out, at.nanosecond, piece.digits);
    } else {
      out = putConversion(out, piece.conversion, at);
    }
  }
  return out;
}

}  // namespace sluice::stream
