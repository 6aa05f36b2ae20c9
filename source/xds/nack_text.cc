#include "source/xds/nack_text.h"

#include "absl/strings/str_cat.h"
#include "source/xds/resource_type.h"

namespace sluice::xds {
namespace {

constexpr absl::string_view kSeparator = "; ";
constexpr absl::string_view kCut = "...";
constexpr size_t kMinReason = 16;
constexpr size_t kMoreText = 32;  // room for "; and 1000 more"

std::string labelOf(std::string_view type, const ResourceError& error) {
  std::string label(type);
  if (!error.name.empty()) absl::StrAppend(&label, " \"", error.name, "\"");
  return label + ": ";
}

// The first `count`, each reason in at most `room` bytes. Longer than a NACK may be if they do not fit.
std::string joined(std::string_view type, const std::vector<ResourceError>& errors, size_t count, size_t room) {
  std::string text;
  for (size_t i = 0; i < count && text.size() <= kMaxNackText; ++i) {
    const std::string reason = errorText(errors[i]);
    const bool cut = reason.size() > room;
    absl::StrAppend(&text, text.empty() ? "" : kSeparator, labelOf(type, errors[i]),
                    cut ? validUtf8(reason, room - kCut.size()) : reason, cut ? kCut : "");
  }
  return text;
}

}  // namespace

std::string errorText(const ResourceError& error) {
  if (error.field_path.empty()) return error.rule;
  return absl::StrCat(error.field_path, ": ", error.rule);
}

std::string nackText(std::string_view type_url, const std::vector<ResourceError>& errors) {
  const std::string_view type = typeName(type_url);
  std::string text = joined(type, errors, errors.size(), kMaxNackText);
  if (text.size() <= kMaxNackText) return validUtf8(text, kMaxNackText);
  // Which resources were refused matters more than all of why: reasons are cut to what the names leave.
  size_t used = kMoreText;
  size_t named = 0;
  for (; named < errors.size(); ++named) {
    const size_t least = kSeparator.size() + labelOf(type, errors[named]).size() + kMinReason;
    if (named > 0 && used + least > kMaxNackText) break;
    used += least;
  }
  const size_t spare = used < kMaxNackText ? (kMaxNackText - used) / named : 0;
  text = joined(type, errors, named, kMinReason + spare);
  if (named < errors.size()) absl::StrAppend(&text, kSeparator, "and ", errors.size() - named, " more");
  return validUtf8(text, kMaxNackText);
}

}  // namespace sluice::xds
