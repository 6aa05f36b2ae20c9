#include "source/config/local_reply_compiler.h"

#include <string>
#include <utility>
#include <vector>

#include "source/config/access_log_filter.h"
#include "source/config/format/substitution_format.h"
#include "source/config/route_mutations.h"
#include "source/filter/reply_rules.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::extensions::filters::network::http_connection_manager::v3;

// Null after an error.
std::shared_ptr<const stream::BodyFormat> compileBody(const envoy::config::core::v3::SubstitutionFormatString& format,
                                                      const Context& context) {
  absl::StatusOr<stream::BodyFormat> compiled = compileBodyFormat(format);
  if (compiled.ok()) return std::make_shared<const stream::BodyFormat>(*std::move(compiled));
  context.error(std::string(compiled.status().message()));
  return nullptr;
}

filter::ReplyRule compileRule(const v3::ResponseMapper& proto, const FactoryContext& context) {
  filter::ReplyRule out;
  out.filter = compileAccessLogFilter(proto.filter(), context.child("filter"));
  if (proto.has_status_code()) out.status = static_cast<uint16_t>(proto.status_code().value());
  if (proto.has_body()) {
    absl::StatusOr<std::string> body = readDataSource(proto.body());
    if (body.ok()) {
      out.body = *std::move(body);
    } else {
      context.at.child("body").error(std::string(body.status().message()));
    }
  }
  if (proto.has_body_format_override()) {
    out.format = compileBody(proto.body_format_override(), context.at.child("body_format_override"));
  }
  out.headers.add = compileHeaderAdditions(proto.headers_to_add(), "headers_to_add", context.at);
  return out;
}

}  // namespace

std::shared_ptr<const filter::ReplyMapper> compileLocalReply(const v3::LocalReplyConfig& config,
                                                             const FactoryContext& context) {
  std::vector<filter::ReplyRule> rules;
  for (int i = 0; i < config.mappers_size(); ++i) {
    rules.push_back(compileRule(config.mappers(i), context.child("mappers", static_cast<size_t>(i))));
  }
  std::shared_ptr<const stream::BodyFormat> format;
  if (config.has_body_format()) format = compileBody(config.body_format(), context.at.child("body_format"));
  return std::make_shared<const filter::ReplyRules>(std::move(rules), std::move(format));
}

}  // namespace sluice::config
