#include "source/extensions/filters/listener/address_limit/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "sluice/extensions/filters/listener/address_limit/v1/address_limit.pb.h"
#include "source/config/listener_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/listener/address_limit/filter.h"

namespace sluice::extensions::listener_filters::address_limit {
namespace {

using Proto = ::sluice::extensions::filters::listener::address_limit::v1::AddressLimit;

class Factory : public config::ListenerFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext context) const override {
    const config::ErrorMark mark(context.at);
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    settings.max_connections = proto.max_connections();
    if (proto.has_ipv4_prefix_len()) settings.ipv4_prefix = proto.ipv4_prefix_len().value();
    if (proto.has_ipv6_prefix_len()) settings.ipv6_prefix = proto.ipv6_prefix_len().value();
    settings.exempt = config::compileCidrs(proto.exempt(), "exempt", context.at);
    settings.refused = context.stats->counter(absl::StrCat("address_limit.", proto.stat_prefix(), ".refused"));
    // Connections are given back as what they were counted as.
    settings.counts =
        context.shared<AddressCounts>(absl::StrCat("addresses by ", settings.ipv4_prefix, "/", settings.ipv6_prefix));
    if (mark.hit()) return nullptr;
    return std::make_shared<Filter>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.listener_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::listener_filters::address_limit
