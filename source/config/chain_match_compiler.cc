#include "source/config/chain_match_compiler.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::listener::v3::FilterChainMatch;

std::vector<net::Cidr> compileRanges(const google::protobuf::RepeatedPtrField<envoy::config::core::v3::CidrRange>& from,
                                     const Context& context, std::string_view field) {
  std::vector<net::Cidr> ranges;
  for (int i = 0; i < from.size(); ++i) {
    if (const auto range = compileCidr(from[i], context.child(field, i))) ranges.push_back(*range);
  }
  return ranges;
}

void compileServerName(const std::string& text, const Context& at, std::vector<std::string>& names) {
  std::string name = absl::AsciiStrToLower(text);
  const std::string_view plain = name.starts_with("*.") ? std::string_view(name).substr(2) : std::string_view(name);
  if (plain.empty() || plain.front() == '.' || plain.find('*') != plain.npos) {
    at.error(absl::StrCat("\"", text,
                          "\" is no server name; write a whole one such as "
                          "www.example.com or one with a ",
                          "wildcard for its first labels such as *.example.com"));
    return;
  }
  names.push_back(std::move(name));
}

}  // namespace

listener::ChainMatch compileChainMatch(const Proto& match, const Context& context) {
  listener::ChainMatch out;
  if (match.has_destination_port()) out.destination_port = static_cast<uint16_t>(match.destination_port().value());
  out.destination_ranges = compileRanges(match.prefix_ranges(), context, "prefix_ranges");
  for (int i = 0; i < match.server_names_size(); ++i) {
    compileServerName(match.server_names(i), context.child("server_names", i), out.server_names);
  }
  out.transport_protocol = match.transport_protocol();
  if (!out.transport_protocol.empty() && out.transport_protocol != "tls" && out.transport_protocol != "raw_buffer") {
    context.child("transport_protocol")
        .error(absl::StrCat("\"", out.transport_protocol, "\" is never detected; known: tls, raw_buffer"));
  }
  out.application_protocols.assign(match.application_protocols().begin(), match.application_protocols().end());
  out.direct_source_ranges = compileRanges(match.direct_source_prefix_ranges(), context, "direct_source_prefix_ranges");
  switch (match.source_type()) {
    case Proto::SAME_IP_OR_LOOPBACK:
      out.source_type = listener::SourceType::kSameIpOrLoopback;
      break;
    case Proto::EXTERNAL:
      out.source_type = listener::SourceType::kExternal;
      break;
    default:
      break;
  }
  out.source_ranges = compileRanges(match.source_prefix_ranges(), context, "source_prefix_ranges");
  out.source_ports.assign(match.source_ports().begin(), match.source_ports().end());
  return out;
}

}  // namespace sluice::config
