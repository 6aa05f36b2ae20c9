#include "source/http/date.h"

#include <array>
#include <cstdio>

namespace sluice::http {
namespace {

// Reads a text from its beginning; once something is not as expected, `ok` stays false.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  void expect(std::string_view text) {
    ok_ &= rest_.starts_with(text);
    if (ok_) rest_.remove_prefix(text.size());
  }
  // `size` digits; with `padded` the first may be a space.
  int number(size_t size, bool padded = false) {
    int value = 0;
    ok_ &= rest_.size() >= size;
    for (size_t i = 0; ok_ && i < size; ++i) {
      const char c = rest_[i];
      if (i == 0 && padded && c == ' ') continue;
      ok_ &= c >= '0' && c <= '9';
      value = value * 10 + (c - '0');
    }
    if (ok_) rest_.remove_prefix(size);
    return value;
  }
  // Which of the names comes next, from 0.
  template <size_t kSize>
  unsigned oneOf(const std::array<std::string_view, kSize>& names) {
    for (unsigned i = 0; i < kSize; ++i) {
      if (!rest_.starts_with(names[i])) continue;
      rest_.remove_prefix(names[i].size());
      return i;
    }
    ok_ = false;
    return 0;
  }
  bool ended() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

constexpr std::array<std::string_view, 7> kDays{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 7> kLongDays{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                    "Friday", "Saturday", "Sunday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Parts {
  int year = 0, day = 0, hour = 0, minute = 0, second = 0;
  unsigned month = 0;  // from 0

  void readTime(Reader& reader) {
    hour = reader.number(2);
    reader.expect(":");
    minute = reader.number(2);
    reader.expect(":");
    second = reader.number(2);
  }
  std::optional<Date> time() const {
    using namespace std::chrono;
    const year_month_day date{std::chrono::year(year), std::chrono::month(month + 1),
                              std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
  }
};

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<Date> parseFixed(std::string_view text) {
  Reader reader(text);
  Parts parts;
  reader.oneOf(kDays);
  reader.expect(", ");
  parts.day = reader.number(2);
  reader.expect(" ");
  parts.month = reader.oneOf(kMonths);
  reader.expect(" ");
  parts.year = reader.number(4);
  reader.expect(" ");
  parts.readTime(reader);
  reader.expect(" GMT");
  return reader.ended() ? parts.time() : std::nullopt;
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
std::optional<Date> parseLong(std::string_view text, Date now) {
  Reader reader(text);
  Parts parts;
  reader.oneOf(kLongDays);
  reader.expect(", ");
  parts.day = reader.number(2);
  reader.expect("-");
  parts.month = reader.oneOf(kMonths);
  reader.expect("-");
  const int short_year = reader.number(2);
  reader.expect(" ");
  parts.readTime(reader);
  reader.expect(" GMT");
  if (!reader.ended()) return std::nullopt;
  const int this_year =
      static_cast<int>(std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now)).year());
  parts.year = this_year - this_year % 100 + short_year;
  if (parts.year > this_year + 50) parts.year -= 100;
  return parts.time();
}

// "Sun Nov  6 08:49:37 1994"
std::optional<Date> parseAsctime(std::string_view text) {
  Reader reader(text);
  Parts parts;
  reader.oneOf(kDays);
  reader.expect(" ");
  parts.month = reader.oneOf(kMonths);
  reader.expect(" ");
  parts.day = reader.number(2, true);
  reader.expect(" ");
  parts.readTime(reader);
  reader.expect(" ");
  parts.year = reader.number(4);
  return reader.ended() ? parts.time() : std::nullopt;
}

}  // namespace

std::optional<Date> parseDate(std::string_view text, Date now) {
  if (const auto fixed = parseFixed(text)) return fixed;
  if (const auto asctime = parseAsctime(text)) return asctime;
  return parseLong(text, now);
}

std::string formatDate(Date date) {
  using namespace std::chrono;
  const auto midnight = floor<days>(date);
  const year_month_day day(midnight);
  const hh_mm_ss time(date - midnight);
  char out[64];
  const int size = std::snprintf(out, sizeof(out), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                                 kDays[weekday(midnight).iso_encoding() - 1].data(), static_cast<unsigned>(day.day()),
                                 kMonths[static_cast<unsigned>(day.month()) - 1].data(), static_cast<int>(day.year()),
                                 static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                                 static_cast<int>(time.seconds().count()));
  return {out, static_cast<size_t>(size)};
}

}  // namespace sluice::http
