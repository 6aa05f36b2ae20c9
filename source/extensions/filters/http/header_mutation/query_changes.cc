#include "source/extensions/filters/http/header_mutation/query_changes.h"

#include <algorithm>
#include <string_view>

#include "source/base/percent.h"
#include "source/http/query.h"

namespace sluice::extensions::http_filters::header_mutation {
namespace {

using Action = QueryChange::Action;

class Query {
 public:
  // `query`: what stands behind the question mark.
  explicit Query(std::string_view query) {
    while (!query.empty()) parameters_.emplace_back(http::takeParameter(query).text);
  }

  void apply(const QueryChange& change, const stream::FormatContext& facts) {
    const auto first = find(change.name);
    const bool there = first != parameters_.end();
    if (!there) {
      if (change.action != Action::kRemove && change.action != Action::kOverwriteIfExists) add(change, facts);
    } else if (change.action == Action::kRemove) {
      removeFrom(first, change.name);
    } else if (change.action == Action::kAppendIfExistsOrAdd) {
      add(change, facts);
    } else if (change.action != Action::kAddIfAbsent) {
      *first = textOf(change, facts);
      removeFrom(first + 1, change.name);
    }
  }
  bool changed() const { return changed_; }

  void appendTo(std::string& path) const {
    char separator = '?';
    for (const std::string& parameter : parameters_) {
      path += separator;
      path += parameter;
      separator = '&';
    }
  }

 private:
  using Parameters = std::vector<std::string>;

  static bool isCalled(std::string_view parameter, std::string_view name) {
    return base::equalsPercentDecoded(parameter.substr(0, parameter.find('=')), name);
  }
  static std::string textOf(const QueryChange& change, const stream::FormatContext& facts) {
    std::string value;
    change.formatter->format(facts, value);
    return base::percentEncoded(change.name) + "=" + base::percentEncoded(value);
  }
  Parameters::iterator find(std::string_view name) {
    return std::find_if(parameters_.begin(), parameters_.end(),
                        [&](const std::string& parameter) { return isCalled(parameter, name); });
  }
  void add(const QueryChange& change, const stream::FormatContext& facts) {
    parameters_.push_back(textOf(change, facts));
    changed_ = true;
  }
  void removeFrom(Parameters::iterator at, std::string_view name) {
    changed_ = true;
    const auto called = [&](const std::string& parameter) { return isCalled(parameter, name); };
    parameters_.erase(std::remove_if(at, parameters_.end(), called), parameters_.end());
  }

  Parameters parameters_;  // as sent
  bool changed_ = false;
};

}  // namespace

void changeQuery(const std::vector<QueryChange>& changes, http::RequestHeaders& request,
                 const stream::FormatContext& facts) {
  if (changes.empty() || !request.path.starts_with('/')) return;
  Query query(http::queryOf(request.path).value_or(""));
  for (const QueryChange& change : changes) query.apply(change, facts);
  if (!query.changed()) return;
  std::string path(request.pathOnly());
  query.appendTo(path);
  request.path = request.arena().copy(path);
}

}  // namespace sluice::extensions::http_filters::header_mutation
