#include "source/extensions/filters/http/transform/body_json.h"

#include <unordered_set>
#include <utility>

#include "source/base/json_slice.h"

namespace sluice::extensions::http_filters::transform {
namespace {

bool isObject(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{' && base::isJson(text);
}

// The member of that key becomes `at`, which is empty where there is none. False: there are two.
bool descend(std::string_view& at, const std::string& key) {
  std::string_view found;
  bool twice = false;
  base::forEachMember(at, [&](std::string_view name, std::string_view value) {
    if (base::unquoted(name) != key) return;
    twice = !found.empty();
    found = value;
  });
  at = found;
  return !twice;
}

std::optional<stream::BodyValue> valueOf(std::string_view text) {
  if (text.empty() || text == "null") return std::nullopt;
  if (text.front() == '"') return stream::BodyValue{base::unquoted(text)};
  return stream::BodyValue{base::compacted(text), true};
}

void addMember(std::string_view key, std::string_view value, std::string& out) {
  if (out.size() > 1) out += ',';
  out.append(key).append(":").append(value);
}

}  // namespace

std::optional<Values> readValues(std::string_view text, const std::vector<stream::BodyPath>& paths) {
  if (!isObject(text)) return std::nullopt;
  Values out;
  for (const stream::BodyPath& path : paths) {
    std::string_view at = text;
    for (const std::string& key : path) {
      if (!descend(at, key)) return std::nullopt;
    }
    out.push_back(valueOf(at));
  }
  return out;
}

std::optional<std::string> merged(std::string_view text, std::string_view changes) {
  if (!isObject(changes)) return std::nullopt;
  std::unordered_set<std::string> changed;
  bool twice = false;
  base::forEachMember(
      changes, [&](std::string_view key, std::string_view) { twice |= !changed.insert(base::unquoted(key)).second; });
  if (twice) return std::nullopt;

  std::string out = "{";
  base::forEachMember(text, [&](std::string_view key, std::string_view value) {
    if (changed.count(base::unquoted(key)) == 0) addMember(key, value, out);
  });
  base::forEachMember(changes, [&](std::string_view key, std::string_view value) { addMember(key, value, out); });
  out += '}';
  return out;
}

}  // namespace sluice::extensions::http_filters::transform
