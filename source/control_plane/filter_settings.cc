#include "source/control_plane/filter_settings.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "source/base/text.h"

namespace sluice::control_plane {
namespace {

struct Use {
  const IntentFile* file;
  const HttpChain* chain;
};
using Uses = std::map<std::string_view, std::vector<Use>>;  // by the name of the table

Uses usesIn(const std::vector<IntentFilePtr>& files) {
  Uses uses;
  for (const IntentFilePtr& file : files) {
    for (const IntentResource& item : file->resources) {
      for (const HttpChain& chain : item.relations.chains) uses[chain.table].push_back({file.get(), &chain});
    }
  }
  return uses;
}

// Of clusters and routers for the same proxies.
std::set<std::string_view> upstreamFiltersFor(const IntentFile& table, const std::vector<IntentFilePtr>& files) {
  std::set<std::string_view> names;
  for (const IntentFilePtr& file : files) {
    if (!compatible(file->nodes, table.nodes)) continue;
    for (const IntentResource& item : file->resources) {
      names.insert(item.relations.upstream_filters.begin(), item.relations.upstream_filters.end());
    }
  }
  return names;
}

std::string quoted(const std::set<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) base::strAppend(text, text.empty() ? "'" : ", '", name, "'");
  return text;
}

}  // namespace

void checkFilterSettings(const std::vector<IntentFilePtr>& files, config::ErrorList& errors) {
  const Uses uses = usesIn(files);
  for (const IntentFilePtr& file : files) {
    for (const IntentResource& item : file->resources) {
      if (item.relations.settings.empty()) continue;
      const auto users = uses.find(item.resource->name);
      if (users == uses.end()) continue;
      std::set<std::string_view> filters;
      for (const Use& use : users->second) {
        if (compatible(use.file->nodes, file->nodes))
          filters.insert(use.chain->filters.begin(), use.chain->filters.end());
      }
      if (filters.empty()) continue;
      const std::set<std::string_view> upstream = upstreamFiltersFor(*file, files);
      for (const FilterSetting& setting : item.relations.settings) {
        if (filters.contains(setting.filter) || upstream.contains(setting.filter)) continue;
        const std::string_view near = config::nearestName(setting.filter, {filters.begin(), filters.end()});
        const Location& at = setting.location;
        errors.add({at.file, at.line, at.column, at.path, "",
                    base::strCat("no chain that uses route '", item.resource->name, "' has a filter named '",
                                 setting.filter, "'; it has no effect. The filters are ", quoted(filters),
                                 near.empty() ? "" : base::strCat("; did you mean '", near, "'?"))});
      }
    }
  }
}

}  // namespace sluice::control_plane
