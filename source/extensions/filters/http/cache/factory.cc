#include "source/extensions/filters/http/cache/factory.h"

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/cache/v3/cache.pb.h"
#include "envoy/extensions/filters/http/cache_v2/v3/cache.pb.h"
#include "envoy/extensions/http/cache/simple_http_cache/v3/config.pb.h"
#include "envoy/extensions/http/cache_v2/simple_http_cache/v3/config.pb.h"
#include "sluice/extensions/caches/memory/v1/memory_cache.pb.h"
#include "source/base/ascii.h"
#include "source/config/any_type.h"
#include "source/config/http_filter_factory.h"
#include "source/config/rate_limits.h"
#include "source/config/route_texts.h"
#include "source/config/stable_bytes.h"
#include "source/extensions/filters/http/cache/filter.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::cache {
namespace {

using ConfigV1 = ::envoy::extensions::filters::http::cache::v3::CacheConfig;
using ConfigV2 = ::envoy::extensions::filters::http::cache_v2::v3::CacheV2Config;
using SimpleV1 = ::envoy::extensions::http::cache::simple_http_cache::v3::SimpleHttpCacheConfig;
using SimpleV2 = ::envoy::extensions::http::cache_v2::simple_http_cache::v3::SimpleHttpCacheV2Config;
using Memory = ::sluice::extensions::caches::memory::v1::MemoryCache;

constexpr size_t kDefaultBytes = size_t{64} << 20;

struct StoreConfig {
  size_t max_bytes = kDefaultBytes;
  std::string_view label;  // in stats, as Envoy's stores are called there
  std::vector<std::string> tag_headers = {"cache-tag", "surrogate-key"};  // of answers, in lower case
};

// Nullopt after an error, reported at `context`, which stands at typed_config.
template <typename Simple>
std::optional<StoreConfig> compileStore(const google::protobuf::Any& any, const config::Context& context) {
  if (any.type_url().empty()) {
    context.error("is needed: it says where answers are kept; name a store, or set `disabled`");
    return std::nullopt;
  }
  const auto message = config::unpackAny(any, context);
  if (message == nullptr) return std::nullopt;
  const auto* type = message->GetDescriptor();
  if (type == Simple::descriptor()) {
    constexpr bool kIsFirst = std::is_same_v<Simple, SimpleV1>;
    return StoreConfig{kDefaultBytes,
                       kIsFirst ? "envoy_extensions_http_cache_simple" : "envoy_extensions_http_cache_v2_simple"};
  }
  if (type == Memory::descriptor()) {
    const auto& memory = static_cast<const Memory&>(*message);
    StoreConfig out{memory.has_max_bytes() ? memory.max_bytes().value() : kDefaultBytes, "memory"};
    if (!memory.tag_headers().empty()) out.tag_headers = {memory.tag_headers().begin(), memory.tag_headers().end()};
    for (std::string& name : out.tag_headers) base::lowerInPlace(name);
    return out;
  }
  context.error(absl::StrCat("is a ", type->full_name(), ", which is no store of this filter; it takes ",
                             Simple::descriptor()->full_name(), " and ", Memory::descriptor()->full_name()));
  return std::nullopt;
}

template <typename Params>
KeyRules compileKey(const Params& params, const config::Context& context, config::Regexes& regexes) {
  KeyRules out{.exclude_scheme = params.exclude_scheme(), .exclude_host = params.exclude_host()};
  const auto compile = [&](const auto& protos, std::string_view field, std::vector<match::QueryMatcher>& matchers) {
    for (int i = 0; i < protos.size(); ++i) {
      matchers.push_back(config::compileQueryMatcher(protos[i], context.child(field, static_cast<size_t>(i)), regexes));
    }
  };
  compile(params.query_parameters_included(), "query_parameters_included", out.included);
  compile(params.query_parameters_excluded(), "query_parameters_excluded", out.excluded);
  return out;
}

Stats makeStats(std::string_view label, const observability::StatsScope& stats) {
  const auto counter = [&](const char* type) {
    return stats->counter(absl::StrCat("cache.event.cache_label.", std::string(label), ".event_type.", type));
  };
  return {.hit = counter("hit"),
          .miss = counter("miss"),
          .validate = counter("validate"),
          .failed_validation = counter("failed_validation"),
          .uncacheable = counter("uncacheable")};
}

template <typename Proto, typename Simple>
Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  Settings out;
  config::Regexes regexes;
  out.key = compileKey(proto.key_creator_params(), context.at.child("key_creator_params"), regexes);
  for (int i = 0; i < proto.allowed_vary_headers_size(); ++i) {
    auto matcher = regexes.stringMatcher(proto.allowed_vary_headers(i),
                                         context.at.child("allowed_vary_headers", static_cast<size_t>(i)));
    if (matcher.kind != match::StringMatcher::Kind::kRegex) base::lowerInPlace(matcher.text);  // as names are
    out.allowed_vary.push_back(std::move(matcher));
  }
  out.ignore_request_directives = proto.ignore_request_cache_control_header();
  if constexpr (std::is_same_v<Proto, ConfigV2>) out.upstream_cluster = proto.override_upstream_cluster();
  if (proto.disabled().value()) return out;
  auto store = compileStore<Simple>(proto.typed_config(), context.at.child("typed_config"));
  if (!store) return out;
  out.tag_headers = std::move(store->tag_headers);
  const std::string what =
      absl::StrCat("cache of ", store->max_bytes, " ", config::stableBytes(proto.key_creator_params()));
  out.store = context.shared<cache::Store>(what, store->max_bytes, out.key.addressing());
  out.flights = std::make_shared<const worker::WorkerLocal<cache::Flights>>(
      context.services.local_slots,
      [](worker::WorkerServices& worker) { return std::make_unique<cache::Flights>(worker.loop); });
  const size_t largest = out.store->largest();
  out.max_body = proto.max_body_bytes() == 0 ? largest : std::min<size_t>(largest, proto.max_body_bytes());
  out.stats = makeStats(store->label, context.stats);
  return out;
}

template <typename Proto, typename Simple>
class Factory : public config::HttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings<Proto, Simple>(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory<ConfigV1, SimpleV1>>());
  registry.http_filters.add(std::make_unique<Factory<ConfigV2, SimpleV2>>());
}

}  // namespace sluice::extensions::http_filters::cache
