#include "source/extensions/filters/http/ext_proc/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/ext_proc/v3/ext_proc.pb.h"
#include "source/config/cel_compiler.h"
#include "source/config/grpc_service.h"
#include "source/config/http_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/ext_proc/filter.h"

namespace sluice::extensions::http_filters::ext_proc {
namespace {

namespace v3 = envoy::extensions::filters::http::ext_proc::v3;
using config::Context;
using v3::ProcessingMode;

BodyMode bodyMode(ProcessingMode::BodySendMode mode, const Context& at) {
  switch (mode) {
    case ProcessingMode::STREAMED:
      return BodyMode::kStreamed;
    case ProcessingMode::BUFFERED:
      return BodyMode::kBuffered;
    case ProcessingMode::BUFFERED_PARTIAL:
      return BodyMode::kBufferedPartial;
    case ProcessingMode::NONE:
      return BodyMode::kNone;
    default:
      at.error("is not supported yet; use NONE, STREAMED, BUFFERED or BUFFERED_PARTIAL");
      return BodyMode::kNone;
  }
}

Mode compileMode(const ProcessingMode& proto, const Context& at) {
  return {.request_headers = proto.request_header_mode() != ProcessingMode::SKIP,
          .response_headers = proto.response_header_mode() != ProcessingMode::SKIP,
          .request_body = bodyMode(proto.request_body_mode(), at.child("request_body_mode")),
          .response_body = bodyMode(proto.response_body_mode(), at.child("response_body_mode")),
          .request_trailers = proto.request_trailer_mode() == ProcessingMode::SEND,
          .response_trailers = proto.response_trailer_mode() == ProcessingMode::SEND};
}

Stats makeStats(const v3::ExternalProcessor& proto, const config::FactoryContext& context) {
  std::string base = absl::StrCat(context.owner, "ext_proc.");
  if (!proto.stat_prefix().empty()) absl::StrAppend(&base, proto.stat_prefix(), ".");
  const auto counter = [&](const char* name) { return context.stats->counter(base + name); };
  return {.streams_started = counter("streams_started"),
          .streams_failed = counter("streams_failed"),
          .messages_sent = counter("stream_msgs_sent"),
          .messages_received = counter("stream_msgs_received"),
          .spurious_messages = counter("spurious_msgs_received"),
          .failure_mode_allowed = counter("failure_mode_allowed"),
          .message_timeouts = counter("message_timeouts"),
          .rejected_header_mutations = counter("rejected_header_mutations")};
}

template <typename Names>
std::vector<NamedAttribute> compileAttributes(const Names& names, std::string_view field, const Context& at) {
  std::vector<NamedAttribute> out;
  for (int i = 0; i < names.size(); ++i) {
    out.push_back({names[i], config::compileCelScalar(names[i], at.child(field, static_cast<size_t>(i)))});
  }
  return out;
}

template <typename Names>
std::vector<std::string> texts(const Names& names) {
  return {names.begin(), names.end()};
}

Settings compileSettings(const v3::ExternalProcessor& proto, const config::FactoryContext& context) {
  const Context& at = context.at;
  Settings settings;
  if (proto.has_grpc_service()) {
    auto target = config::compileGrpcService(proto.grpc_service(), context.child("grpc_service"));
    if (target) settings.target = *std::move(target);
  } else {
    at.error("has no grpc_service; it names the processor");
  }
  settings.mode = compileMode(proto.processing_mode(), at.child("processing_mode"));
  settings.failure_mode_allow = proto.failure_mode_allow();
  settings.allow_mode_override = proto.allow_mode_override();
  settings.disable_immediate_response = proto.disable_immediate_response();
  if (proto.has_message_timeout()) settings.message_timeout = config::compileMilliseconds(proto.message_timeout());
  settings.max_message_timeout = config::compileMilliseconds(proto.max_message_timeout());
  if (proto.has_status_on_error()) {
    settings.status_on_error = static_cast<uint16_t>(proto.status_on_error().code());
    if (settings.status_on_error < 200) {
      at.child("status_on_error").error("is no final status; use 200 to 599");
    }
  }
  settings.rules = config::compileMutationRules(proto.mutation_rules(), at.child("mutation_rules"));
  config::Regexes regexes;
  const Context rules = at.child("forward_rules");
  settings.forward.allowed =
      config::compileNameMatcher(proto.forward_rules().allowed_headers(), rules.child("allowed_headers"), regexes);
  settings.forward.disallowed = config::compileNameMatcher(proto.forward_rules().disallowed_headers(),
                                                           rules.child("disallowed_headers"), regexes);
  const auto& metadata = proto.metadata_options();
  settings.forwarding_namespaces = texts(metadata.forwarding_namespaces().untyped());
  settings.receiving_namespaces = texts(metadata.receiving_namespaces().untyped());
  settings.request_attributes = compileAttributes(proto.request_attributes(), "request_attributes", at);
  settings.response_attributes = compileAttributes(proto.response_attributes(), "response_attributes", at);
  for (int i = 0; i < proto.allowed_override_modes_size(); ++i) {
    settings.override_modes.push_back(
        compileMode(proto.allowed_override_modes(i), at.child("allowed_override_modes", static_cast<size_t>(i))));
  }
  settings.stats = makeStats(proto, context);
  return settings;
}

class Factory : public config::RoutedHttpFilterOf<v3::ExternalProcessor, v3::ExtProcPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const v3::ExternalProcessor& proto,
                                   const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::ExtProcPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    auto settings = std::make_shared<RouteSettings>(proto.disabled());
    const auto& overrides = proto.overrides();
    const config::FactoryContext nested = context.child("overrides");
    if (overrides.has_processing_mode()) {
      settings->mode = compileMode(overrides.processing_mode(), nested.at.child("processing_mode"));
    }
    if (overrides.has_grpc_service()) {
      settings->target = config::compileGrpcService(overrides.grpc_service(), nested.child("grpc_service"));
    }
    const auto& metadata = overrides.metadata_options();
    if (metadata.has_forwarding_namespaces()) {
      settings->forwarding_namespaces = texts(metadata.forwarding_namespaces().untyped());
    }
    if (metadata.has_receiving_namespaces()) {
      settings->receiving_namespaces = texts(metadata.receiving_namespaces().untyped());
    }
    if (overrides.request_attributes_size() > 0) {
      settings->request_attributes = compileAttributes(overrides.request_attributes(), "request_attributes", nested.at);
    }
    if (overrides.response_attributes_size() > 0) {
      settings->response_attributes =
          compileAttributes(overrides.response_attributes(), "response_attributes", nested.at);
    }
    if (overrides.has_failure_mode_allow()) settings->failure_mode_allow = overrides.failure_mode_allow().value();
    return settings;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::ext_proc
