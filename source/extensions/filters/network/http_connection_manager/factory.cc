#include "source/extensions/filters/network/http_connection_manager/factory.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/base/text.h"
#include "source/config/access_log_factory.h"
#include "source/config/filter_discovery.h"
#include "source/config/filter_routes.h"
#include "source/config/holding.h"
#include "source/config/http2_options.h"
#include "source/config/http_filter_factory.h"
#include "source/config/local_reply_compiler.h"
#include "source/config/network_filter_factory.h"
#include "source/config/scoped_routes.h"
#include "source/config/terminal_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/network/http_connection_manager/factory_client_cert.h"
#include "source/extensions/filters/network/http_connection_manager/factory_http1.h"
#include "source/extensions/filters/network/http_connection_manager/factory_identity.h"
#include "source/http/h1/codec.h"
#include "source/http/h2/codec.h"
#include "source/session/connection.h"
#include "source/session/http_stats.h"
#include "source/session/http_terminal.h"
#include "source/session/worker.h"

namespace sluice::extensions::network_filters::http_connection_manager {
namespace {

using Proto = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using Filters =
    google::protobuf::RepeatedPtrField<envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter>;
using HttpOptions = envoy::config::core::v3::HttpProtocolOptions;
using config::Context;
using config::Defaults;
using std::chrono::milliseconds;

constexpr session::CodecMakers kCodecs{http::h1::makeServerCodec, http::h2::makeServerCodec};

class HttpConnectionManager final : public session::HttpTerminal {
 public:
  using HttpTerminal::HttpTerminal;

  void serve(filter::Accepted accepted, worker::WorkerServices& worker,
             base::List<filter::LiveConnection>& list) const override {
    session::Connection::start(worker.part<session::SessionWorker>(), settings(), std::move(accepted), list, kCodecs);
  }
};

class Compiler {
 public:
  Compiler(const Proto& proto, config::FactoryContext context)
      : proto_(proto),
        owner_(absl::StrCat("http.", proto.stat_prefix(), ".")),
        identity_(std::move(context.identity)),
        context_(std::move(context.at)),
        services_(context.services),
        init_(context.init) {
    settings_->listener_name = std::move(context.listener);
    settings_->filter_chain_name = std::move(context.filter_chain);
    settings_->listener_metadata = std::move(context.listener_metadata);
  }

  std::shared_ptr<const filter::TerminalNetworkFilter> compile() {
    const config::ErrorMark mark(context_);
    settings_->stat_prefix = proto_.stat_prefix();
    settings_->stats = session::makeHttpStats(holding_.stats(), proto_.stat_prefix());
    compileOptions();
    compileIdentity(proto_, services_, context_, *settings_);
    compileClientCert(proto_, of(context_), *settings_);
    compileHttp1(proto_, services_.defaults, context_, *settings_);
    compileTimeouts();
    CompiledChain chain = compileFilters(proto_.http_filters(), "http_filters", context_);
    settings_->chain = std::move(chain.chain);
    settings_->terminal = std::move(chain.terminal);
    compileUpgradeChains();
    compileLogs();
    if (proto_.has_local_reply_config()) {
      settings_->reply_mapper =
          config::compileLocalReply(proto_.local_reply_config(), of(context_.child("local_reply_config")));
    }
    if (proto_.has_proxy_status_config()) compileProxyStatus();
    compileRoutes();
    if (mark.hit()) return nullptr;
    return std::make_shared<HttpConnectionManager>(holding_.tie(settings_));
  }

 private:
  bool edge() const { return services_.defaults == Defaults::kEdge; }

  void compileOptions() {
    session::HttpSettings& s = *settings_;
    switch (proto_.codec_type()) {
      case Proto::HTTP1:
        s.codec_type = session::CodecType::kHttp1;
        break;
      case Proto::HTTP2:
        s.codec_type = session::CodecType::kHttp2;
        break;
      case Proto::HTTP3:
        context_.child("codec_type").error("HTTP/3 is not served so far; use AUTO, HTTP1 or HTTP2");
        break;
      default:
        s.codec_type = session::CodecType::kAuto;
    }
    const config::Http2Options http2 =
        config::compileHttp2Options(proto_.http2_protocol_options(), !edge(), context_.child("http2_protocol_options"));
    s.http2 = http2.settings;
    const auto& h2 = proto_.http2_protocol_options();
    const bool stream_error = h2.has_override_stream_error_on_invalid_http_message()
                                  ? h2.override_stream_error_on_invalid_http_message().value()
                                  : h2.stream_error_on_invalid_http_messaging() ||
                                        !proto_.has_stream_error_on_invalid_http_message() ||
                                        proto_.stream_error_on_invalid_http_message().value();
    s.ends_at_invalid_message = !stream_error;
    if (h2.connection_keepalive().has_connection_idle_interval()) {
      context_.child("http2_protocol_options")
          .child("connection_keepalive")
          .child("connection_idle_interval")
          .warn("not used: it is about requests to hosts; write it into clusters");
    }
    s.keepalive_interval = http2.keepalive_interval;
    s.keepalive_timeout = http2.keepalive_timeout;
    s.keepalive_jitter_percent = http2.keepalive_jitter_percent;
    if (!edge()) s.server_name = "envoy";
    if (!proto_.server_name().empty()) s.server_name = proto_.server_name();
    switch (proto_.server_header_transformation()) {
      case Proto::APPEND_IF_ABSENT:
        s.server_header = session::ServerHeader::kAppendIfAbsent;
        break;
      case Proto::PASS_THROUGH:
        s.server_header = session::ServerHeader::kPassThrough;
        break;
      default:
        s.server_header = session::ServerHeader::kOverwrite;
    }
    s.via = proto_.via();
    s.use_remote_address = proto_.use_remote_address().value();
    s.xff_num_trusted_hops = proto_.xff_num_trusted_hops();
    s.skip_xff_append = proto_.skip_xff_append();
    s.generate_request_id = proto_.has_generate_request_id() ? proto_.generate_request_id().value() : true;
    s.preserve_external_request_id = proto_.preserve_external_request_id();
    s.always_set_request_id_in_response = proto_.always_set_request_id_in_response();
    s.normalize_path = proto_.has_normalize_path() ? proto_.normalize_path().value() : edge();
    s.merge_slashes = proto_.merge_slashes();
    switch (proto_.path_with_escaped_slashes_action()) {
      case Proto::REJECT_REQUEST:
        s.escaped_slashes = session::EscapedSlashes::kReject;
        break;
      case Proto::UNESCAPE_AND_REDIRECT:
        s.escaped_slashes = session::EscapedSlashes::kUnescapeAndRedirect;
        break;
      case Proto::UNESCAPE_AND_FORWARD:
        s.escaped_slashes = session::EscapedSlashes::kUnescapeAndForward;
        break;
      default:
        s.escaped_slashes = session::EscapedSlashes::kKeep;
    }

    for (int i = 0; i < proto_.upgrade_configs_size(); ++i) {
      const auto& upgrade = proto_.upgrade_configs(i);
      const Context at = context_.child("upgrade_configs", i);
      const std::string type = absl::AsciiStrToLower(upgrade.upgrade_type());
      if (type.empty()) at.child("upgrade_type").error("no type; write the protocol ('websocket') or CONNECT");
      for (const route::UpgradeSpec& other : s.upgrades) {
        if (other.type == type) at.error(absl::StrCat("says something of '", type, "' again; keep one of the entries"));
      }
      s.upgrades.push_back({type, !upgrade.has_enabled() || upgrade.enabled().value()});
    }

    http::CodecLimits& limits = s.codec_limits;
    limits.allow_upgrades = true;  // those that are not let through are answered, not ignored
    if (proto_.has_max_request_headers_kb()) limits.max_header_bytes = proto_.max_request_headers_kb().value() * 1024;
    const HttpOptions& common = proto_.common_http_protocol_options();
    if (common.has_max_headers_count()) limits.max_header_count = common.max_headers_count().value();
    s.max_requests_per_connection = common.max_requests_per_connection().value();
    switch (common.headers_with_underscores_action()) {
      case HttpOptions::REJECT_REQUEST:
        s.underscores = session::Underscores::kReject;
        break;
      case HttpOptions::DROP_HEADER:
        s.underscores = session::Underscores::kDrop;
        break;
      default:
        // ALLOW is the zero value: it cannot be told from an absent field, so options that are there at all count.
        s.underscores = edge() && !proto_.has_common_http_protocol_options() ? session::Underscores::kDrop
                                                                             : session::Underscores::kAllow;
    }
    s.strip_forwarded = edge();
    s.proxies_continue = proto_.proxy_100_continue();
    s.hides_client =
        proto_.has_add_proxy_protocol_connection_state() && !proto_.add_proxy_protocol_connection_state().value();
    if (proto_.append_local_overload()) {
      context_.child("append_local_overload")
          .warn("not used: overload refuses connections here, never requests, so there is no answer to append to");
    }
    if (!services_.report_only.empty()) reportOnly();
  }

  void reportOnly() {
    observability::Logger* const logger = services_.logger;
    const auto write = [logger](const std::string& line) {
      if (logger != nullptr) logger->warning("http", line);
    };
    settings_->codec_limits.report_only = services_.report_only;
    settings_->strict = std::make_shared<session::StrictReport>(
        holding_.stats(), owner_, services_.report_only, services_.objects.get<session::StrictLog>("strict", [&] {
          return std::make_shared<session::StrictLog>(write);
        }));
  }

  void compileTimeouts() {
    session::HttpSettings& s = *settings_;
    auto set = [](milliseconds& place, bool has, const google::protobuf::Duration& value) {
      if (has) place = config::compileMilliseconds(value);
    };
    if (edge()) s.request_headers_timeout = milliseconds(60'000);
    // Who says how long a request or a silence may last is not given a third limit.
    const bool chosen = proto_.has_stream_idle_timeout() || proto_.has_request_timeout();
    if (edge() && !chosen) s.request_body_timeout = milliseconds(60'000);
    set(s.stream_idle_timeout, proto_.has_stream_idle_timeout(), proto_.stream_idle_timeout());
    set(s.request_timeout, proto_.has_request_timeout(), proto_.request_timeout());
    set(s.request_headers_timeout, proto_.has_request_headers_timeout(), proto_.request_headers_timeout());
    set(s.delayed_close_timeout, proto_.has_delayed_close_timeout(), proto_.delayed_close_timeout());
    const HttpOptions& common = proto_.common_http_protocol_options();
    set(s.idle_timeout, common.has_idle_timeout(), common.idle_timeout());
    set(s.max_connection_duration, common.has_max_connection_duration(), common.max_connection_duration());
    s.max_connection_duration_jitter = common.max_connection_duration_jitter().value() / 100;
    s.closes_old_idle = !edge() && !proto_.http1_safe_max_connection_duration();
    set(s.drain_timeout, proto_.has_drain_timeout(), proto_.drain_timeout());
    s.drain_timeout_jitter = proto_.drain_timeout_jitter().value() / 100;
    if (proto_.has_stream_flush_timeout()) {
      s.stream_flush_timeout = config::compileMilliseconds(proto_.stream_flush_timeout());
    }
    if (common.has_max_response_headers_kb()) {
      context_.child("common_http_protocol_options")
          .child("max_response_headers_kb")
          .warn("not used: it is about answers of hosts; write it into the options of clusters");
    }
    set(s.max_stream_duration, common.has_max_stream_duration(), common.max_stream_duration());
  }

  void compileLogs() {
    settings_->access_logs = config::compileAccessLogs(proto_.access_log(), of(context_));
    const auto& options = proto_.access_log_options();
    const bool old_forms = proto_.has_access_log_flush_interval() || proto_.flush_access_log_on_new_request();
    if (proto_.has_access_log_options() && old_forms) {
      context_.child("access_log_options")
          .error("stands beside access_log_flush_interval or flush_access_log_on_new_request; keep the options only");
    }
    session::AccessLogTimes times;
    if (options.has_access_log_flush_interval()) {
      times.interval = config::compileMilliseconds(options.access_log_flush_interval());
    } else if (proto_.has_access_log_flush_interval()) {
      times.interval = config::compileMilliseconds(proto_.access_log_flush_interval());
    }
    times.on_request = options.flush_access_log_on_new_request() || proto_.flush_access_log_on_new_request();
    times.on_tunnel = options.flush_log_on_tunnel_successfully_established();
    const bool wanted = times.interval.count() > 0 || times.on_request || times.on_tunnel;
    if (wanted && !settings_->access_logs.empty()) settings_->log_times = times;
  }

  void compileProxyStatus() {
    const auto& proto = proto_.proxy_status_config();
    std::string_view name = settings_->server_name;
    if (proto.proxy_name_case() == Proto::ProxyStatusConfig::kLiteralProxyName) name = proto.literal_proxy_name();
    if (proto.use_node_id() && !services_.node_id.empty()) name = services_.node_id;
    settings_->proxy_status = std::make_shared<const session::ProxyStatus>(
        name, session::ProxyStatus::Options{
                  .details = !proto.remove_details(),
                  .termination_details = !proto.remove_connection_termination_details(),
                  .flags = !proto.remove_response_flags(),
                  .recommended_code = proto.set_recommended_response_code(),
              });
  }

  struct CompiledChain {
    std::shared_ptr<const filter::ChainSlot> chain;
    std::shared_ptr<const filter::TerminalConfig> terminal;
  };

  // The context stands at the message that has the list in `field`.
  CompiledChain compileFilters(const Filters& filters, std::string_view field, const Context& context) {
    CompiledChain out;
    const config::ErrorMark mark(context);
    std::vector<filter::ChainConfig::Entry> entries;
    std::string of_routes;  // the first that takes settings of routes
    const auto judgePlace = [&](const std::string& name, const config::HttpFilterConfigFactory& type,
                                const Context& at) {
      if (type.awaitsRoutes() && !of_routes.empty()) {
        at.warn(absl::StrCat("filter '", name, "' waits for routes; a request whose routes have settings for filter '",
                             of_routes, "' in front of it is answered 503; put it first"));
      }
      if (of_routes.empty() && !type.routeConfigType().empty()) of_routes = name;
    };
    const int count = filters.size();
    if (count == 0) context.child(field).error("the chain is empty; it has to end in envoy.filters.http.router");
    if (static_cast<size_t>(count) > filter::kMaxFilters) {
      context.child(field).error(absl::StrCat(count, " filters; at most ", filter::kMaxFilters, " are possible"));
      return out;
    }
    for (int i = 0; i < count; ++i) {
      const auto& proto = filters[i];
      const Context at = context.child(field, i);
      if (proto.has_config_discovery()) {
        if (i + 1 == count) at.error("is discovered, and such a filter cannot end the chain; put the router behind it");
        const auto* const type = compileDiscovered(proto, at, entries);
        if (type != nullptr) judgePlace(proto.name(), *type, at);
        continue;
      }
      if (!proto.has_typed_config()) {
        at.child("typed_config")
            .error(
                absl::StrCat("filter '", proto.name(), "' has no typed_config; its message is what selects a filter"));
        continue;
      }
      const Context typed = at.child("typed_config");
      if (proto.is_optional() && !config::isKnownType(proto.typed_config())) {
        typed.warn(
            absl::StrCat("filter '", proto.name(), "' is left out: it is optional and its type is not known here"));
        continue;
      }
      std::unique_ptr<google::protobuf::Message> message = config::unpackAny(proto.typed_config(), typed);
      if (!message) continue;
      const std::string& type = message->GetDescriptor()->full_name();
      if (const auto* terminal = services_.registry.terminals.find(type)) {
        if (i + 1 != count) {
          at.error(absl::StrCat("filter '", proto.name(), "' is terminal and has to be the last of the chain"));
        }
        if (proto.disabled()) at.child("disabled").error("a terminal filter cannot be disabled; remove the field");
        chain_.emplace(proto.name(), nullptr);
        out.terminal = terminal->compile(*message, of(typed));
        continue;
      }
      const auto match = services_.registry.http_filters.resolve(proto.typed_config(), typed);
      if (!match) continue;
      config::ChainFilter& known = chain_.emplace(proto.name(), match.factory).first->second;
      judgePlace(proto.name(), *match.factory, at);
      if (i + 1 == count) {
        at.error(absl::StrCat(
            "filter '", proto.name(),
            "' is the last of the chain but not terminal; the chain has to end in envoy.filters.http.router"));
      }
      std::shared_ptr<const filter::HttpFilterFactory> factory =
          match.factory->compile(*match.config, of(typed, absl::StrCat(proto.name(), "#", named_[proto.name()]++)));
      if (!factory) continue;
      if (known.filter == nullptr && known.factory == match.factory) known.filter = factory;
      const bool always = isAlways(proto, match.factory->switchRefusal(factory.get()), at);
      entries.push_back(
          {proto.name(), std::move(factory), services_.filter_slots.slotOf(proto.name()), proto.disabled(), always});
    }
    if (out.terminal == nullptr && !mark.hit()) {  // the last one was left out
      context.child(field).error("the chain has no end; it has to end in envoy.filters.http.router");
    }
    out.chain = filter::fixedChain(std::move(entries));
    return out;
  }

  // Null after an error. (proto: HttpFilter.config_discovery)
  template <typename HttpFilter>
  const config::HttpFilterConfigFactory* compileDiscovered(const HttpFilter& proto, const Context& at,
                                                           std::vector<filter::ChainConfig::Entry>& entries) {
    const Context source = at.child("config_discovery");
    auto discovered = config::compileDiscoveredFilter(
        proto.name(), proto.config_discovery(), of(source, absl::StrCat(proto.name(), "#", named_[proto.name()]++)));
    if (!discovered.factory) return nullptr;
    chain_.emplace(proto.name(), discovered.type);
    const bool always = isAlways(proto, config::discoveredSwitchRefusal(proto.config_discovery(), services_, at), at);
    entries.push_back({proto.name(), std::move(discovered.factory), services_.filter_slots.slotOf(proto.name()),
                       proto.disabled(), always});
    return discovered.type;
  }

  // `refusal`: HttpFilterConfigFactory::switchRefusal().
  template <typename HttpFilter>
  static bool isAlways(const HttpFilter& proto, std::string_view refusal, const Context& at) {
    if (refusal.empty()) return false;
    if (proto.disabled()) at.child("disabled").error(base::strCat("disables the filter: ", refusal));
    return true;
  }

  // Filters that no request of http_filters may go round are missed where an upgrade has others.
  void warnOfMissing(const Filters& filters, const Context& at) const {
    if (settings_->chain == nullptr) return;
    for (const auto& entry : settings_->chain->first().entries()) {
      const auto named = [&](const auto& filter) { return filter.name() == entry.name; };
      if (!entry.always || std::any_of(filters.begin(), filters.end(), named)) continue;
      at.child("filters").warn(
          absl::StrCat("has no filter '", entry.name, "', so that requests of this upgrade go round it; add it"));
    }
  }

  void compileUpgradeChains() {
    for (int i = 0; i < proto_.upgrade_configs_size(); ++i) {
      const auto& upgrade = proto_.upgrade_configs(i);
      if (upgrade.filters_size() == 0) continue;
      const Context at = context_.child("upgrade_configs", i);
      CompiledChain chain = compileFilters(upgrade.filters(), "filters", at);
      warnOfMissing(upgrade.filters(), at);
      settings_->upgrade_chains.push_back(
          {absl::AsciiStrToLower(upgrade.upgrade_type()), std::move(chain.chain), std::move(chain.terminal)});
    }
  }

  void compileRoutes() {
    if (proto_.has_rds()) {
      const Context at = context_.child("rds");
      if (proto_.rds().route_config_name().empty()) {
        return at.child("route_config_name").error("no name; the control plane has to know which routes are meant");
      }
      auto slot = services_.route_slots.rds(proto_.rds().route_config_name(), proto_.rds().config_source(), init_,
                                            at.child("config_source"));
      if (slot != nullptr) warnOfTable(*slot, at);
      settings_->route_slot = services_.route_slots.usedBy(std::move(slot), chain_, proto_.stat_prefix());
      return;
    }
    if (proto_.has_scoped_routes()) return compileScopes();
    std::shared_ptr<const route::Table> table = config::compileRoutes(
        proto_.route_config(), context_.child("route_config"), services_, &chain_, owner_, identity_ + "/route_config");
    if (table) settings_->route_slot = services_.route_slots.inlineTable(std::move(table));
  }

  // The table that is there already may be on its way to another that fits: filters hold, whatever it says.
  void warnOfTable(const route::TableSlot& slot, const Context& at) const {
    const std::shared_ptr<const route::Table> table = services_.route_slots.tableOf(slot);
    if (table == nullptr) return;
    config::ErrorList errors;
    config::checkSettings(*table, chain_, services_.filter_slots, Context(errors));
    for (const config::ConfigError& error : errors.errors()) {
      at.warn(base::strCat("the present table does not fit the filters: ", error.path, ": ", error.message));
    }
  }

  void compileScopes() {
    const Context at = context_.child("scoped_routes");
    std::optional<config::CompiledScopes> scopes =
        config::compileScopedRoutes(proto_.scoped_routes(), at, services_, chain_, owner_, identity_);
    if (!scopes || services_.scopes == nullptr) return;
    settings_->scopes = services_.scopes->scopes(*std::move(scopes), chain_, proto_.stat_prefix(), init_, at);
  }

  // For the parts of this connection manager.
  config::FactoryContext of(const Context& at, std::string_view part = {}) const {
    return holding_.context(at, owner_, absl::StrCat(identity_, "/", std::string(part)));
  }

  const Proto& proto_;
  const std::string owner_, identity_;
  const Context context_;
  config::Services& services_;
  config::InitTargets* const init_;
  config::Holding holding_{services_, init_};
  config::ChainFilters chain_;
  std::map<std::string, int> named_;  // how many filters of a name there were so far
  std::shared_ptr<session::HttpSettings> settings_ = std::make_shared<session::HttpSettings>();
};

class Factory : public config::NetworkFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    return Compiler(static_cast<const Proto&>(message), std::move(context)).compile();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.network_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::http_connection_manager
