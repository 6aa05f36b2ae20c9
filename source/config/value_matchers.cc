#include "source/config/value_matchers.h"

#include <cmath>
#include <optional>
#include <utility>

#include "source/config/values.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::type::matcher::v3;
using Kind = match::MetadataValueMatcher::Kind;

void number(const v3::DoubleMatcher& config, const Context& context, match::MetadataValueMatcher& out) {
  if (config.match_pattern_case() == v3::DoubleMatcher::kRange) {
    out.kind = Kind::kRange;
    out.start = config.range().start();
    out.end = config.range().end();
    if (!(out.start < out.end)) {
      context.child("range").error("is empty; `start` is the lowest number and `end` the first one behind the range");
    }
    return;
  }
  if (config.match_pattern_case() == v3::DoubleMatcher::MATCH_PATTERN_NOT_SET) {
    context.error("needs one of range or exact");
  }
  out.kind = Kind::kNumber;
  out.start = config.exact();
  if (std::isnan(out.start)) context.child("exact").error("is no number, which equals none");
}

}  // namespace

match::MetadataValueMatcher compileValueMatcher(const v3::ValueMatcher& config, const Context& context,
                                                Regexes& regexes) {
  match::MetadataValueMatcher out;
  switch (config.match_pattern_case()) {
    case v3::ValueMatcher::kNullMatch:
      (void)config.null_match();
      out.kind = Kind::kNull;
      break;
    case v3::ValueMatcher::kDoubleMatch:
      number(config.double_match(), context.child("double_match"), out);
      break;
    case v3::ValueMatcher::kStringMatch:
      out.kind = Kind::kString;
      out.string = regexes.stringMatcher(config.string_match(), context.child("string_match"));
      break;
    case v3::ValueMatcher::kBoolMatch:
      out.kind = Kind::kBool;
      out.flag = config.bool_match();
      break;
    case v3::ValueMatcher::kPresentMatch:
      out.flag = config.present_match();
      break;
    case v3::ValueMatcher::kListMatch: {
      const Context at = context.child("list_match");
      out.kind = Kind::kOneOf;
      if (!config.list_match().has_one_of()) at.error("needs one_of");
      out.any.push_back(compileValueMatcher(config.list_match().one_of(), at.child("one_of"), regexes));
      break;
    }
    case v3::ValueMatcher::kOrMatch: {
      const Context at = context.child("or_match");
      out.kind = Kind::kAny;
      for (int i = 0; i < config.or_match().value_matchers_size(); ++i) {
        out.any.push_back(compileValueMatcher(config.or_match().value_matchers(i),
                                              at.child("value_matchers", static_cast<size_t>(i)), regexes));
      }
      break;
    }
    case v3::ValueMatcher::MATCH_PATTERN_NOT_SET:
      context.error(
          "needs one of null_match, double_match, string_match, bool_match, present_match, list_match or or_match");
  }
  return out;
}

match::MetadataMatcher compileMetadataMatcher(const v3::MetadataMatcher& config, const Context& context,
                                              Regexes& regexes) {
  match::MetadataMatcher out;
  out.filter = config.filter();
  for (const auto& segment : config.path()) out.path.push_back(segment.key());
  out.value = compileValueMatcher(config.value(), context.child("value"), regexes);
  out.invert = config.invert();
  if (config.value().match_pattern_case() == v3::ValueMatcher::kPresentMatch && !config.value().present_match()) {
    context.child("value")
        .child("present_match")
        .warn(out.invert ? "is false, which nothing matches, and so inverted everything does; set it to true"
                         : "is false, which nothing matches; to ask for an absent value set it to true, and invert");
  }
  return out;
}

match::FilterStateMatcher compileFilterStateMatcher(const v3::FilterStateMatcher& config, const Context& context,
                                                    Regexes& regexes) {
  match::FilterStateMatcher out;
  out.key = config.key();
  switch (config.matcher_case()) {
    case v3::FilterStateMatcher::kStringMatch:
      out.string = regexes.stringMatcher(config.string_match(), context.child("string_match"));
      break;
    case v3::FilterStateMatcher::kAddressMatch: {
      const Context at = context.child("address_match");
      out.kind = match::FilterStateMatcher::Kind::kAddress;
      out.invert_ranges = config.address_match().invert_match();
      out.ranges = compileCidrs(config.address_match().ranges(), "ranges", at);
      if (config.address_match().ranges().empty()) at.child("ranges").error("needs at least one range");
      break;
    }
    case v3::FilterStateMatcher::MATCHER_NOT_SET:
      context.error("needs one of string_match or address_match");
  }
  return out;
}

}  // namespace sluice::config
