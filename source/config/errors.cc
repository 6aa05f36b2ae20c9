#include "source/config/errors.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::config {

std::string ConfigError::toString() const {
  std::string text;
  if (!file.empty()) absl::StrAppend(&text, file, ":");
  if (line > 0) absl::StrAppend(&text, line, ":", column, ":");
  if (!text.empty()) text += ' ';
  if (!path.empty()) absl::StrAppend(&text, path, ": ");
  text += message;
  if (!rule.empty()) absl::StrAppend(&text, " (", rule, ")");
  return text;
}

void ErrorList::add(ConfigError error) {
  ++total_;
  if (errors_.size() < kMaxKept) errors_.push_back(std::move(error));
}

void ErrorList::addUnread(ConfigError error) {
  if (unread_.size() < kMaxKept) unread_.insert(error.path);
  add(std::move(error));
}

bool ErrorList::isUnread(std::string_view path) const {
  while (!unread_.empty() && !path.empty()) {
    if (unread_.contains(path)) return true;
    const size_t cut = path.find_last_of(".[");
    path = path.substr(0, cut == std::string_view::npos ? 0 : cut);
  }
  return false;
}

bool ErrorList::hasUnreadPart(std::string_view path) const {
  for (auto at = unread_.lower_bound(path); at != unread_.end() && at->starts_with(path); ++at) {
    const std::string_view rest = std::string_view(*at).substr(path.size());
    const bool is_part = path.empty() || rest.starts_with('.') || rest.starts_with('[');
    if (is_part && !rest.empty() && rest.find_first_of(".[", 1) == std::string_view::npos) return true;
  }
  return false;
}

void ErrorList::warn(ConfigError warning) {
  if (warnings_.size() < kMaxKept) warnings_.push_back(std::move(warning));
}

std::string ErrorList::toString() const {
  std::string text;
  for (const ConfigError& error : errors_) absl::StrAppend(&text, text.empty() ? "" : "\n", error.toString());
  if (total_ > errors_.size()) absl::StrAppend(&text, "\n... and ", total_ - errors_.size(), " more errors");
  return text;
}

absl::Status ErrorList::status() const {
  return empty() ? absl::OkStatus() : absl::InvalidArgumentError(toString());
}

void Positions::record(std::string_view path, std::string_view file, int line, int column) {
  // Few files: the newest is nearly always the one.
  auto found = std::find(files_.rbegin(), files_.rend(), file);
  if (found == files_.rend()) {
    files_.emplace_back(file);
    found = files_.rbegin();
  }
  const int index = static_cast<int>(files_.rend() - found) - 1;
  by_path_.insert_or_assign(std::string(path), Entry{index, line, column});
}

Position Positions::find(std::string_view path) const {
  std::string wanted(path);
  while (true) {
    if (const auto found = by_path_.find(wanted); found != by_path_.end()) {
      return {files_[found->second.file], found->second.line, found->second.column};
    }
    if (wanted.empty()) return {};
    const size_t cut = wanted.find_last_of(".[");
    wanted.resize(cut == std::string::npos ? 0 : cut);
  }
}

Context Context::child(std::string_view field) const {
  return Context(*errors_, positions_, path_.empty() ? std::string(field) : path_ + '.' + std::string(field));
}

Context Context::child(std::string_view field, size_t index) const {
  Context element = child(field);
  absl::StrAppend(&element.path_, "[", index, "]");
  return element;
}

Context Context::entry(std::string_view field, std::string_view key) const {
  Context element = child(field);
  element.path_.append("[\"").append(key).append("\"]");
  return element;
}

void Context::error(std::string_view message, std::string_view rule) const {
  errors_->add(make(message, rule));
}

void Context::warn(std::string_view message, std::string_view rule) const {
  errors_->warn(make(message, rule));
}

ConfigError Context::make(std::string_view message, std::string_view rule) const {
  ConfigError error;
  if (positions_ != nullptr) {
    const Position at = positions_->find(path_);
    error.file = at.file;
    error.line = at.line;
    error.column = at.column;
  }
  error.path = path_;
  error.rule = rule;
  error.message = message;
  return error;
}

namespace {

// Edit distance with early exit: anything above `limit` is `limit + 1`.
size_t editDistance(std::string_view a, std::string_view b, size_t limit) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > limit) return limit + 1;
  std::vector<size_t> row(a.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t j = 1; j <= b.size(); ++j) {
    size_t diagonal = row[0];
    row[0] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[i];
      row[i] = std::min({substituted, row[i] + 1, row[i - 1] + 1});
    }
    if (*std::min_element(row.begin(), row.end()) > limit) return limit + 1;
  }
  return row.back();
}

}  // namespace

std::string_view nearestName(std::string_view name, const std::vector<std::string_view>& candidates) {
  // A name from a hostile file may be long; nothing declared is.
  constexpr size_t kLongest = 200;
  if (name.empty() || name.size() > kLongest) return {};
  size_t limit = std::max<size_t>(2, name.size() / 3);
  std::string_view best;
  for (const std::string_view candidate : candidates) {
    const size_t distance = editDistance(name, candidate, limit);
    if (distance > limit || (distance == limit && !best.empty())) continue;
    best = candidate;
    limit = distance;
  }
  if (!best.empty() || name.size() < 4) return best;
  // One that was cut short: "tcp_backlog" for "tcp_backlog_size".
  const auto cut = std::find_if(candidates.begin(), candidates.end(), [name](std::string_view candidate) {
    return candidate.substr(0, name.size()) == name;
  });
  return cut == candidates.end() ? std::string_view() : *cut;
}

}  // namespace sluice::config
