#include "source/extensions/filters/http/set_metadata/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/set_metadata/v3/set_metadata.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/metadata_namespace.h"
#include "source/extensions/filters/http/set_metadata/filter.h"
#include "source/filter/metadata_struct.h"

namespace sluice::extensions::http_filters::set_metadata {
namespace {

namespace v3 = envoy::extensions::filters::http::set_metadata::v3;

Settings compileSettings(const v3::Config& proto, const config::FactoryContext& context) {
  Settings out;
  config::checkMetadataNamespace(proto.metadata_namespace(), context.at.child("metadata_namespace"));
  out.overwrite_denied = context.stats->counter(context.owner + "set_metadata.overwrite_denied");
  if (proto.metadata_namespace().empty() == proto.has_value()) {
    context.at.error("has one of metadata_namespace and value; both belong together, use `metadata`");
  } else if (proto.has_value()) {
    out.entries.push_back({proto.metadata_namespace(), true, filter::readStruct(proto.value())});
  }
  for (int i = 0; i < proto.metadata_size(); ++i) {
    const v3::Metadata& entry = proto.metadata(i);
    const config::Context at = context.at.child("metadata", static_cast<size_t>(i));
    if (!entry.has_value()) at.error("has no value; say what is to be set");
    config::checkMetadataNamespace(entry.metadata_namespace(), at.child("metadata_namespace"));
    out.entries.push_back({entry.metadata_namespace(), entry.allow_overwrite(), filter::readStruct(entry.value())});
  }
  return out;
}

class Factory : public config::RoutedHttpFilterOf<v3::Config> {
 public:
  config::HttpFilterPtr makeFilter(const v3::Config& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::Config& proto,
                                         const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::set_metadata
