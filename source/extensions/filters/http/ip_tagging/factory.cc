#include "source/extensions/filters/http/ip_tagging/factory.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/ip_tagging/v3/ip_tagging.pb.h"
#include "source/config/followed_file.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/ip_tagging/filter.h"

namespace sluice::extensions::http_filters::ip_tagging {
namespace {

using envoy::config::core::v3::DataSource;
using Proto = envoy::extensions::filters::http::ip_tagging::v3::IPTagging;

void compileTag(const Proto::IPTag& proto, const config::FactoryContext& context, TagSet& out) {
  if (!config::isToken(proto.ip_tag_name())) {
    context.at.child("ip_tag_name").error("stands in a list of a header; use letters, digits and !#$%&'*+-.^_`|~ only");
    return;
  }
  const auto number = static_cast<uint32_t>(out.tags.size());
  out.tags.push_back({proto.ip_tag_name(),
                      context.stats->counter(absl::StrCat(context.owner, "ip_tagging.", proto.ip_tag_name(), ".hit"))});
  for (const net::Cidr& range : config::compileCidrs(proto.ip_list(), "ip_list", context.at)) {
    out.ranges.at(range).push_back(number);
  }
}

// Of the filter or of a file.
template <typename Tags>
TagSet compileTags(const Tags& proto, const config::FactoryContext& context) {
  TagSet out;
  if (proto.ip_tags().empty()) context.at.error("has no ip_tags; name one with its ranges");
  for (int i = 0; i < proto.ip_tags_size(); ++i) {
    compileTag(proto.ip_tags(i), context.child("ip_tags", static_cast<size_t>(i)), out);
  }
  return out;
}

// Null after reporting to the list of `context.at`, with places in the file.
std::shared_ptr<const TagSet> readTags(const DataSource& source, const config::FactoryContext& context) {
  const config::ErrorMark mark(context.at);
  config::Positions positions;
  Proto::IPTags proto;
  if (!config::readMessageFile(source, proto, positions, context.at)) return nullptr;
  TagSet tags = compileTags(proto, context.moved(config::Context(context.at.errors(), &positions)));
  return mark.hit() ? nullptr : std::make_shared<const TagSet>(std::move(tags));
}

void compileHeader(const Proto::IpTagHeader& proto, const config::Context& at, Settings& out) {
  out.header = absl::AsciiStrToLower(proto.header());
  out.sanitize = proto.action() == Proto::IpTagHeader::SANITIZE;
  if (!config::isSettableHeader(out.header)) {
    at.child("header").error("is no header that may be changed; name one of your own");
  }
}

Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  Settings out;
  if (proto.request_type() == Proto::INTERNAL) out.request_type = filter::RequestType::kInternal;
  if (proto.request_type() == Proto::EXTERNAL) out.request_type = filter::RequestType::kExternal;
  out.enabled = config::shareOf("ip_tagging.http_filter_enabled", context.services.runtime.get());
  if (proto.has_ip_tags_datasource() && !proto.ip_tags().empty()) {
    context.at.error("has both ip_tags and ip_tags_datasource; keep one of them");
  } else if (proto.has_ip_tags_datasource()) {
    const DataSource& source = proto.ip_tags_datasource();
    out.file =
        config::readAndFollow<TagSet>(source, {.what = "ip_tagging: the tags", .stats = context.owner + "ip_tagging."},
                                      context.child("ip_tags_datasource"),
                                      [source](const config::FactoryContext& read) { return readTags(source, read); });
  } else {
    out.tags = compileTags(proto, context);
  }
  if (proto.has_ip_tag_header()) compileHeader(proto.ip_tag_header(), context.at.child("ip_tag_header"), out);
  out.no_hit = context.stats->counter(context.owner + "ip_tagging.no_hit");
  out.total = context.stats->counter(context.owner + "ip_tagging.total");
  return out;
}

class Factory : public config::HttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::ip_tagging
