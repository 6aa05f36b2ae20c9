#include "source/route/mutation.h"

#include <algorithm>

namespace sluice::route {
namespace {

enum class Decision : uint8_t { kNothing, kAdd, kOverwrite };

struct Pending {
  std::string_view value;
  Decision decision;
};

// Bytes that would end a field or the head. A formatter's output can hold text that no codec has checked.
bool breaksField(char byte) {
  return byte == '\r' || byte == '\n' || byte == '\0';
}

std::string_view valueOf(const HeaderAddition& addition, const stream::FormatContext& context, base::Arena& arena) {
  if (!addition.formatter) return addition.value;
  std::string text;
  addition.formatter->format(context, text);
  std::replace_if(text.begin(), text.end(), breaksField, ' ');
  return arena.copy(text);
}

Decision decide(const HeaderAddition& addition, std::string_view value, const http::HeaderList& headers) {
  if (value.empty() && !addition.keep_empty_value) return Decision::kNothing;
  const bool exists = headers.get(std::string_view(addition.name)).has_value();
  switch (addition.action) {
    case HeaderAddition::Action::kAppendIfExistsOrAdd:
      return Decision::kAdd;
    case HeaderAddition::Action::kAddIfAbsent:
      return exists ? Decision::kNothing : Decision::kAdd;
    case HeaderAddition::Action::kOverwriteIfExistsOrAdd:
      return Decision::kOverwrite;
    case HeaderAddition::Action::kOverwriteIfExists:
      return exists ? Decision::kOverwrite : Decision::kNothing;
  }
  return Decision::kNothing;
}

}  // namespace

void HeaderMutations::apply(http::HeaderList& headers, const stream::FormatContext& context) const {
  for (const std::string& name : remove) headers.remove(std::string_view(name));
  for (const match::StringMatcher& names : remove_matching) {
    headers.removeIf([&names](const http::Field& field) {
      return field.id != http::Name::kContentLength && names.matches(field.name);
    });
  }
  if (add.empty()) return;

  Pending* const pending = headers.arena().allocateArray<Pending>(add.size());
  for (size_t i = 0; i < add.size(); ++i) {
    const std::string_view value = valueOf(add[i], context, headers.arena());
    pending[i] = {value, decide(add[i], value, headers)};
  }
  // Values are copied: the table may be gone before the last reader of the header list (an access log) is.
  for (size_t i = 0; i < add.size(); ++i) {
    if (pending[i].decision == Decision::kOverwrite) headers.set(std::string_view(add[i].name), pending[i].value);
  }
  for (size_t i = 0; i < add.size(); ++i) {
    if (pending[i].decision == Decision::kAdd) headers.add(std::string_view(add[i].name), pending[i].value);
  }
}

}  // namespace sluice::route
