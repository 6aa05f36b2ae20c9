#include "source/filter/header_changes.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/strings/ascii.h"

namespace sluice::filter {

using http::Name;

bool isFraming(Name id) {
  switch (id) {
    case Name::kConnection:
    case Name::kContentLength:
    case Name::kExpect:
    case Name::kHttp2Settings:
    case Name::kKeepAlive:
    case Name::kProxyConnection:
    case Name::kTe:
    case Name::kTrailer:
    case Name::kTransferEncoding:
    case Name::kUpgrade:
      return true;
    default:
      return false;
  }
}

bool NameMatcher::matches(std::string_view name) const {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const match::StringMatcher& pattern) { return pattern.matches(name); });
}

bool NameMatcher::matchesExactly(std::string_view name) const {
  return std::any_of(patterns.begin(), patterns.end(), [name](const match::StringMatcher& pattern) {
    return pattern.kind == match::StringMatcher::Kind::kExact && pattern.matches(name);
  });
}

bool MutationRules::allows(std::string_view lower) const {
  if (isFraming(lower)) return false;
  const auto matches = [lower](const match::Regex& regex) {
    return regex != nullptr && re2::RE2::FullMatch(re2::StringPiece(lower.data(), lower.size()), *regex);
  };
  if (matches(disallow)) return false;
  if (matches(allow)) return true;
  if (disallow_all) return false;
  if (disallow_system && lower.starts_with(':')) return false;
  if (!allow_all_routing && (lower == "host" || lower == ":authority" || lower == ":scheme" || lower == ":method")) {
    return false;
  }
  return allow_envoy || !lower.starts_with("x-envoy-");
}

namespace {

bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// Of a field, without white space at its ends.
bool isValue(std::string_view text) {
  if (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.back() == ' ' || text.back() == '\t')) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool isVisible(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c != 0x7f; });
}

// Sets a pseudo-header; false if there is none of that name or it cannot have this value.
bool setPseudo(http::RequestHeaders& headers, std::string_view name, std::string_view value) {
  base::Arena& arena = headers.arena();
  if (name == ":path") {
    if (headers.path.empty()) return false;  // CONNECT has none, and gets none
    if (!isVisible(value) || value[0] != '/' || value.find('#') != std::string_view::npos) return false;
    headers.path = arena.copy(value);
  } else if (name == ":method") {
    if (!isToken(value) || value == "CONNECT" || headers.method == "CONNECT") return false;
    headers.method = arena.copy(value);
  } else if (name == ":authority" || name == "host") {
    if (!isVisible(value) || value.find_first_of("/?#@,") != std::string_view::npos) return false;
    headers.authority = arena.copy(value);
  } else if (name == ":scheme") {
    if (value != "http" && value != "https") return false;
    headers.scheme = arena.copy(value);
  } else {
    return false;
  }
  return true;
}

bool setPseudo(http::ResponseHeaders& headers, std::string_view name, std::string_view value) {
  unsigned status = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), status);
  if (name != ":status" || error != std::errc() || end != value.data() + value.size()) return false;
  if (status < 200 || status > 599) return false;
  headers.status = static_cast<uint16_t>(status);
  headers.reason = {};
  return true;
}

bool setPseudo(http::Trailers&, std::string_view, std::string_view) {
  return false;
}

void setField(http::HeaderList& headers, std::string_view name, const HeaderChange& change) {
  const bool exists = headers.get(name).has_value();
  switch (change.action) {
    case HeaderChange::Action::kOverwrite:
      return headers.set(name, change.value);
    case HeaderChange::Action::kAppend:
      return headers.add(name, change.value);
    case HeaderChange::Action::kAddIfAbsent:
      if (!exists) headers.add(name, change.value);
      return;
    case HeaderChange::Action::kOverwriteIfExists:
      if (exists) headers.set(name, change.value);
      return;
  }
}

template <typename Headers>
Applied apply(const HeaderChanges& changes, const MutationRules& rules, Headers& headers) {
  Applied applied;
  const auto refuse = [&] {
    ++applied.refused;
    applied.failed |= rules.disallow_is_error;
  };
  for (const std::string& spelled : changes.remove) {
    const std::string name = absl::AsciiStrToLower(spelled);
    if (name.starts_with(':') || name == "host" || !rules.allows(name)) {
      refuse();
    } else {
      headers.remove(std::string_view(name));
    }
  }
  for (const HeaderChange& change : changes.set) {
    const std::string name = absl::AsciiStrToLower(change.name);
    const bool pseudo = name.starts_with(':') || name == "host";
    if (!rules.allows(name)) {
      refuse();
    } else if (pseudo ? !setPseudo(headers, name, change.value) : !isToken(name) || !isValue(change.value)) {
      ++applied.refused;
      applied.failed = true;  // a service that sends this is broken, or somebody speaks through it
    } else if (!pseudo) {
      setField(headers, name, change);
    }
  }
  return applied;
}

}  // namespace

Applied applyChanges(const HeaderChanges& changes, const MutationRules& rules, http::RequestHeaders& headers) {
  return apply(changes, rules, headers);
}

Applied applyChanges(const HeaderChanges& changes, const MutationRules& rules, http::ResponseHeaders& headers) {
  return apply(changes, rules, headers);
}

Applied applyTrailerChanges(const HeaderChanges& changes, const MutationRules& rules, http::Trailers& trailers) {
  return apply(changes, rules, trailers);
}

}  // namespace sluice::filter
