#include "source/config/chain_match_compiler.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::listener::v3::FilterChainMatch;

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
  out.destination_ranges = compileCidrs(match.prefix_ranges(), "prefix_ranges", context);
  for (int i = 0; i < match.server_names_size(); ++i) {
    compileServerName(match.server_names(i), context.child("server_names", i), out.server_names);
  }
  out.transport_protocol = match.transport_protocol();
  if (!out.transport_protocol.empty() && out.transport_protocol != "tls" && out.transport_protocol != "raw_buffer") {
    context.child("transport_protocol")
        .error(absl::StrCat("\"", out.transport_protocol, "\" is never detected; known: tls, raw_buffer"));
  }
  out.application_protocols.assign(match.application_protocols().begin(), match.application_protocols().end());
  out.direct_source_ranges = compileCidrs(match.direct_source_prefix_ranges(), "direct_source_prefix_ranges", context);
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
  out.source_ranges = compileCidrs(match.source_prefix_ranges(), "source_prefix_ranges", context);
  out.source_ports.assign(match.source_ports().begin(), match.source_ports().end());
  return out;
}

}  // namespace sluice::config
