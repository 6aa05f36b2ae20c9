#include "source/cache/answer.h"

#include "source/base/text.h"

namespace sluice::cache {
namespace {

// A date does not do for If-Range: it says too little of what changes twice in a second.
http::Representation wholeOf(const StoredResponse& stored, const http::Conditions& conditions, http::Date now) {
  http::Representation out{.etag = stored.get("etag"), .size = stored.body->size()};
  if (conditions.modified_since) out.modified = http::parseDate(stored.get("last-modified"), now);
  return out;
}

}  // namespace

Answer answerFrom(const StoredResponse& stored, const http::Conditions& conditions, Time now, http::Date wall_now,
                  std::string_view cache_status) {
  const http::Representation whole = wholeOf(stored, conditions, wall_now);
  Answer out{.status = stored.status, .begin = 0, .end = whole.size};
  out.headers.reserve(stored.headers.size() + 4);
  for (const auto& field : stored.headers) out.headers.push_back(field);
  out.headers.emplace_back("age", base::strCat(stored.ageAt(now).count()));
  out.headers.emplace_back("cache-status",
                           base::strCat("sluice; ", cache_status, "; ttl=", stored.freshFor(now).count()));
  if (stored.status == 200 && http::evaluate(conditions, whole, wall_now) == http::Verdict::kNotModified) {
    out.status = 304;
    out.end = 0;
    std::erase_if(out.headers, [](const auto& field) {
      return field.first.starts_with("content-") && field.first != "content-location";
    });
    return out;
  }
  const http::Range range = stored.status == 200 ? http::rangeOf(conditions, whole, wall_now) : http::Range{};
  if (range.kind == http::Range::Kind::kPart) {
    out.status = 206;
    out.begin = range.begin;
    out.end = range.end;
    out.headers.emplace_back("content-range", base::strCat("bytes ", out.begin, "-", out.end - 1, "/", whole.size));
  } else if (range.kind == http::Range::Kind::kUnsatisfiable) {
    out.status = 416;
    out.end = 0;
    std::erase_if(out.headers, [](const auto& field) { return field.first.starts_with("content-"); });
    out.headers.emplace_back("content-range", base::strCat("bytes */", whole.size));
  }
  if (out.status != 204) out.headers.emplace_back("content-length", base::strCat(out.end - out.begin));
  return out;
}

}  // namespace sluice::cache
