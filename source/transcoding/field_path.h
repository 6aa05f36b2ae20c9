// The values of one field of messages, by its path ("book.author.full_name"), read from the wire format without making
// a message of it. Immutable; any thread. The descriptors have to outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace sluice::transcoding {

class FieldPath {
 public:
  // A message may have that many; a byte of a packed list is one.
  static constexpr size_t kMaxValues = 10000;

  // The field is a text or a number, and may be repeated, as may be those on the way to it. The error says what is
  // wrong with the path.
  static absl::StatusOr<FieldPath> compile(const google::protobuf::Descriptor& message, std::string_view path);

  // In the order of the message, numbers in decimal. What is said more than once counts as protobuf has it: the last
  // value, the last of a oneof, submessages merged. nullopt: it is no such message, or has more values.
  std::optional<std::vector<std::string>> read(std::string_view message) const;

 private:
  using Fragments = std::vector<std::string_view>;
  bool readField(size_t depth, const Fragments& message, std::vector<std::string>& values) const;

  std::vector<const google::protobuf::FieldDescriptor*> fields_;  // from the outermost
};

}  // namespace sluice::transcoding
