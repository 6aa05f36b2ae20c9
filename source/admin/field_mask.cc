#include "source/admin/field_mask.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "source/base/text.h"

namespace sluice::admin {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::unique_ptr<Message> unpacked(const google::protobuf::Any& any) {
  const std::string& url = any.type_url();
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(url.substr(url.rfind('/') + 1));
  if (type == nullptr) return nullptr;
  std::unique_ptr<Message> out(google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  return out->ParseFromString(any.value()) ? std::move(out) : nullptr;
}

absl::StatusOr<FieldMask> FieldMask::parse(std::string_view text) {
  FieldMask mask;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view path = text.substr(begin, end - begin);
    begin = end + 1;
    std::vector<Node*> nodes = {&mask.root_};
    size_t at = 0;
    while (at <= path.size()) {
      const size_t dot = std::min(path.find('.', at), path.size());
      const std::string_view name = path.substr(at, dot - at);
      at = dot + 1;
      const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
      });
      if (!is_name || nodes.size() > 32) {
        return absl::InvalidArgumentError(base::strCat(
            "'", path, "' is no path of field names, as 'cluster.name' is; paths are separated by commas"));
      }
      const auto [child, is_new] = nodes.back()->children.try_emplace(std::string(name));
      const bool last = dot == path.size();
      if (!is_new && child->second.children.empty()) break;  // a shorter path means all of it
      if (last) child->second.children.clear();
      nodes.push_back(&child->second);
    }
  }
  return mask;
}

bool FieldMask::touches(const google::protobuf::Descriptor& type) const {
  return std::any_of(root_.children.begin(), root_.children.end(),
                     [&type](const auto& child) { return type.FindFieldByName(child.first) != nullptr; });
}

void FieldMask::trim(Message& message, Node& node) {
  if (auto* any = dynamic_cast<google::protobuf::Any*>(&message)) {
    const std::unique_ptr<Message> inner = unpacked(*any);
    if (!inner) return any->clear_value();
    trim(*inner, node);
    any->set_value(inner->SerializeAsString());
    return;
  }
  node.looked = true;
  for (auto& [name, child] : node.children) {
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) continue;
    child.known = true;
    // What has no fields has no paths either.
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) child.looked = true;
  }
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const auto child = node.children.find(field->name());
    if (child == node.children.end()) {
      reflection.ClearField(&message, field);
    } else if (child->second.children.empty() || field->is_map()) {
      continue;
    } else if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      reflection.ClearField(&message, field);
    } else if (!field->is_repeated()) {
      trim(*reflection.MutableMessage(&message, field), child->second);
    } else {
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        trim(*reflection.MutableRepeatedMessage(&message, field, i), child->second);
      }
    }
  }
}

std::string FieldMask::unknown(const Node& node, const std::string& path) {
  if (!node.looked) return {};
  for (const auto& [name, child] : node.children) {
    const std::string here = path.empty() ? name : path + "." + name;
    if (!child.known) return here;
    std::string below = unknown(child, here);
    if (!below.empty()) return below;
  }
  return {};
}

}  // namespace sluice::admin
