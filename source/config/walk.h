#pragma once

// Visits the messages directly inside a message, with their field paths.

#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

#include "source/config/errors.h"

namespace sluice::config {

// Deeper messages are not looked into; protobuf's parser stops at 100 as well, but an Any starts its count anew.
constexpr int kMaxMessageDepth = 200;

// Calls visit(const Message&, const Context&) for each set message field, list item and map value.
template <typename Visit>
void forEachSubmessage(const google::protobuf::Message& message, const Context& context, Visit visit) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& fields = *message.GetReflection();
  std::vector<const FieldDescriptor*> set;
  fields.ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      visit(fields.GetMessage(message, field), context.child(field->name()));
      continue;
    }
    for (int i = 0; i < fields.FieldSize(message, field); ++i) {
      const google::protobuf::Message& item = fields.GetRepeatedMessage(message, field, i);
      if (!field->is_map()) {
        visit(item, context.child(field->name(), static_cast<size_t>(i)));
        continue;
      }
      const FieldDescriptor* value = field->message_type()->map_value();
      if (value->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      const FieldDescriptor* key = field->message_type()->map_key();
      const bool named = key->type() == FieldDescriptor::TYPE_STRING;
      const std::string name = named ? item.GetReflection()->GetString(item, key) : std::string("?");
      visit(item.GetReflection()->GetMessage(item, value), context.entry(field->name(), name));
    }
  }
}

}  // namespace sluice::config
