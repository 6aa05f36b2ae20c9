#include "source/extensions/matching/inputs/http/inputs.h"

#include <optional>

#include "source/base/percent.h"
#include "source/http/query.h"

namespace sluice::extensions::matching::inputs::http {
namespace {

using sluice::http::Name;

constexpr Value kNotYet{.state = Value::State::kNotYet};

Value decoded(std::string_view text, Scratch& scratch) {
  if (text.find('%') == std::string_view::npos) return {.text = text};
  scratch.clear();
  for (size_t at = 0; at < text.size();) scratch += base::percentDecodedAt(text, at);
  return {.text = scratch};
}

}  // namespace

Field::Field(std::string_view name) : name_(match::storedName(name)), id_(sluice::http::nameOf(name_)) {}

Value Field::in(const sluice::http::RequestHeaders* head, Scratch& scratch) const {
  if (head == nullptr) return kNotYet;
  if (!name_.starts_with(':')) return joined(*head, scratch);
  return {.text = head->lookup(name_)};
}

Value Field::in(const sluice::http::ResponseHeaders* head, Scratch& scratch) const {
  if (head == nullptr) return kNotYet;
  if (name_ != ":status") return joined(*head, scratch);
  scratch = std::to_string(head->status);
  return {.text = scratch};
}

Value Field::in(const sluice::http::Trailers* trailers, Scratch& scratch) const {
  return trailers == nullptr ? kNotYet : joined(*trailers, scratch);
}

// Not by HeaderList::getAll(), which joins in the arena of the message: a matcher with many predicates on one name
// would fill it with copies.
Value Field::joined(const sluice::http::HeaderList& fields, Scratch& scratch) const {
  if (id_ != Name::kOther && !fields.has(id_)) return {};
  const std::string_view glue = id_ == Name::kCookie ? "; " : ",";
  Value out;
  bool several = false;
  for (const sluice::http::Field& field : fields) {
    if (field.id != id_ || (id_ == Name::kOther && field.name != name_)) continue;
    if (!out.text) {
      out.text = field.value;
      continue;
    }
    if (!several) scratch = *out.text;
    several = true;
    scratch.append(glue).append(field.value);
  }
  if (several) out.text = scratch;
  return out;
}

Value QueryParameter::get(const Data& data, Scratch& scratch) const {
  if (data.request == nullptr) return kNotYet;
  const std::optional<std::string_view> found = sluice::http::queryParameterOf(data.request->path, name_);
  return found ? decoded(*found, scratch) : Value{};
}

Value StatusCode::get(const Data& data, Scratch& scratch) const {
  if (data.response == nullptr) return kNotYet;
  scratch = std::to_string(data.response->status);
  return {.text = scratch};
}

Value StatusCodeClass::get(const Data& data, Scratch&) const {
  static constexpr std::string_view kClasses[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
  if (data.response == nullptr) return kNotYet;
  const uint16_t status = data.response->status;
  return status >= 100 && status < 600 ? Value{.text = kClasses[status / 100 - 1]} : Value{};
}

Value LocalReply::get(const Data& data, Scratch&) const {
  if (data.response == nullptr) return kNotYet;
  return {.text = data.local_reply ? "true" : "false"};
}

}  // namespace sluice::extensions::matching::inputs::http
