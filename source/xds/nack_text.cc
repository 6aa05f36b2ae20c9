#include "source/xds/nack_text.h"

#include "absl/strings/str_cat.h"
#include "source/xds/resource_type.h"

namespace sluice::xds {

std::string errorText(const ResourceError& error) {
  if (error.field_path.empty()) return error.rule;
  return absl::StrCat(error.field_path, ": ", error.rule);
}

std::string nackText(std::string_view type_url, const std::vector<ResourceError>& errors) {
  std::string text;
  const std::string_view type = typeName(type_url);
  for (const ResourceError& error : errors) {
    if (!text.empty()) text += "; ";
    text.append(type);
    if (!error.name.empty()) absl::StrAppend(&text, " \"", error.name, "\"");
    absl::StrAppend(&text, ": ", errorText(error));
    if (text.size() > kMaxNackText) break;  // the rest would be cut anyhow
  }
  return validUtf8(text, kMaxNackText);
}

}  // namespace sluice::xds
