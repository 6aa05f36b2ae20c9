#include "source/cache/answer.h"

#include <algorithm>
#include <optional>

#include "source/base/text.h"
#include "source/cache/list_reader.h"

namespace sluice::cache {
namespace {

using http::Name;

std::string_view opaqueOf(std::string_view etag) {
  return etag.substr(etag.starts_with("W/") ? 2 : 0);
}

// (RFC 9110 section 13.1.2) By the weak comparison.
bool matchesAny(std::string_view list, std::string_view etag) {
  if (list == "*") return true;
  ListReader reader(list);
  while (const auto member = reader.next()) {
    if (!etag.empty() && opaqueOf(*member) == opaqueOf(etag)) return true;
  }
  return false;
}

bool isUnmodified(const StoredResponse& stored, const Conditions& conditions, http::Date now) {
  if (stored.status != 200) return false;
  if (!conditions.none_match.empty()) return matchesAny(conditions.none_match, stored.get("etag"));
  if (conditions.modified_since.empty()) return false;
  const auto since = http::parseDate(conditions.modified_since, now);
  const auto modified = http::parseDate(stored.get("last-modified"), now);
  return since && modified && *modified <= *since;
}

struct Part {
  size_t begin, end;  // nothing: it begins behind the end of the body
};

// The one range that is asked for; nullopt: the whole is sent. Several ones are not worth their multipart body.
// (RFC 9110 section 14.1.2)
std::optional<Part> partOf(std::string_view range, size_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!range.starts_with(kUnit)) return std::nullopt;
  range.remove_prefix(kUnit.size());
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first = ListReader::trimmed(range.substr(0, dash));
  const std::string_view last = ListReader::trimmed(range.substr(dash + 1));
  // Positions are numbers as seconds are, and bodies are smaller than the largest.
  const auto from = deltaSeconds(first), to = deltaSeconds(last);
  if ((!first.empty() && !from) || (!last.empty() && !to) || (!from && !to)) return std::nullopt;
  if (!from) {
    const size_t tail = std::min<size_t>(size, static_cast<size_t>(to->count()));
    return Part{size - tail, size};
  }
  if (to && *to < *from) return std::nullopt;
  const auto begin = static_cast<size_t>(from->count());
  const size_t end = to ? std::min<size_t>(size, static_cast<size_t>(to->count()) + 1) : size;
  return Part{begin, std::max(begin, end)};
}

bool rangeCounts(const StoredResponse& stored, const Conditions& conditions) {
  if (stored.status != 200 || conditions.range.empty()) return false;
  if (conditions.if_range.empty()) return true;
  // By the strong comparison; a date says too little of what changes twice in a second.
  const std::string_view etag = stored.get("etag");
  return etag.starts_with('"') && etag == conditions.if_range;
}

}  // namespace

Conditions Conditions::of(const http::RequestHeaders& request) {
  Conditions out;
  out.none_match = request.getAll("if-none-match").value_or("");
  out.modified_since = request.get("if-modified-since").value_or("");
  if (!request.isHead()) {
    out.range = request.getAll("range").value_or("");
    out.if_range = request.getAll("if-range").value_or("");
  }
  return out;
}

Answer answerFrom(const StoredResponse& stored, const Conditions& conditions, Time now, http::Date wall_now,
                  std::string_view cache_status) {
  const size_t size = stored.body->size();
  Answer out{.status = stored.status, .begin = 0, .end = size};
  for (const auto& field : stored.headers) out.headers.push_back(field);
  out.headers.emplace_back("age", base::strCat(stored.ageAt(now).count()));
  out.headers.emplace_back("cache-status",
                           base::strCat("sluice; ", cache_status, "; ttl=", stored.freshFor(now).count()));
  if (isUnmodified(stored, conditions, wall_now)) {
    out.status = 304;
    out.end = 0;
    std::erase_if(out.headers, [](const auto& field) {
      return field.first.starts_with("content-") && field.first != "content-location";
    });
    return out;
  }
  if (const auto part = rangeCounts(stored, conditions) ? partOf(conditions.range, size) : std::nullopt) {
    if (part->begin < part->end && part->begin < size) {
      out.status = 206;
      out.begin = part->begin;
      out.end = part->end;
      out.headers.emplace_back("content-range", base::strCat("bytes ", out.begin, "-", out.end - 1, "/", size));
    } else {
      out.status = 416;
      out.end = 0;
      std::erase_if(out.headers, [](const auto& field) { return field.first.starts_with("content-"); });
      out.headers.emplace_back("content-range", base::strCat("bytes */", size));
    }
  }
  if (out.status != 204) out.headers.emplace_back("content-length", base::strCat(out.end - out.begin));
  return out;
}

}  // namespace sluice::cache
