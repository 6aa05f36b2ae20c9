#include "source/control_plane/refusal.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sluice::control_plane {
namespace {

// Proxies cut their texts at 4096 bytes. Ours ends with "; and 7 more" then.
constexpr size_t kMaybeCut = 4000;

bool isNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-./|:@%~+#*").find(c) != std::string_view::npos || static_cast<unsigned char>(c) >= 0x80;
}

// `web: why`, `... web.`: what follows a name in a sentence, but not `web:80` or `web.example`.
bool endsName(std::string_view rest) {
  if (rest.empty() || !isNameCharacter(rest[0])) return true;
  if (rest[0] != ':' && rest[0] != '.') return false;
  return rest.size() == 1 || !isNameCharacter(rest[1]);
}

enum class Form { kLabel, kWord };

// Where `name` stands in `text`: as a label (`"web"`, `web:`), or as a word anywhere.
std::vector<size_t> places(std::string_view text, std::string_view name, Form form) {
  std::vector<size_t> found;
  if (name.empty()) return found;
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const std::string_view rest = text.substr(at + name.size());
    if ((at > 0 && isNameCharacter(text[at - 1])) || !endsName(rest)) continue;
    const bool quoted = at > 0 && !rest.empty() && (rest[0] == '"' || rest[0] == '\'') && text[at - 1] == rest[0];
    const bool labels = quoted || (!rest.empty() && rest[0] == ':');
    if (form == Form::kWord || labels) found.push_back(at);
  }
  return found;
}

// Longest names first, each taken out of the text: `web 2` is not about `web`.
std::set<std::string> namesIn(std::string text, const std::map<std::string, std::string>& versions, Form form) {
  std::vector<std::string_view> names;
  for (const auto& [name, version] : versions) {
    if (text.find(name) != std::string::npos) names.push_back(name);
  }
  std::stable_sort(names.begin(), names.end(), [](auto a, auto b) { return a.size() > b.size(); });
  std::set<std::string> found;
  for (const std::string_view name : names) {
    for (const size_t at : places(text, name, form)) {
      found.emplace(name);
      std::fill_n(text.begin() + static_cast<ptrdiff_t>(at), name.size(), '\1');
    }
  }
  return found;
}

// What sluice writes: `envoy.config.cluster.v3.Cluster "web": why; ...`.
std::set<std::string> namesInOurForm(ResourceType type, std::string_view text,
                                     const std::map<std::string, std::string>& versions) {
  std::string_view message = typeUrl(type);
  message.remove_prefix(message.find('/') + 1);
  std::set<std::string> found;
  for (const auto& [name, version] : versions) {
    const std::string label = absl::StrCat(absl::string_view(message.data(), message.size()), " \"", name, "\": ");
    const size_t at = text.find(label);
    if (at == 0 || (at != std::string_view::npos && text.substr(at - 2, 2) == "; ")) found.insert(name);
  }
  return found;
}

}  // namespace

std::set<std::string> refusedNames(ResourceType type, const std::map<std::string, std::string>& versions,
                                   std::string_view text) {
  std::set<std::string> named = namesInOurForm(type, text, versions);
  const bool ours = !named.empty();
  if (!ours) named = namesIn(std::string(text), versions, Form::kLabel);
  if (named.empty()) named = namesIn(std::string(text), versions, Form::kWord);
  const bool cut = ours ? text.ends_with(" more") : text.size() >= kMaybeCut;
  if (named.empty() || cut) {
    for (const auto& [name, version] : versions) named.insert(name);
  }
  return named;
}

}  // namespace sluice::control_plane
