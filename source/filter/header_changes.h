// Changes of headers that a service asks for while the exchange goes on, and the rules for what it may change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/route/matchers.h"

namespace sluice::filter {

// Belongs to one message on one connection: no service changes it, and it is copied to no other message.
bool isFraming(http::Name id);
inline bool isFraming(std::string_view lower) {
  return isFraming(http::nameOf(lower));
}

// Matches names of headers (proto: ListStringMatcher).
struct NameMatcher {
  std::vector<match::StringMatcher> patterns;

  bool empty() const { return patterns.empty(); }
  bool matches(std::string_view name) const;
  bool matchesExactly(std::string_view name) const;
};

struct HeaderChange {
  enum class Action : uint8_t { kOverwrite, kAppend, kAddIfAbsent, kOverwriteIfExists };
  std::string name;  // as sent
  std::string value;
  Action action = Action::kOverwrite;
};

struct HeaderChanges {
  std::vector<std::string> remove;
  std::vector<HeaderChange> set;

  bool empty() const { return remove.empty() && set.empty(); }
  // Reads a repeated HeaderValueOption. Without `append` or an action a header is replaced, as Envoy does with what
  // services send.
  template <typename Options>
  void read(const Options& options) {
    for (const auto& option : options) {
      using Action = HeaderChange::Action;
      Action action = Action::kOverwrite;
      if (option.has_append()) {
        if (option.append().value()) action = Action::kAppend;
      } else if (option.append_action() == option.ADD_IF_ABSENT) {
        action = Action::kAddIfAbsent;
      } else if (option.append_action() == option.OVERWRITE_IF_EXISTS) {
        action = Action::kOverwriteIfExists;
      }
      const auto& header = option.header();
      set.push_back({header.key(), header.raw_value().empty() ? header.value() : header.raw_value(), action});
    }
  }
};

// (proto: config.common.mutation_rules.v3.HeaderMutationRules) Framing is never changed, whatever they say.
struct MutationRules {
  bool allow_all_routing = false;  // host, :authority, :scheme, :method
  bool allow_envoy = false;        // x-envoy-*
  bool disallow_system = false;    // pseudo-headers
  bool disallow_all = false;
  match::Regex allow, disallow;  // null: none
  bool disallow_is_error = false;

  bool allows(std::string_view lower) const;
};

struct Applied {
  int refused = 0;
  bool failed = false;  // what the rules refuse is an error, or a name or value cannot stand in a message
};

// Removes, then sets in order. Pseudo-headers of requests and `:status` are set like fields; none can be removed.
Applied applyChanges(const HeaderChanges& changes, const MutationRules& rules, http::RequestHeaders& headers);
Applied applyChanges(const HeaderChanges& changes, const MutationRules& rules, http::ResponseHeaders& headers);
Applied applyTrailerChanges(const HeaderChanges& changes, const MutationRules& rules, http::Trailers& trailers);

}  // namespace sluice::filter
