#include "source/ctl/behaviour.h"

#include <algorithm>
#include <string_view>

#include "source/base/text.h"

namespace sluice::ctl {
namespace {

using explain::Explanation;
using explain::FilterPart;

std::string quoted(std::string_view text) {
  return base::strCat("'", text, "'");
}

std::string destinationOf(const Explanation& told) {
  if (told.answer) {
    return told.answer->location.empty() ? base::strCat("an answer ", told.answer->status)
                                         : base::strCat(told.answer->status, " to ", told.answer->location);
  }
  if (!told.forward) return "nothing";
  if (!told.forward->cluster.empty()) return quoted(told.forward->cluster);
  std::string out = "a split:";
  for (const explain::Share& share : told.forward->shares) {
    base::strAppend(out, " ", share.cluster.empty() ? "header " + share.header : share.cluster, " ", share.weight, "/",
                    share.total);
  }
  return out;
}

std::string headersText(const std::vector<explain::HeaderChange>& changes) {
  std::string out;
  for (const explain::HeaderChange& change : changes) {
    base::strAppend(out, out.empty() ? "" : ", ", change.action, " ", change.name);
    if (!change.value.empty()) base::strAppend(out, "=", change.value);
  }
  return out.empty() ? "none" : out;
}

std::string filtersText(const std::vector<FilterPart>& filters) {
  std::string out;
  for (const FilterPart& filter : filters) {
    if (filter.enabled) base::strAppend(out, out.empty() ? "" : ", ", filter.name);
  }
  return out.empty() ? "none" : out;
}

std::string bodyOf(const Explanation& told) {
  return told.answer ? told.answer->body : std::string();
}

// The explanation of what cannot be asked: who would serve it is not there.
std::string problemOf(const Told& told) {
  return told.ok() ? "served" : base::strCat("not told (", told.status().message(), ")");
}

// The n-th filter of a name is compared with the n-th.
const FilterPart* counterpart(const Explanation& after, const Explanation& before, const FilterPart& filter) {
  const auto named = [&filter](const FilterPart& other) { return other.name == filter.name; };
  const auto nth = std::count_if(before.filters.data(), &filter, named);
  std::ptrdiff_t seen = 0;
  for (const FilterPart& other : after.filters) {
    if (named(other) && seen++ == nth) return &other;
  }
  return nullptr;
}

// The proxy itself keeps the request from a host, or sends the client to where it is safe.
bool guards(const Explanation& told) {
  if (!told.answer) return false;
  return told.answer->status == 401 || told.answer->status == 403 || told.answer->location.starts_with("https://");
}

bool sameRules(const FilterPart& a, const FilterPart& b) {
  return a.type == b.type && a.settings == b.settings &&
         std::equal(a.rules.begin(), a.rules.end(), b.rules.begin(), b.rules.end(),
                    [](const auto& one, const auto& other) { return one.text == other.text; });
}

}  // namespace

std::vector<std::string> behaviourChanges(const Told& before, const Told& after) {
  std::vector<std::string> out;
  const auto compare = [&out](std::string_view what, const std::string& was, const std::string& is) {
    if (was != is) out.push_back(base::strCat(what, ": ", was, " becomes ", is));
  };
  if (!before.ok() || !after.ok()) {
    compare("request", problemOf(before), problemOf(after));
    return out;
  }
  compare("goes to", destinationOf(*before), destinationOf(*after));
  if (bodyOf(*before) != bodyOf(*after)) out.push_back("body of the answer: another one");
  if (before->forward && after->forward) {
    compare("path", before->forward->path, after->forward->path);
    compare("host", before->forward->authority, after->forward->authority);
    explain::ForwardPart was = *before->forward, is = *after->forward;
    for (explain::ForwardPart* part : {&was, &is}) {
      part->cluster.clear();
      part->decided_by.clear();
      part->shares.clear();
      part->path.clear();
      part->authority.clear();
    }
    if (was != is) out.push_back("timeouts, retries, priority, hashing or mirrors: others");
  }
  compare("request headers", headersText(before->request_changes), headersText(after->request_changes));
  compare("response headers", headersText(before->response_changes), headersText(after->response_changes));
  compare("filters", filtersText(before->filters), filtersText(after->filters));
  for (const FilterPart& filter : before->filters) {
    const FilterPart* const other = counterpart(*after, *before, filter);
    if (other != nullptr && filter.enabled && other->enabled && !sameRules(filter, *other)) {
      out.push_back(base::strCat("filter ", quoted(filter.name), ": other settings"));
    }
  }
  return out;
}

std::vector<std::string> protectionLost(const Told& before, const Told& after) {
  std::vector<std::string> out;
  if (!before.ok() || !after.ok() || (!after->forward && after->answer && after->answer->status >= 300)) return out;
  if (guards(*before) && !guards(*after)) {
    out.push_back(base::strCat("goes to: ", destinationOf(*before), " becomes ", destinationOf(*after)));
  }
  for (const FilterPart& filter : before->filters) {
    if (!filter.access || !filter.enabled) continue;
    const FilterPart* const other = counterpart(*after, *before, filter);
    const std::string name = base::strCat("filter ", quoted(filter.name));
    if (other == nullptr) {
      out.push_back(name + " is gone");
    } else if (!other->enabled) {
      out.push_back(base::strCat(name, " is off", other->why.empty() ? "" : base::strCat(": ", other->why)));
    } else if (!sameRules(filter, *other)) {
      out.push_back(name + " has other settings");
    }
  }
  return out;
}

}  // namespace sluice::ctl
