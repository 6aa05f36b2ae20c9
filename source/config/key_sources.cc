#include "source/config/key_sources.h"

#include "source/config/route_texts.h"

namespace sluice::config {
namespace {

using Proto = envoy::extensions::filters::http::api_key_auth::v3::KeySource;
using Place = filter::KeySource::Place;

filter::KeySource compileKeySource(const Proto& proto, const Context& at) {
  const int set = !proto.header().empty() + !proto.query().empty() + !proto.cookie().empty();
  if (set == 0) at.error("names no place; set header, query or cookie");
  if (set > 1) at.warn("names several places, of which the first counts (header, query, cookie); list them apart");
  if (!proto.header().empty()) return {Place::kHeader, compileHeaderName(proto.header(), at.child("header"))};
  if (!proto.query().empty()) return {Place::kQuery, proto.query()};
  return {Place::kCookie, proto.cookie()};
}

}  // namespace

std::vector<filter::KeySource> compileKeySources(const KeySourceList& list, const Context& context) {
  std::vector<filter::KeySource> out;
  for (int i = 0; i < list.size(); ++i) {
    out.push_back(compileKeySource(list[i], context.child("key_sources", static_cast<size_t>(i))));
  }
  return out;
}

}  // namespace sluice::config
