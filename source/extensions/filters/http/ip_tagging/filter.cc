#include "source/extensions/filters/http/ip_tagging/filter.h"

#include <set>
#include <string_view>

#include "source/filter/context.h"
#include "source/net/address.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::ip_tagging {
namespace {

// In the order of the configuration.
std::set<uint32_t> tagsOf(const TagSet& set, std::string_view client) {
  std::set<uint32_t> out;
  const auto address = net::Address::parse(client);
  if (!address.ok() || !address->isIp()) return out;
  set.ranges.visit(*address, [&out](const std::vector<uint32_t>& tags) {
    out.insert(tags.begin(), tags.end());
    return false;
  });
  return out;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (!filter::concerns(settings_.request_type, headers) || !context.sample(settings_.enabled)) {
    return filter::Next{};
  }
  const TagSet& set = settings_.file ? *settings_.file->get(context.worker()) : settings_.tags;
  const std::set<uint32_t> tags = tagsOf(set, context.info().downstream_remote_address);
  const bool removed = settings_.sanitize && headers.remove(settings_.header) > 0;
  context.count(settings_.total);
  std::string names;
  for (const uint32_t tag : tags) {
    if (!names.empty()) names += ',';
    names += set.tags[tag].name;
    context.count(set.tags[tag].hit);
  }
  if (tags.empty()) {
    context.count(settings_.no_hit);
  } else {
    headers.append(settings_.header, names);
  }
  // Routes may look at the header.
  if (removed || !tags.empty()) context.rematchRoute();
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::ip_tagging
