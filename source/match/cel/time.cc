#include "source/match/cel/time.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace sluice::match::cel {
namespace {

constexpr int32_t kNanos = 1'000'000'000;
constexpr int64_t kFirst = -62135596800, kLast = 253402300799;  // 0001-01-01T00:00:00Z, 9999-12-31T23:59:59Z
constexpr int64_t kLongest = 315'576'000'000;

// Reads a text from its front.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  bool take(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool takeAny(std::string_view characters) {
    if (text_.empty() || characters.find(text_[0]) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  // Exactly `count` digits.
  std::optional<int> digits(size_t count) {
    if (text_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : text_.substr(0, count)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(count);
    return value;
  }
  // Digits of a fraction as a count of `unit`s (1e9: of a second in nanoseconds); how many there were. Those too fine
  // for it are left out.
  size_t fraction(int64_t unit, int64_t& value) {
    size_t count = 0;
    value = 0;
    for (; !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; ++count, text_.remove_prefix(1)) {
      unit /= 10;
      value += (text_[0] - '0') * unit;
    }
    return count;
  }
  std::string_view rest() const { return text_; }
  void skip(size_t count) { text_.remove_prefix(count); }

 private:
  std::string_view text_;
};

// "+01:30" without its sign.
std::optional<int32_t> readOffset(Reader& in) {
  const auto hours = in.digits(2);
  if (!hours || !in.take(':')) return std::nullopt;
  const auto minutes = in.digits(2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return *hours * 3600 + *minutes * 60;
}

struct Unit {
  std::string_view name;
  int64_t nanos;
};
// Longer names before those that they begin with.
constexpr Unit kUnits[] = {
    {"ns", 1},         {"us", 1'000}, {"\xc2\xb5s", 1'000},        {"\xce\xbcs", 1'000},
    {"ms", 1'000'000}, {"s", kNanos}, {"m", int64_t{60} * kNanos}, {"h", int64_t{3600} * kNanos}};

// One "1.5h" at the front of `in`, added to `out`.
bool readSpan(Reader& in, Time& out) {
  uint64_t whole = 0;
  const std::string_view text = in.rest();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error == std::errc::result_out_of_range || whole > static_cast<uint64_t>(INT64_MAX)) return false;
  const size_t digits = error == std::errc() ? static_cast<size_t>(end - text.data()) : 0;
  in.skip(digits);
  int64_t fraction = 0;  // in 1e-9 of the unit
  const size_t more = in.take('.') ? in.fraction(kNanos, fraction) : 0;
  if (digits + more == 0) return false;
  const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                  [&](const Unit& known) { return in.rest().starts_with(known.name); });
  if (unit == std::end(kUnits)) return false;
  in.skip(unit->name.size());
  const __int128 nanos =
      static_cast<__int128>(whole) * unit->nanos + static_cast<__int128>(fraction) * unit->nanos / kNanos;
  const __int128 seconds = nanos / kNanos;
  if (seconds > kLongest) return false;
  out = sum(out, {static_cast<int64_t>(seconds), static_cast<int32_t>(nanos % kNanos)});
  return isDuration(out);
}

Time negated(Time value) {
  return value.nanos == 0 ? Time{-value.seconds, 0} : Time{-value.seconds - 1, kNanos - value.nanos};
}

// ".5", ".000001"; nothing for 0.
char* writeFraction(int32_t nanos, char* out) {
  if (nanos == 0) return out;
  std::array<char, 12> digits;
  std::snprintf(digits.data(), digits.size(), ".%09d", nanos);
  const std::string_view text(digits.data(), 10);
  const std::string_view kept = text.substr(0, text.find_last_not_of('0') + 1);
  return std::copy(kept.begin(), kept.end(), out);
}

}  // namespace

bool isTimestamp(Time value) {
  return value.seconds >= kFirst && value.seconds <= kLast;
}

bool isDuration(Time value) {
  return value.seconds >= -kLongest && (value.seconds < kLongest || (value.seconds == kLongest && value.nanos == 0));
}

std::optional<Time> timestampOf(int64_t seconds) {
  const Time out{seconds, 0};
  return isTimestamp(out) ? std::optional(out) : std::nullopt;
}

Time sum(Time a, Time b) {
  const int32_t nanos = a.nanos + b.nanos;
  return nanos >= kNanos ? Time{a.seconds + b.seconds + 1, nanos - kNanos} : Time{a.seconds + b.seconds, nanos};
}

Time difference(Time a, Time b) {
  return sum(a, negated(b));
}

std::optional<Time> parseTimestamp(std::string_view text) {
  Reader in(text);
  const auto part = [&in](size_t count, std::string_view behind) -> int {
    const auto value = in.digits(count);
    if (!value || (!behind.empty() && !in.takeAny(behind))) return -1;
    return *value;
  };
  const int year = part(4, "-"), month = part(2, "-"), day = part(2, "Tt");
  const int hours = part(2, ":"), minutes = part(2, ":"), seconds = part(2, "");
  if (year < 1 || month < 0 || day < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59) return std::nullopt;
  int64_t nanos = 0;
  if (in.take('.') && in.fraction(kNanos, nanos) == 0) return std::nullopt;
  int64_t offset = 0;
  if (!in.takeAny("Zz")) {
    const bool west = !in.rest().empty() && in.rest()[0] == '-';
    if (!in.takeAny("+-")) return std::nullopt;
    const auto found = readOffset(in);
    if (!found) return std::nullopt;
    offset = west ? -*found : *found;
  }
  if (!in.done()) return std::nullopt;
  const std::chrono::sys_seconds midnight = std::chrono::sys_days(date);
  const Time out{midnight.time_since_epoch().count() + hours * 3600 + minutes * 60 + seconds - offset,
                 static_cast<int32_t>(nanos)};
  return isTimestamp(out) ? std::optional(out) : std::nullopt;
}

std::optional<Time> parseDuration(std::string_view text) {
  Reader in(text);
  const bool negative = !text.empty() && text[0] == '-';
  in.takeAny("+-");
  if (in.rest() == "0") return Time{};
  if (in.done()) return std::nullopt;
  Time out;
  while (!in.done()) {
    if (!readSpan(in, out)) return std::nullopt;
  }
  return negative ? negated(out) : out;
}

std::string_view writeTimestamp(Time value, TimeText& room) {
  const Civil civil = civilOf(value.seconds);
  const int size =
      std::snprintf(room.data(), room.size(), "%04d-%02d-%02dT%02d:%02d:%02d", static_cast<int>(civil.year),
                    civil.month, civil.day, civil.hours, civil.minutes, civil.seconds);
  char* end = writeFraction(value.nanos, room.data() + size);
  *end++ = 'Z';
  return {room.data(), static_cast<size_t>(end - room.data())};
}

std::string_view writeDuration(Time value, TimeText& room) {
  char* out = room.data();
  if (value.seconds < 0) {
    value = negated(value);
    *out++ = '-';
  }
  out = std::to_chars(out, room.data() + room.size(), value.seconds).ptr;
  out = writeFraction(value.nanos, out);
  *out++ = 's';
  return {room.data(), static_cast<size_t>(out - room.data())};
}

Civil civilOf(int64_t local_seconds) {
  using namespace std::chrono;
  const sys_seconds time{seconds(local_seconds)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss of_day(time - day);
  return {.year = static_cast<int>(date.year()),
          .month = static_cast<int>(static_cast<unsigned>(date.month())),
          .day = static_cast<int>(static_cast<unsigned>(date.day())),
          .hours = static_cast<int>(of_day.hours().count()),
          .minutes = static_cast<int>(of_day.minutes().count()),
          .seconds = static_cast<int>(of_day.seconds().count()),
          .day_of_week = static_cast<int>(weekday(day).c_encoding()),
          .day_of_year = static_cast<int>((day - sys_days(date.year() / January / 1)).count())};
}

std::optional<int32_t> fixedOffset(std::string_view zone) {
  if (zone == "UTC" || zone == "Z") return 0;
  Reader in(zone);
  const bool west = !zone.empty() && zone[0] == '-';
  in.takeAny("+-");
  const auto offset = readOffset(in);
  if (!offset || !in.done()) return std::nullopt;
  return west ? -*offset : *offset;
}

}  // namespace sluice::match::cel
