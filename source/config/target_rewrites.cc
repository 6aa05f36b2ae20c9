#include "source/config/target_rewrites.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/config/format/substitution_format.h"
#include "source/config/value_format.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;
using envoy::config::core::v3::SubstitutionFormatString;

// Of text or JSON.
class FormattedBody final : public route::ValueFormatter {
 public:
  explicit FormattedBody(FormatterPtr formatter) : formatter_(std::move(formatter)) {}
  void format(const stream::FormatContext& context, std::string& out) const override {
    formatter_->format(context, out);
  }

 private:
  const FormatterPtr formatter_;
};

// Part of a target, which `check` looks at as far as it is the same for all requests. Null after an error.
std::shared_ptr<const route::ValueFormatter> targetFormat(const std::string& text,
                                                          void (*check)(std::string_view, const Context&),
                                                          const Context& context) {
  auto formatter = compileValueFormat(text, context);
  if (!formatter) return nullptr;
  check(formatter->literals(), context);
  return std::make_shared<const FormattedValue>(*std::move(formatter));
}

void checkPathLiterals(std::string_view text, const Context& context) {
  checkPathText(text, context);
  if (text.find('?') == std::string_view::npos) return;
  context.error("holds '?', which no path may hold; the query of the request stays as it is, so remove it");
}

}  // namespace

void compileHostRewrite(const v3::RouteAction& config, const Context& context, Regexes& regexes,
                        route::ForwardSpec& out) {
  out.append_x_forwarded_host = config.append_x_forwarded_host();
  route::HostSource source;
  switch (config.host_rewrite_specifier_case()) {
    case v3::RouteAction::kHostRewriteLiteral:
      out.host_rewrite = config.host_rewrite_literal();
      checkHostText(config.host_rewrite_literal(), context.child("host_rewrite_literal"));
      return;
    case v3::RouteAction::kAutoHostRewrite:
      out.auto_host_rewrite = config.auto_host_rewrite().value();
      return;
    case v3::RouteAction::kHostRewriteHeader:
      source.header = absl::AsciiStrToLower(config.host_rewrite_header());
      if (source.header.empty()) return;
      checkMatchedHeader(source.header, context.child("host_rewrite_header"));
      break;
    case v3::RouteAction::kHostRewritePathRegex:
      source.of_path = regexes.hostRewrite(config.host_rewrite_path_regex(), context.child("host_rewrite_path_regex"));
      if (!source.of_path) return;
      break;
    case v3::RouteAction::kHostRewrite:
      if (config.host_rewrite().empty()) return;
      source.format = targetFormat(config.host_rewrite(), checkHostText, context.child("host_rewrite"));
      if (source.format == nullptr) return;
      break;
    case v3::RouteAction::HOST_REWRITE_SPECIFIER_NOT_SET:
      return;
  }
  out.host_source = std::move(source);
}

void compilePathFormat(const v3::RouteAction& config, const Context& context, route::ForwardSpec& out) {
  out.path_format = compilePathFormat(config.path_rewrite(), context.child("path_rewrite"));
  if (config.path_rewrite().empty() || (config.prefix_rewrite().empty() && !config.has_regex_rewrite())) return;
  context.child("path_rewrite")
      .error(absl::StrCat("stands beside ", config.prefix_rewrite().empty() ? "regex_rewrite" : "prefix_rewrite",
                          ", which rewrites the same path; keep one of them"));
}

std::shared_ptr<const route::ValueFormatter> compilePathFormat(const std::string& text, const Context& context) {
  return text.empty() ? nullptr : targetFormat(text, checkPathLiterals, context);
}

void compileBodyFormat(const SubstitutionFormatString& config, const Context& context, route::DirectResponseSpec& out) {
  absl::StatusOr<stream::BodyFormat> format = compileBodyFormat(config);
  if (!format.ok()) {
    context.error(std::string(format.status().message()));
    return;
  }
  out.body_format = std::make_shared<const FormattedBody>(std::move(format->formatter));
  if (format->content_type != stream::kPlainText) out.content_type = std::move(format->content_type);
}

}  // namespace sluice::config
