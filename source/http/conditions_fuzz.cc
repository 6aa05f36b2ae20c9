// Lines of bytes -> the fields that conditions and ranges stand in: a part is always one of the file, and a date that
// is read is the one that it says when it is written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "source/http/conditions.h"

namespace {

using namespace sluice::http;

constexpr Date kNow(std::chrono::seconds(1'800'000'000));

void require(bool holds) {
  if (!holds) std::abort();
}

std::string_view takeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto date = parseDate(text.substr(0, text.find('\n')), kNow)) {
    require(parseDate(formatDate(*date), kNow) == *date);
  }
  sluice::base::Arena arena;
  RequestHeaders request(arena);
  for (const char* name :
       {"range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"}) {
    const std::string_view line = takeLine(text);
    if (!line.empty()) request.addView(name, line);
  }
  const Conditions conditions = Conditions::of(request);
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{1000}}) {
    const Representation file{"\"a\"", Date(std::chrono::seconds(784'111'777)), length, true};
    const Range range = rangeOf(conditions, file, kNow);
    if (range.kind == Range::Kind::kPart) require(range.begin < range.end && range.end <= length);
    (void)evaluate(conditions, file, kNow);
  }
  return 0;
}
