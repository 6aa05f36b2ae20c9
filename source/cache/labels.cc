#include "source/cache/labels.h"

#include <algorithm>

#include "source/base/ascii.h"
#include "source/base/host_port.h"
#include "source/base/percent.h"
#include "source/base/text.h"

namespace sluice::cache {
namespace {

constexpr std::string_view kAddress = "a", kTag = "t";
constexpr std::string_view kBetweenTags = ", \t";

std::string_view withoutPort(std::string_view authority) {
  std::string_view host = base::splitHostPort(authority).host;
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

}  // namespace

std::string addressLabel(const Addressing& addressing, std::string_view authority, std::string_view path) {
  std::string counted;
  if (const size_t mark = path.find('?'); addressing.query && mark != std::string_view::npos) {
    counted = base::strCat(path.substr(0, mark), addressing.query(path.substr(mark + 1)));
    path = counted;
  }
  std::string label;
  label.reserve(kAddress.size() + authority.size() + path.size());
  label += kAddress;
  if (addressing.host) label += withoutPort(authority);
  base::lowerInPlace(label);
  for (size_t at = 0; at < path.size();) label += base::percentDecodedAt(path, at);
  return label;
}

bool addTags(const http::HeaderList& response, const std::vector<std::string>& names, Labels& out) {
  size_t count = 0;
  for (const http::Field& field : response) {
    if (std::find(names.begin(), names.end(), field.name) == names.end()) continue;
    std::string_view rest = field.value;
    for (size_t at; (at = rest.find_first_not_of(kBetweenTags)) != std::string_view::npos;) {
      rest.remove_prefix(at);
      const std::string_view tag = rest.substr(0, rest.find_first_of(kBetweenTags));
      rest.remove_prefix(tag.size());
      if (++count > kMaxTags) return false;
      out.push_back(base::strCat(kTag, tag));
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return true;
}

Selector Selector::of(const Purge& purge, const Addressing& addressing) {
  if (purge.by == Purge::By::kTag) return {base::strCat(kTag, purge.text)};
  const std::string_view host = purge.text.substr(0, purge.text.find_first_of("/?"));
  std::string_view path = purge.text.substr(host.size());
  const bool is_prefix = purge.by == Purge::By::kPrefix;
  if (is_prefix && addressing.query) path = path.substr(0, path.find('?'));  // half a parameter says nothing
  const bool needs_slash = path.empty() ? !is_prefix : path[0] == '?';
  return {addressLabel(addressing, host, base::strCat(needs_slash ? "/" : "", path)), is_prefix};
}

bool Selector::takesAny(const Labels& labels) const {
  const auto found = std::lower_bound(labels.begin(), labels.end(), text);
  return found != labels.end() && takes(*found);
}

}  // namespace sluice::cache
