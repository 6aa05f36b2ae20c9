// Dynamic metadata as google.protobuf.Struct and back, for the clients of services that tell and hear it. Templates:
// the messages are the includer's.
#pragma once

#include <utility>

#include "source/stream/metadata.h"

namespace sluice::filter {

template <typename Struct>
stream::MetadataFields readStruct(const Struct& from);

template <typename Value>
stream::MetadataValue readValue(const Value& from) {
  switch (from.kind_case()) {
    case Value::kBoolValue:
      return {from.bool_value()};
    case Value::kNumberValue:
      return {from.number_value()};
    case Value::kStringValue:
      return {from.string_value()};
    case Value::kStructValue:
      return {readStruct(from.struct_value())};
    case Value::kListValue: {
      stream::MetadataList list;
      for (const auto& item : from.list_value().values()) list.push_back(readValue(item));
      return {std::move(list)};
    }
    default:
      return {};
  }
}

template <typename Struct>
stream::MetadataFields readStruct(const Struct& from) {
  stream::MetadataFields out;
  for (const auto& [name, value] : from.fields()) out.push_back({name, readValue(value)});
  return out;
}

template <typename Struct>
void writeStruct(const stream::MetadataFields& from, Struct& out);

template <typename Value>
void writeValue(const stream::MetadataValue& from, Value& out) {
  struct Writer {
    Value& out;
    void operator()(std::monostate) { out.set_null_value({}); }
    void operator()(bool value) { out.set_bool_value(value); }
    void operator()(double value) { out.set_number_value(value); }
    void operator()(const std::string& value) { out.set_string_value(value); }
    void operator()(const stream::MetadataList& list) {
      auto& values = *out.mutable_list_value();
      for (const auto& item : list) writeValue(item, *values.add_values());
    }
    void operator()(const stream::MetadataFields& fields) { writeStruct(fields, *out.mutable_struct_value()); }
  };
  std::visit(Writer{out}, from.value);
}

template <typename Struct>
void writeStruct(const stream::MetadataFields& from, Struct& out) {
  for (const stream::MetadataField& field : from) writeValue(field.value, (*out.mutable_fields())[field.name]);
}

}  // namespace sluice::filter
