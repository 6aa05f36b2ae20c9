#include "source/extensions/filters/network/http_connection_manager/factory_identity.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.pb.h"
#include "envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header.pb.h"
#include "envoy/extensions/http/original_ip_detection/xff/v3/xff.pb.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb.h"
#include "source/config/any_type.h"
#include "source/config/route_mutations.h"
#include "source/config/values.h"

namespace sluice::extensions::network_filters::http_connection_manager {
namespace {

using Proto = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using config::Context;
using envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
using envoy::extensions::http::original_ip_detection::custom_header::v3::CustomHeaderConfig;
using envoy::extensions::http::original_ip_detection::xff::v3::XffConfig;
using envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig;
using session::OriginDetection;

// Null: it is no T.
template <typename T>
const T* as(const google::protobuf::Message* message) {
  if (message == nullptr || message->GetDescriptor() != T::descriptor()) return nullptr;
  return static_cast<const T*>(message);
}

void refuseType(const google::protobuf::Message& message, std::string_view what, std::string_view known,
                const Context& context) {
  context.error(absl::StrCat(message.GetDescriptor()->full_name(), " does not configure ", std::string(what),
                             "; known: ", std::string(known)));
}

OriginDetection compileXff(const XffConfig& proto, const Context& context) {
  const bool by_ranges = proto.has_xff_trusted_cidrs();
  if (by_ranges && proto.xff_num_trusted_hops() > 0) {
    context.error("has both xff_num_trusted_hops and xff_trusted_cidrs; keep one of them");
  }
  const Context ranges = context.child("xff_trusted_cidrs");
  if (by_ranges && proto.xff_trusted_cidrs().cidrs().empty()) {
    ranges.child("cidrs").error("is empty, so no proxy is trusted; name their addresses");
  }
  return {.kind = by_ranges ? OriginDetection::Kind::kProxies : OriginDetection::Kind::kHops,
          .hops = proto.xff_num_trusted_hops(),
          .proxies = config::compileCidrs(proto.xff_trusted_cidrs().cidrs(), "cidrs", ranges),
          .adds_peer = proto.has_skip_xff_append() && !proto.skip_xff_append().value()};
}

OriginDetection compileCustomHeader(const CustomHeaderConfig& proto) {
  OriginDetection out{.kind = OriginDetection::Kind::kHeader,
                      .header = absl::AsciiStrToLower(proto.header_name()),
                      .may_be_internal = proto.allow_extension_to_set_address_as_trusted()};
  if (proto.has_reject_with_status()) {
    const auto code = static_cast<int>(proto.reject_with_status().code());
    out.refusal = code >= 400 && code < 600 ? static_cast<uint16_t>(code) : 403;
  }
  return out;
}

void compileDetections(const Proto& proto, const Context& context, session::HttpSettings& out) {
  if (proto.original_ip_detection_extensions_size() == 0) return;
  if (proto.use_remote_address().value() || proto.xff_num_trusted_hops() > 0) {
    context.child("original_ip_detection_extensions")
        .error(
            "cannot be used with use_remote_address or xff_num_trusted_hops, which say themselves who the client "
            "is; keep one of them");
  }
  for (int i = 0; i < proto.original_ip_detection_extensions_size(); ++i) {
    const Context at = context.child("original_ip_detection_extensions", i).child("typed_config");
    const auto message = config::unpackAny(proto.original_ip_detection_extensions(i).typed_config(), at);
    if (!message) continue;
    if (const auto* xff = as<XffConfig>(message.get())) {
      out.origin_detections.push_back(compileXff(*xff, at));
    } else if (const auto* header = as<CustomHeaderConfig>(message.get())) {
      out.origin_detections.push_back(compileCustomHeader(*header));
    } else {
      refuseType(
          *message, "detections of the client's address",
          absl::StrCat(CustomHeaderConfig::descriptor()->full_name(), ", ", XffConfig::descriptor()->full_name()), at);
    }
  }
}

void compileEarlyMutations(const Proto& proto, const Context& context, session::HttpSettings& out) {
  for (int i = 0; i < proto.early_header_mutation_extensions_size(); ++i) {
    const Context at = context.child("early_header_mutation_extensions", i).child("typed_config");
    const auto message = config::unpackAny(proto.early_header_mutation_extensions(i).typed_config(), at);
    if (!message) continue;
    const auto* mutation = as<HeaderMutation>(message.get());
    if (mutation == nullptr) {
      refuseType(*message, "early header mutations", HeaderMutation::descriptor()->full_name(), at);
      continue;
    }
    for (route::HeaderMutations& change : config::compileHeaderMutationList(mutation->mutations(), "mutations", at)) {
      out.early_mutations.push_back(std::move(change));
    }
  }
}

void compileRequestId(const Proto& proto, const Context& context) {
  if (!proto.has_request_id_extension()) return;
  const Context at = context.child("request_id_extension").child("typed_config");
  if (!proto.request_id_extension().has_typed_config()) {
    return at.error("is missing; name the message that configures request ids, or remove request_id_extension");
  }
  const auto message = config::unpackAny(proto.request_id_extension().typed_config(), at);
  if (message && as<UuidRequestIdConfig>(message.get()) == nullptr) {
    refuseType(*message, "request ids", UuidRequestIdConfig::descriptor()->full_name(), at);
  }
}

template <typename Ports>
std::vector<uint16_t> compilePorts(const Ports& ports, std::string_view field, const Context& context) {
  std::vector<uint16_t> out;
  for (int i = 0; i < ports.size(); ++i) {
    if (ports[i] == 0 || ports[i] > 65535) {
      context.child(field, i).error(absl::StrCat(ports[i], " is no port; write one of 1 to 65535"));
    }
    out.push_back(static_cast<uint16_t>(ports[i]));
  }
  return out;
}

void compileForwardProto(const Proto& proto, const Context& context, session::HttpSettings& out) {
  const auto& config = proto.forward_proto_config();
  const Context at = context.child("forward_proto_config");
  out.forward_proto.https = compilePorts(config.https_destination_ports(), "https_destination_ports", at);
  out.forward_proto.http = compilePorts(config.http_destination_ports(), "http_destination_ports", at);
  for (const uint16_t port : out.forward_proto.https) {
    if (std::find(out.forward_proto.http.begin(), out.forward_proto.http.end(), port) != out.forward_proto.http.end()) {
      at.error(absl::StrCat("port ", port, " is in both lists; keep it in one of them"));
    }
  }
}

void compileHost(const Proto& proto, const Context& context, session::HttpSettings& out) {
  out.strip_any_host_port = proto.strip_any_host_port();
  out.strip_matching_host_port = proto.strip_matching_host_port();
  out.strip_trailing_host_dot = proto.strip_trailing_host_dot();
  if (out.strip_any_host_port && out.strip_matching_host_port) {
    context.error("has both strip_any_host_port and strip_matching_host_port; keep one of them");
  }
}

}  // namespace

void compileIdentity(const Proto& proto, const config::Services& services, const Context& context,
                     session::HttpSettings& out) {
  if (proto.has_internal_address_config()) {
    const auto& config = proto.internal_address_config();
    out.internal_addresses = session::InternalAddresses{
        config::compileCidrs(config.cidr_ranges(), "cidr_ranges", context.child("internal_address_config")),
        config.unix_sockets()};
  }
  if (proto.add_user_agent().value()) {
    out.user_agent = std::make_shared<session::UserAgent>(session::UserAgent{services.node_cluster, services.node_id});
  }
  out.mapped_ipv4 = proto.represent_ipv4_remote_address_as_ipv4_mapped_ipv6();
  out.append_forwarded_port = proto.append_x_forwarded_port();
  out.scheme = proto.scheme_header_transformation().scheme_to_overwrite();
  out.match_upstream_scheme = proto.scheme_header_transformation().match_upstream();
  compileDetections(proto, context, out);
  compileEarlyMutations(proto, context, out);
  compileRequestId(proto, context);
  compileForwardProto(proto, context, out);
  compileHost(proto, context, out);
}

}  // namespace sluice::extensions::network_filters::http_connection_manager
