#include "source/stream/filter_state.h"

#include <algorithm>

namespace sluice::stream {
namespace {

// With its length in front, so that no text can look like two.
void appendPart(std::string_view part, std::string& out) {
  out += std::to_string(part.size());
  out += ':';
  out += part;
}

}  // namespace

bool FilterState::set(std::string_view name, std::shared_ptr<Object> object, Options options) {
  auto* known = const_cast<Entry*>(find(name));
  if (known == nullptr) {
    entries_.push_back({std::string(name), std::move(object), options});
    return true;
  }
  if (known->options.read_only) return false;
  known->object = std::move(object);
  known->options = options;
  return true;
}

const FilterState::Entry* FilterState::find(std::string_view name) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [name](const Entry& one) { return one.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

std::shared_ptr<const FilterState> FilterState::shared() const {
  std::shared_ptr<FilterState> out;
  for (const Entry& one : entries_) {
    if (one.options.sharing == Sharing::kNone) continue;
    if (!out) out = std::make_shared<FilterState>();
    Entry& passed = out->entries_.emplace_back(one);
    if (one.options.sharing == Sharing::kOnce) passed.options.sharing = Sharing::kNone;
  }
  return out;
}

std::string FilterState::identity() const {
  std::string out;
  for (const Entry& one : entries_) {
    appendPart(one.name, out);
    appendPart(one.object->text(), out);
    out += static_cast<char>('0' + static_cast<int>(one.options.sharing));
    out += one.options.read_only ? 'r' : 'w';
  }
  return out;
}

}  // namespace sluice::stream
