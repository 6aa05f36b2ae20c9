#include "source/extensions/filters/http/ip_tagging/factory.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/ip_tagging/v3/ip_tagging.pb.h"
#include "source/config/file_watch.h"
#include "source/config/http_filter_factory.h"
#include "source/config/loader.h"
#include "source/config/route_texts.h"
#include "source/config/runtime_compiler.h"
#include "source/config/validate.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/ip_tagging/filter.h"

namespace sluice::extensions::http_filters::ip_tagging {
namespace {

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
std::shared_ptr<const TagSet> readTags(const std::string& path, const config::FactoryContext& context) {
  const config::ErrorMark mark(context.at);
  config::Positions positions;
  Proto::IPTags proto;
  const config::Context at(context.at.errors(), &positions);
  if (!config::Loader(context.at.errors(), positions).loadFile(path, proto) || !config::validate(proto, at)) {
    return nullptr;
  }
  TagSet tags = compileTags(proto, context.moved(at));
  if (mark.hit()) return nullptr;
  if (worker::MainServices* const main = context.services.main) {
    main->cells.add(context.stats->counter(context.owner + "ip_tagging.reload_success"), 1);
  }
  return std::make_shared<const TagSet>(std::move(tags));
}

// What has gone wrong leaves the tags as they are.
void readAgain(const std::string& path, const config::FactoryContext& context, TagFile& file) {
  config::ErrorList errors;
  if (auto tags = readTags(path, context.moved(config::Context(errors)))) {
    file.tags.set(std::move(tags));
  } else if (context.services.logger != nullptr) {
    context.services.logger->warning("http", "IP tags: those that were read before hold: ", errors.toString());
  }
}

std::shared_ptr<const TagFile> compileFile(const envoy::config::core::v3::DataSource& proto,
                                           const config::FactoryContext& context) {
  if (proto.filename().empty()) {
    context.at.error("is no file; name one, or write the tags into ip_tags");
    return nullptr;
  }
  auto file = std::make_shared<TagFile>(context.services.local_slots);
  // Before the file is read, so that no change comes between.
  if (proto.has_watched_directory()) {
    config::FactoryContext later = context;
    later.init = nullptr;
    const auto on_change = [weak = std::weak_ptr(file), path = proto.filename(), later] {
      if (const auto file = weak.lock()) readAgain(path, later, *file);
    };
    file->watch = config::watchDirectory(proto.watched_directory().path(), context.services, on_change,
                                         context.at.child("watched_directory"));
  }
  auto tags = readTags(proto.filename(), context);
  if (!tags) return nullptr;
  file->tags.set(std::move(tags));
  return file;
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
    out.file = compileFile(proto.ip_tags_datasource(), context.child("ip_tags_datasource"));
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
