#include "source/config/http1_options.h"

#include "absl/strings/str_cat.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb.h"
#include "source/config/any_type.h"

namespace sluice::config {

using envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
using http::NameCase;

NameCase compileNameCase(const envoy::config::core::v3::Http1ProtocolOptions& proto, const Context& context) {
  const auto& format = proto.header_key_format();
  if (format.has_proper_case_words()) return NameCase::kProper;
  if (!format.has_stateful_formatter()) return NameCase::kLower;
  const Context at = context.child("header_key_format").child("stateful_formatter").child("typed_config");
  const auto message = unpackAny(format.stateful_formatter().typed_config(), at);
  if (!message) return NameCase::kLower;
  if (message->GetDescriptor() != PreserveCaseFormatterConfig::descriptor()) {
    at.error(absl::StrCat(message->GetDescriptor()->full_name(), " does not configure forms of header names; known: ",
                          PreserveCaseFormatterConfig::descriptor()->full_name()));
    return NameCase::kLower;
  }
  const auto& config = static_cast<const PreserveCaseFormatterConfig&>(*message);
  const bool proper = config.formatter_type_on_envoy_headers() == PreserveCaseFormatterConfig::PROPER_CASE;
  return proper ? NameCase::kKeepElseProper : NameCase::kKeep;
}

}  // namespace sluice::config
