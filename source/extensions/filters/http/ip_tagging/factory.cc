#include "source/extensions/filters/http/ip_tagging/factory.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/ip_tagging/v3/ip_tagging.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/ip_tagging/filter.h"

namespace sluice::extensions::http_filters::ip_tagging {
namespace {

using Proto = envoy::extensions::filters::http::ip_tagging::v3::IPTagging;

void compileTag(const Proto::IPTag& proto, const config::FactoryContext& context, Settings& out) {
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

void compileHeader(const Proto::IpTagHeader& proto, const config::Context& at, Settings& out) {
  out.header = absl::AsciiStrToLower(proto.header());
  out.sanitize = proto.action() == Proto::IpTagHeader::SANITIZE;
  if (!config::isToken(out.header) || out.header == "host" || out.header == "content-length" ||
      out.header == "transfer-encoding") {
    at.child("header").error("is no header that may be changed; name one of your own");
  }
}

Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  Settings out;
  if (proto.request_type() == Proto::INTERNAL) out.request_type = RequestType::kInternal;
  if (proto.request_type() == Proto::EXTERNAL) out.request_type = RequestType::kExternal;
  if (const runtime::Snapshot* snapshot = context.services.runtime.get()) {
    out.enabled = snapshot->fraction("ip_tagging.http_filter_enabled", out.enabled);
  }
  for (int i = 0; i < proto.ip_tags_size(); ++i) {
    compileTag(proto.ip_tags(i), context.child("ip_tags", static_cast<size_t>(i)), out);
  }
  if (proto.has_ip_tag_header()) compileHeader(proto.ip_tag_header(), context.at.child("ip_tag_header"), out);
  out.no_hit = context.stats->counter(context.owner + "ip_tagging.no_hit");
  out.total = context.stats->counter(context.owner + "ip_tagging.total");
  return out;
}

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    const config::ErrorMark mark(context.at);
    Settings settings = compileSettings(static_cast<const Proto&>(message), context);
    if (mark.hit()) return nullptr;
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::ip_tagging
