#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "google/protobuf/message.h"
#include "source/transcoding/descriptor_set.h"
#include "source/transcoding/field_path.h"
#include "source/transcoding/test_library_service.h"

namespace {

using namespace sluice::transcoding;
using google::protobuf::Message;

std::vector<std::string> tagsOf(const Message& request, const google::protobuf::Descriptor& type) {
  std::vector<std::string> out;
  const auto* const books = type.FindFieldByName("books");
  for (int i = 0; i < request.GetReflection()->FieldSize(request, books); ++i) {
    const Message& book = request.GetReflection()->GetRepeatedMessage(request, books, i);
    const auto* const tags = book.GetDescriptor()->FindFieldByName("tags");
    for (int j = 0; j < book.GetReflection()->FieldSize(book, tags); ++j) {
      out.push_back(book.GetReflection()->GetRepeatedString(book, tags, j));
    }
  }
  return out;
}

std::vector<std::string> nameOf(const Message& request, const google::protobuf::Descriptor& type) {
  const Message& author = request.GetReflection()->GetMessage(request, type.FindFieldByName("author"));
  const auto* const name = author.GetDescriptor()->FindFieldByName("full_name");
  return {author.GetReflection()->GetString(author, name)};
}

std::vector<std::string> idsOf(const Message& request, const google::protobuf::Descriptor& type) {
  std::vector<std::string> out;
  const auto* const ids = type.FindFieldByName("ids");
  for (int i = 0; i < request.GetReflection()->FieldSize(request, ids); ++i) {
    out.push_back(std::to_string(request.GetReflection()->GetRepeatedInt64(request, ids, i)));
  }
  return out;
}

}  // namespace

// What is read of the wire format is what a parser of the whole message finds.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto set = *DescriptorSet::parse(testing::setOf(testing::libraryFile()));
  static const auto& type = *set->pool().FindMessageTypeByName("lib.GetBookRequest");
  static const auto tags = *FieldPath::compile(type, "books.tags");
  static const auto name = *FieldPath::compile(type, "author.full_name");
  static const auto ids = *FieldPath::compile(type, "ids");
  if (size > FieldPath::kMaxValues) return 0;

  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto found_tags = tags.read(bytes), found_name = name.read(bytes), found_ids = ids.read(bytes);
  const auto message = set->newMessage(type);
  if (!message->ParseFromArray(data, static_cast<int>(size))) return 0;
  if (!found_tags || *found_tags != tagsOf(*message, type)) std::abort();
  if (!found_ids || *found_ids != idsOf(*message, type)) std::abort();
  if (!found_name || (found_name->empty() ? std::vector<std::string>{""} : *found_name) != nameOf(*message, type)) {
    std::abort();
  }
  return 0;
}
