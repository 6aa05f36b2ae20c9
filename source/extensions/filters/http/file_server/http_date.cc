#include "source/extensions/filters/http/file_server/http_date.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace sluice::extensions::http_filters::file_server {
namespace {

namespace chrono = std::chrono;

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

chrono::year_month_day dayOf(int64_t seconds) {
  return chrono::floor<chrono::days>(chrono::sys_seconds(chrono::seconds(seconds)));
}

// Reads a date from the front; `good` says whether all was there.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void skip(std::string_view expected) {
    good_ = good_ && text_.substr(0, expected.size()) == expected;
    if (good_) text_.remove_prefix(expected.size());
  }
  // Up to and with the first `end`.
  void skipTo(std::string_view end) {
    const size_t at = text_.find(end);
    good_ = good_ && at != std::string_view::npos;
    if (good_) text_.remove_prefix(at + end.size());
  }
  // Just so many digits; with `padded` the first may be a space.
  int number(size_t digits, bool padded = false) {
    int out = 0;
    good_ = good_ && text_.size() >= digits;
    for (size_t i = 0; good_ && i < digits; ++i) {
      const char c = padded && i == 0 && text_[0] == ' ' ? '0' : text_[i];
      good_ = c >= '0' && c <= '9';
      out = out * 10 + (c - '0');
    }
    if (good_) text_.remove_prefix(digits);
    return out;
  }
  unsigned month() {
    for (unsigned i = 0; i < kMonths.size(); ++i) {
      if (text_.substr(0, 3) != kMonths[i]) continue;
      text_.remove_prefix(3);
      return i + 1;
    }
    good_ = false;
    return 0;
  }
  // hh:mm:ss as seconds. A leap second is the one behind it.
  int time() {
    const int hour = number(2);
    skip(":");
    const int minute = number(2);
    skip(":");
    const int second = number(2);
    good_ = good_ && hour < 24 && minute < 60 && second <= 60;
    return (hour * 60 + minute) * 60 + second;
  }
  bool done() const { return good_ && text_.empty(); }

 private:
  std::string_view text_;
  bool good_ = true;
};

struct Parts {
  int year = 0;
  unsigned month = 0;
  int day = 0;
  int time = 0;
};

std::optional<int64_t> secondsOf(const Parts& parts) {
  const chrono::year_month_day day{chrono::year(parts.year), chrono::month(parts.month),
                                   chrono::day(static_cast<unsigned>(parts.day))};
  if (!day.ok()) return std::nullopt;
  return chrono::sys_days(day).time_since_epoch().count() * int64_t{86'400} + parts.time;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
bool readFixed(std::string_view text, Parts& out) {
  Reader in(text);
  in.skipTo(", ");
  out.day = in.number(2);
  in.skip(" ");
  out.month = in.month();
  in.skip(" ");
  out.year = in.number(4);
  in.skip(" ");
  out.time = in.time();
  in.skip(" GMT");
  return in.done();
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
bool readShort(std::string_view text, int this_year, Parts& out) {
  Reader in(text);
  in.skipTo(", ");
  out.day = in.number(2);
  in.skip("-");
  out.month = in.month();
  in.skip("-");
  out.year = this_year / 100 * 100 + in.number(2);
  if (out.year > this_year + 50) out.year -= 100;
  in.skip(" ");
  out.time = in.time();
  in.skip(" GMT");
  return in.done();
}

// "Sun Nov  6 08:49:37 1994"
bool readAsctime(std::string_view text, Parts& out) {
  Reader in(text);
  in.skipTo(" ");
  out.month = in.month();
  in.skip(" ");
  out.day = in.number(2, true);
  in.skip(" ");
  out.time = in.time();
  in.skip(" ");
  out.year = in.number(4);
  return in.done();
}

}  // namespace

std::string formatHttpDate(int64_t seconds) {
  const chrono::year_month_day day = dayOf(seconds);
  const auto days = chrono::sys_days(day);
  const auto time = static_cast<int>(seconds - days.time_since_epoch().count() * int64_t{86'400});
  char out[64];
  const int size = std::snprintf(out, sizeof(out), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                                 kDays[chrono::weekday(days).c_encoding()].data(), static_cast<unsigned>(day.day()),
                                 kMonths[static_cast<unsigned>(day.month()) - 1].data(), static_cast<int>(day.year()),
                                 time / 3600, time / 60 % 60, time % 60);
  return {out, static_cast<size_t>(size)};
}

std::optional<int64_t> parseHttpDate(std::string_view text, int64_t now) {
  Parts parts;
  if (readFixed(text, parts)) return secondsOf(parts);
  if (readShort(text, static_cast<int>(dayOf(now).year()), parts)) return secondsOf(parts);
  if (readAsctime(text, parts)) return secondsOf(parts);
  return std::nullopt;
}

}  // namespace sluice::extensions::http_filters::file_server
