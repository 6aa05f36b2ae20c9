#include "source/config/upstream_filters.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.pb.h"
#include "source/config/any_type.h"
#include "source/config/filter_discovery.h"
#include "source/config/holding.h"
#include "source/config/http_filter_factory.h"
#include "source/config/registry.h"
#include "source/config/terminal_factory.h"

namespace sluice::config {
namespace {

using envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

constexpr const char* kEnd = "the chain has to end in envoy.filters.http.upstream_codec";

// One use: compiles one list.
class Compiler {
 public:
  Compiler(const HttpFilterList& list, const char* field, const FactoryContext& context)
      : list_(list), field_(field), context_(context), holding_(context) {}

  std::shared_ptr<const filter::ChainConfig> compile() {
    const ErrorMark mark(context_.at);
    // One more than of filters: the end is none.
    if (static_cast<size_t>(list_.size()) > filter::kMaxFilters + 1) {
      context_.at.child(field_).error(
          absl::StrCat(list_.size() - 1, " filters; at most ", filter::kMaxFilters, " are possible"));
      return nullptr;
    }
    for (int i = 0; i < list_.size(); ++i) compileOne(i);
    if (mark.hit() || entries_.empty()) return nullptr;
    return holding_.tie(std::make_shared<const filter::ChainConfig>(std::move(entries_)));
  }

 private:
  void compileOne(int index) {
    const HttpFilter& proto = list_[index];
    const bool last = index + 1 == list_.size();
    const Context at = context_.at.child(field_, static_cast<size_t>(index));
    const Context typed = at.child("typed_config");
    if (proto.has_config_discovery()) {
      if (last) at.error(absl::StrCat("filter '", proto.name(), "' is the last; ", kEnd));
      return compileDiscovered(proto, at.child("config_discovery"));
    }
    if (!proto.has_typed_config()) {
      return typed.error(
          absl::StrCat("filter '", proto.name(), "' has no typed_config; its message is what selects a filter"));
    }
    if (!last && proto.is_optional() && !isKnownType(proto.typed_config())) {
      return typed.warn(
          absl::StrCat("filter '", proto.name(), "' is left out: it is optional and its type is not known here"));
    }
    const std::unique_ptr<google::protobuf::Message> message = unpackAny(proto.typed_config(), typed);
    if (!message) return;
    if (message->GetDescriptor() == UpstreamCodec::descriptor()) {
      if (!last) at.error(absl::StrCat("filter '", proto.name(), "' ends the chain; nothing may stand behind it"));
      if (proto.disabled()) at.child("disabled").error("the end of the chain cannot be disabled; remove the field");
      return;
    }
    if (context_.services.registry.terminals.find(message->GetDescriptor()->full_name()) != nullptr) {
      return at.error(absl::StrCat("filter '", proto.name(), "' ends a connection manager's chain; ", kEnd));
    }
    if (last) at.error(absl::StrCat("filter '", proto.name(), "' is the last; ", kEnd));
    compileFilter(proto, at, typed);
  }

  void compileFilter(const HttpFilter& proto, const Context& at, const Context& typed) {
    const auto match = context_.services.registry.http_filters.resolve(proto.typed_config(), typed);
    if (!match) return;
    if (const std::string why(match.factory->upstreamRefusal()); !why.empty()) {
      return at.error(absl::StrCat("filter '", proto.name(), "' cannot be an upstream filter: ", why,
                                   "; put it into http_filters of the connection manager"));
    }
    add(proto, match.factory->compile(*match.config, holding_.context(typed, context_.owner, identityOf(proto))));
  }

  void compileDiscovered(const HttpFilter& proto, const Context& at) {
    const ErrorMark mark(at);
    const auto& types = proto.config_discovery().type_urls();
    for (int i = 0; i < types.size(); ++i) {
      const auto* const factory = context_.services.registry.http_filters.find(discoveredType(types[i]));
      if (factory == nullptr || factory->upstreamRefusal().empty()) continue;
      at.child("type_urls", static_cast<size_t>(i))
          .error(absl::StrCat("cannot be an upstream filter: ", std::string(factory->upstreamRefusal())));
    }
    if (mark.hit()) return;
    add(proto, compileDiscoveredFilter(proto.name(), proto.config_discovery(),
                                       holding_.context(at, context_.owner, identityOf(proto)))
                   .factory);
  }

  std::string identityOf(const HttpFilter& proto) {
    return absl::StrCat(context_.identity, "/", field_, "/", proto.name(), "#", named_[proto.name()]++);
  }
  void add(const HttpFilter& proto, std::shared_ptr<const filter::HttpFilterFactory> factory) {
    if (!factory) return;
    entries_.push_back(
        {proto.name(), std::move(factory), context_.services.filter_slots.slotOf(proto.name()), proto.disabled()});
  }

  const HttpFilterList& list_;
  const char* const field_;
  const FactoryContext& context_;
  Holding holding_;
  std::map<std::string, int> named_;
  std::vector<filter::ChainConfig::Entry> entries_;
};

}  // namespace

std::shared_ptr<const filter::ChainConfig> compileUpstreamFilters(const HttpFilterList& list, const char* field,
                                                                  const FactoryContext& context) {
  return Compiler(list, field, context).compile();
}

}  // namespace sluice::config
