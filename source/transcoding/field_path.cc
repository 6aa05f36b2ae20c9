#include "source/transcoding/field_path.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace sluice::transcoding {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

bool isNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return true;
    default:
      return false;
  }
}

WireFormatLite::WireType wireTypeOf(const FieldDescriptor& field) {
  return WireFormatLite::WireTypeForFieldType(static_cast<WireFormatLite::FieldType>(field.type()));
}

// The bits of a number as they stand on the wire.
bool readBits(WireFormatLite::WireType type, CodedInputStream& in, uint64_t& bits) {
  if (type == WireFormatLite::WIRETYPE_VARINT) return in.ReadVarint64(&bits);
  if (type == WireFormatLite::WIRETYPE_FIXED64) return in.ReadLittleEndian64(&bits);
  uint32_t narrow = 0;
  if (!in.ReadLittleEndian32(&narrow)) return false;
  bits = narrow;
  return true;
}

std::string decimal(const FieldDescriptor& field, uint64_t bits) {
  const auto narrow = static_cast<uint32_t>(bits);
  switch (field.type()) {
    case FieldDescriptor::TYPE_SINT32:
      return absl::StrCat(WireFormatLite::ZigZagDecode32(narrow));
    case FieldDescriptor::TYPE_SINT64:
      return absl::StrCat(WireFormatLite::ZigZagDecode64(bits));
    case FieldDescriptor::TYPE_FLOAT:
      return absl::StrCat(WireFormatLite::DecodeFloat(narrow));
    case FieldDescriptor::TYPE_DOUBLE:
      return absl::StrCat(WireFormatLite::DecodeDouble(bits));
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SFIXED32:
      return absl::StrCat(static_cast<int32_t>(narrow));
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
      return absl::StrCat(narrow);
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SFIXED64:
      return absl::StrCat(static_cast<int64_t>(bits));
    default:
      return absl::StrCat(bits);
  }
}

// What a message says of one field, in order: the bytes of texts and messages, or values of numbers.
class Occurrences {
 public:
  Occurrences(const FieldDescriptor& field, size_t most) : field_(field), most_(most) {}

  // False: it is no message, or says too much.
  bool read(std::string_view message) {
    CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()), static_cast<int>(message.size()));
    while (const uint32_t tag = in.ReadTag()) {
      const auto type = WireFormatLite::GetTagWireType(tag);
      const int number = WireFormatLite::GetTagFieldNumber(tag);
      const bool packed = isNumber(field_) && field_.is_repeated() && type == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      if (number == field_.number() && (packed || type == wireTypeOf(field_))) {
        if (!(packed ? readPacked(in) : readOne(message, in))) return false;
      } else {
        if (replaces(number, type)) forget();
        if (!WireFormatLite::SkipField(&in, tag)) return false;
      }
    }
    return in.ConsumedEntireMessage();
  }

  std::vector<std::string_view> bytes;
  std::vector<std::string> numbers;

 private:
  // Another member of its oneof.
  bool replaces(int number, WireFormatLite::WireType type) const {
    const auto* const oneof = field_.real_containing_oneof();
    if (oneof == nullptr || number == field_.number()) return false;
    const FieldDescriptor* const other = field_.containing_type()->FindFieldByNumber(number);
    return other != nullptr && other->real_containing_oneof() == oneof && type == wireTypeOf(*other);
  }
  void forget() {
    bytes.clear();
    numbers.clear();
  }
  bool readOne(std::string_view message, CodedInputStream& in) {
    if (isNumber(field_)) return readNumber(in);
    uint32_t size = 0;
    if (!in.ReadVarint32(&size)) return false;
    const auto begin = static_cast<size_t>(in.CurrentPosition());
    if (size > message.size() - begin || !in.Skip(static_cast<int>(size))) return false;
    if (field_.type() == FieldDescriptor::TYPE_STRING && !field_.is_repeated()) bytes.clear();
    bytes.push_back(message.substr(begin, size));
    return field_.type() != FieldDescriptor::TYPE_STRING || bytes.size() <= most_;
  }
  bool readNumber(CodedInputStream& in) {
    uint64_t bits = 0;
    if (numbers.size() >= most_ || !readBits(wireTypeOf(field_), in, bits)) return false;
    if (!field_.is_repeated()) numbers.clear();
    numbers.push_back(decimal(field_, bits));
    return true;
  }
  bool readPacked(CodedInputStream& in) {
    uint32_t size = 0;
    if (!in.ReadVarint32(&size) || size > static_cast<uint32_t>(in.BytesUntilLimit())) return false;
    const CodedInputStream::Limit limit = in.PushLimit(static_cast<int>(size));
    while (in.BytesUntilLimit() > 0) {
      if (!readNumber(in)) return false;
    }
    in.PopLimit(limit);
    return true;
  }

  const FieldDescriptor& field_;
  const size_t most_;
};

}  // namespace

absl::StatusOr<FieldPath> FieldPath::compile(const google::protobuf::Descriptor& message, std::string_view path) {
  FieldPath out;
  const google::protobuf::Descriptor* at = &message;
  for (const absl::string_view name : absl::StrSplit(absl::string_view(path.data(), path.size()), '.')) {
    if (at == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", out.fields_.back()->name(), "' is no message, so that '", name, "' is not in it"));
    }
    const FieldDescriptor* const field = at->FindFieldByName(std::string(name));
    if (field == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("'", name, "' is no field of ", at->full_name()));
    }
    if (field->is_map()) {
      return absl::InvalidArgumentError(absl::StrCat("'", name, "' is a map, which has no order of values; name a ",
                                                     "field that is a text or a number"));
    }
    out.fields_.push_back(field);
    at = field->type() == FieldDescriptor::TYPE_MESSAGE ? field->message_type() : nullptr;
  }
  const FieldDescriptor& leaf = *out.fields_.back();
  if (!isNumber(leaf) && leaf.type() != FieldDescriptor::TYPE_STRING) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", leaf.name(), "' is of type ", leaf.type_name(), "; only texts and numbers can be read"));
  }
  return out;
}

std::optional<std::vector<std::string>> FieldPath::read(std::string_view message) const {
  std::vector<std::string> values;
  if (!readField(0, {message}, values)) return std::nullopt;
  return values;
}

// `message`: what was said of it, one behind the other.
bool FieldPath::readField(size_t depth, const Fragments& message, std::vector<std::string>& values) const {
  const FieldDescriptor& field = *fields_[depth];
  Occurrences found(field, kMaxValues - values.size());
  for (const std::string_view fragment : message) {
    if (!found.read(fragment)) return false;
  }
  if (depth + 1 == fields_.size()) {
    values.insert(values.end(), found.numbers.begin(), found.numbers.end());
    values.insert(values.end(), found.bytes.begin(), found.bytes.end());
    return true;
  }
  if (!field.is_repeated()) return found.bytes.empty() || readField(depth + 1, found.bytes, values);
  for (const std::string_view each : found.bytes) {
    if (!readField(depth + 1, {each}, values)) return false;
  }
  return true;
}

}  // namespace sluice::transcoding
