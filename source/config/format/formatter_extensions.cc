#include "source/config/format/formatter_extensions.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "envoy/extensions/formatter/cel/v3/cel.pb.h"
#include "envoy/extensions/formatter/metadata/v3/metadata.pb.h"
#include "envoy/extensions/formatter/req_without_query/v3/req_without_query.pb.h"
#include "google/protobuf/message.h"
#include "source/base/text.h"
#include "source/config/any_type.h"

namespace sluice::config {
namespace {

// The message of an extension. One that brings operators has its row here and theirs in the table of operators.
using Extension = const google::protobuf::Descriptor* (*)();

constexpr Extension kExtensions[] = {
    envoy::extensions::formatter::cel::v3::Cel::descriptor,
    envoy::extensions::formatter::metadata::v3::Metadata::descriptor,
    envoy::extensions::formatter::req_without_query::v3::ReqWithoutQuery::descriptor,
};

std::string knownTypes() {
  std::string out;
  for (const Extension extension : kExtensions) {
    if (!out.empty()) out += ", ";
    out += extension()->full_name();
  }
  return out;
}

}  // namespace

absl::Status checkFormatters(
    const google::protobuf::RepeatedPtrField<envoy::config::core::v3::TypedExtensionConfig>& formatters) {
  for (int i = 0; i < formatters.size(); ++i) {
    const std::string type = describedType(formatters[i].typed_config());
    const bool known = std::any_of(std::begin(kExtensions), std::end(kExtensions),
                                   [&type](Extension extension) { return extension()->full_name() == type; });
    if (known) continue;
    return absl::InvalidArgumentError(base::strCat("formatters[", i, "].typed_config: '", type,
                                                   "' brings no operators to formats; known: ", knownTypes()));
  }
  return absl::OkStatus();
}

}  // namespace sluice::config
