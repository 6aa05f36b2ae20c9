#include "source/cache/cache_control.h"

#include <algorithm>

#include "source/base/ascii.h"
#include "source/cache/list_reader.h"

namespace sluice::cache {
namespace {

using base::equalsLowered;
using http::Name;

constexpr seconds kMost{int64_t{1} << 31};

struct Directive {
  std::string_view name;
  std::string_view value;  // without quotes
};

// Calls `visit` with each directive of all fields; false if a field cannot be read.
template <typename Visit>
bool forEachDirective(const http::HeaderList& headers, Visit visit) {
  for (const http::Field& field : headers) {
    if (field.id != Name::kCacheControl) continue;
    ListReader reader(field.value);
    while (const auto member = reader.next()) {
      const size_t equals = member->find('=');
      Directive directive{http::withoutSpaces(member->substr(0, equals)), {}};
      if (equals != std::string_view::npos) directive.value = http::withoutSpaces(member->substr(equals + 1));
      if (directive.value.size() >= 2 && directive.value.front() == '"' && directive.value.back() == '"') {
        directive.value = directive.value.substr(1, directive.value.size() - 2);
      }
      visit(directive);
    }
    if (reader.broken()) return false;
  }
  return true;
}

// A number that cannot be read is 0; of two the smaller one counts.
void readSeconds(std::string_view value, std::optional<seconds>& out) {
  const seconds read = deltaSeconds(value).value_or(seconds(0));
  out = out ? std::min(*out, read) : read;
}

}  // namespace

std::optional<seconds> deltaSeconds(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = std::min(value * 10 + (c - '0'), int64_t{kMost.count()});
  }
  return seconds(value);
}

RequestDirectives RequestDirectives::of(const http::HeaderList& headers) {
  RequestDirectives out;
  if (!headers.has(Name::kCacheControl)) {
    const auto pragma = headers.get("pragma");
    out.no_cache = pragma && base::containsIgnoringCase(*pragma, "no-cache");
    return out;
  }
  const bool read = forEachDirective(headers, [&out](const Directive& directive) {
    const auto [name, value] = directive;
    if (equalsLowered(name, "no-store")) out.no_store = true;
    if (equalsLowered(name, "no-cache")) out.no_cache = true;
    if (equalsLowered(name, "only-if-cached")) out.only_if_cached = true;
    if (equalsLowered(name, "max-age")) readSeconds(value, out.max_age);
    if (equalsLowered(name, "min-fresh")) {
      const seconds wanted = deltaSeconds(value).value_or(kMost);
      out.min_fresh = std::max(out.min_fresh.value_or(wanted), wanted);
    }
  });
  if (!read) out.no_store = out.no_cache = true;
  return out;
}

ResponseDirectives ResponseDirectives::of(const http::HeaderList& headers) {
  ResponseDirectives out;
  const bool read = forEachDirective(headers, [&out](const Directive& directive) {
    const auto [name, value] = directive;
    if (equalsLowered(name, "no-store")) out.no_store = true;
    if (equalsLowered(name, "no-cache")) out.no_cache = true;
    if (equalsLowered(name, "private")) out.is_private = true;
    if (equalsLowered(name, "public")) out.is_public = true;
    if (equalsLowered(name, "must-revalidate") || equalsLowered(name, "proxy-revalidate")) out.must_revalidate = true;
    if (equalsLowered(name, "max-age")) readSeconds(value, out.max_age);
    if (equalsLowered(name, "s-maxage")) readSeconds(value, out.s_maxage);
    if (equalsLowered(name, "stale-while-revalidate")) readSeconds(value, out.stale_while_revalidate);
    if (equalsLowered(name, "stale-if-error")) readSeconds(value, out.stale_if_error);
  });
  if (!read) out.no_store = true;
  return out;
}

}  // namespace sluice::cache
