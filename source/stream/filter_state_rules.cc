#include "source/stream/filter_state_rules.h"

namespace sluice::stream {

bool FilterStateRules::apply(const FormatContext& context, StreamInfo& info) const {
  bool any = false;
  std::string text;
  for (const FilterStateRule& rule : rules_) {
    text.clear();
    rule.value->format(context, text);
    if (text.empty() && rule.skip_if_empty) continue;
    if (!rule.type->takes(text)) continue;
    any |= info.filterState().set(rule.key, std::make_shared<FilterState::Text>(text), rule.options);
  }
  return any;
}

}  // namespace sluice::stream
