// Whatever requests and responses say: what is not for all is not kept, and what is sent are bytes that there are.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "source/cache/answer.h"
#include "source/cache/labels.h"
#include "source/cache/stored_response.h"
#include "source/cache/vary.h"

namespace {

using namespace sluice;
using namespace sluice::cache;

// Lines of "NAME:VALUE", those of the response behind an empty one.
void readFields(std::string_view& text, http::HeaderList& out) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty()) return;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    out.add(line.substr(0, colon), line.substr(colon + 1));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  base::Arena arena;
  http::RequestHeaders request(arena);
  http::ResponseHeaders response(arena);
  request.method = "GET";
  response.status = 200;
  readFields(text, request);
  readFields(text, response);

  const sluice::http::Date wall{seconds(1767225600)};
  const Time now{std::chrono::hours(1000)};
  if (const auto names = varyOf(response)) variantOf(*names, request);
  Labels tags;
  if (!addTags(response, {"cache-tag", "surrogate-key"}, tags)) tags.clear();
  for (const std::string& tag : tags) {
    if (!Selector::of({Purge::By::kTag, std::string_view(tag).substr(1)}, {}).takesAny(tags)) std::abort();
  }
  const auto stored = storable(response, {.requested = now, .received = now, .wall_received = wall});
  if (stored == nullptr) return 0;
  if (response.has(http::Name::kSetCookie) || ResponseDirectives::of(response).is_private) std::abort();
  if (stored->lifetime < seconds(0) || stored->initial_age < seconds(0)) std::abort();
  stored->body = std::make_shared<const std::string>("0123456789");
  const Answer answer = answerFrom(*stored, http::Conditions::of(request), now, wall, "hit");
  if (answer.begin > answer.end || answer.end > stored->body->size()) std::abort();
  if (answer.status == 206 && answer.begin == answer.end) std::abort();
  http::ResponseHeaders merged(arena);
  refresh(*stored, response, merged);
  return 0;
}
