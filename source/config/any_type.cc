#include "source/config/any_type.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "udpa/type/v1/typed_struct.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

#include "source/config/document.h"
#include "source/config/known_fields.h"
#include "source/config/message_reader.h"
#include "source/config/refused_types.h"
#include "source/config/stable_bytes.h"

namespace sluice::config {
namespace {

using google::protobuf::Message;

constexpr size_t kMaxStructSteps = 1'000'000;

absl::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

const google::protobuf::Descriptor* findType(std::string_view full_name) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(full_name));
}

template <typename TypedStruct>
std::unique_ptr<Message> convertTypedStruct(const Message& wrapper, const Context& context) {
  const auto& typed_struct = static_cast<const TypedStruct&>(wrapper);
  const std::string_view name = typeNameOf(typed_struct.type_url());
  std::unique_ptr<Message> message = isTypedStruct(name) ? nullptr : newMessage(name);
  if (message == nullptr) {
    context.child("type_url").error(unknownTypeMessage(typed_struct.type_url()));
    return nullptr;
  }
  Document document;
  document.fromStruct(typed_struct.value());
  const std::string no_file;
  MessageReader reader(no_file, kMaxStructSteps, context.errors(), nullptr);
  if (!reader.read(document.root(), *message, context.path())) return nullptr;
  return message;
}

// A field of that name that its type has.
const Message& messageIn(const Message& message, const char* field) {
  return message.GetReflection()->GetMessage(message, message.GetDescriptor()->FindFieldByName(field));
}

}  // namespace

std::string_view typeNameOf(std::string_view type_url) {
  const size_t slash = type_url.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : type_url.substr(slash + 1);
}

std::unique_ptr<Message> newMessage(std::string_view full_name) {
  const google::protobuf::Descriptor* type = full_name.empty() ? nullptr : findType(full_name);
  if (type == nullptr) return nullptr;
  return std::unique_ptr<Message>(google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

bool isTypedStruct(std::string_view full_name) {
  return full_name == "xds.type.v3.TypedStruct" || full_name == "udpa.type.v1.TypedStruct";
}

bool isKnownType(std::string_view full_name) {
  return newMessage(full_name) != nullptr || isKnownMessage(full_name);
}

bool isKnownType(const google::protobuf::Any& any) {
  return isKnownType(describedType(any));
}

std::string describedType(const google::protobuf::Any& any) {
  const std::string name(typeNameOf(any.type_url()));
  const auto described = [&](auto wrapper) {
    return any.UnpackTo(&wrapper) ? std::string(typeNameOf(wrapper.type_url())) : name;
  };
  if (name == "xds.type.v3.TypedStruct") return described(xds::type::v3::TypedStruct());
  if (name == "udpa.type.v1.TypedStruct") return described(udpa::type::v1::TypedStruct());
  return name;
}

bool isAlternative(const google::protobuf::Descriptor& type) {
  return type.full_name() == "envoy.config.cluster.v3.LoadBalancingPolicy.Policy";
}

bool isLeftOut(const Message& alternative) {
  const Message& extension = messageIn(alternative, "typed_extension_config");
  google::protobuf::Any any;
  any.CopyFrom(messageIn(extension, "typed_config"));
  return !any.type_url().empty() && newMessage(describedType(any)) == nullptr;
}

std::string unknownTypeMessage(std::string_view type_url) {
  const std::string_view name = typeNameOf(type_url);
  if (name.empty()) {
    return absl::StrCat("\"", view(type_url),
                        "\" is not a type URL; write type.googleapis.com/ and the message's name");
  }
  if (const std::string_view reason = refusalReason(name); !reason.empty() && isKnownMessage(name)) {
    return absl::StrCat("the type ", view(name), " is Envoy's and not supported: ", view(reason));
  }
  if (isKnownMessage(name)) {
    return absl::StrCat("the type ", view(name), " is Envoy's but not supported here yet; remove it");
  }
  std::vector<std::string_view> linked;
  for (const std::string_view candidate : knownMessages()) {
    if (findType(candidate) != nullptr) linked.push_back(candidate);
  }
  const std::string_view nearest = nearestName(name, linked);
  return absl::StrCat("unknown type ", view(name),
                      nearest.empty() ? "" : absl::StrCat("; did you mean \"", view(nearest), "\"?"));
}

std::unique_ptr<Message> unpackAny(const google::protobuf::Any& any, const Context& context) {
  const std::string_view name = typeNameOf(any.type_url());
  std::unique_ptr<Message> message = newMessage(name);
  if (message == nullptr) {
    context.error(unknownTypeMessage(any.type_url()));
    return nullptr;
  }
  if (!message->ParseFromString(any.value())) {
    context.error(absl::StrCat("the bytes are not a ", view(name), "; they are damaged or of another type"));
    return nullptr;
  }
  if (name == "xds.type.v3.TypedStruct") return convertTypedStruct<xds::type::v3::TypedStruct>(*message, context);
  if (name == "udpa.type.v1.TypedStruct") return convertTypedStruct<udpa::type::v1::TypedStruct>(*message, context);
  return message;
}

void packAny(const Message& message, std::string_view type_url, google::protobuf::Any& any) {
  any.set_type_url(std::string(type_url));
  any.set_value(stableBytes(message));
}

}  // namespace sluice::config
