// The table of fields by their effects: each sample is a change of one field, and what it does is compare()'s word.
#include <algorithm>
#include <memory>
#include <vector>

#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/cluster_compiler.h"
#include "source/config/loader.h"
#include "source/ctl/effect_samples.h"
#include "source/ctl/impact.h"

namespace sluice::ctl {
namespace {

using envoy::config::cluster::v3::Cluster;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::string_view kHead =
    "# What a change does to connections that there are\n"
    "\n"
    "By message and field, for what a control plane or a file of xDS changes. `sluicectl impact A B` tells it of two "
    "files.\n"
    "This file is made by `sluicectl impact --fields` with the comparisons that the proxy goes by; a test compares "
    "it.\n"
    "\n"
    "| message | fields | effect |\n"
    "|---|---|---|\n";

// Rows of one message: effects in the order of their first field.
class Rows {
 public:
  explicit Rows(std::string message) : message_(std::move(message)) {}

  void add(const std::string& field, const std::string& effect) {
    const auto known = std::find_if(rows_.begin(), rows_.end(), [&](const Row& row) { return row.effect == effect; });
    Row& row = known == rows_.end() ? rows_.emplace_back(Row{effect, {}}) : *known;
    if (!row.fields.empty()) row.fields += ", ";
    row.fields += field;
  }

  // `all`: the fields were all that the message has.
  std::string text(bool all) const {
    std::string out;
    for (const Row& row : rows_) {
      const std::string& fields = all && rows_.size() == 1 ? "each" : row.fields;
      out += base::strCat("| `", message_, "` | ", fields, " | ", row.effect, " |\n");
    }
    return out;
  }

 private:
  struct Row {
    std::string effect;
    std::string fields;
  };
  std::string message_;
  std::vector<Row> rows_;
};

// Without names of hosts and reasons.
std::string shortText(const std::string& text) {
  return text.substr(0, text.find_first_of(":;"));
}

std::string effectOf(const Impact& impact) {
  std::vector<std::string> parts;
  for (const Consequence& each : impact.consequences) {
    if (each.part.empty() && each.text == "is replaced") continue;
    std::string text = shortText(each.text);
    if (each.part.starts_with("socket")) text = "the socket " + text;
    if (each.part == "sessions") text = "sessions " + text;
    if (std::find(parts.begin(), parts.end(), text) == parts.end()) parts.push_back(std::move(text));
  }
  std::string out;
  for (const std::string& part : parts) base::strAppend(out, out.empty() ? "" : "; ", part);
  return out;
}

std::unique_ptr<Message> messageOf(const EffectSample& sample, const std::string& yaml) {
  config::ErrorList errors;
  config::Positions positions;
  std::unique_ptr<Message> message = config::newMessage(sample.type);
  if (message == nullptr) return nullptr;
  config::Loader(errors, positions).loadText(yaml, config::Format::kYaml, "sample", *message);
  return message;
}

// The proxy's comparison of two files with one resource each.
std::string effectOf(const Message& before, const Message& after, const config::Registry& registry) {
  config::ErrorList errors;
  Inventory was(registry), next(registry);
  was.add(before, config::Context(errors));
  next.add(after, config::Context(errors));
  return errors.empty() ? effectOf(compare(was, next)) : "is refused: " + errors.toString();
}

// Another value than none.
void touch(Message& message, const FieldDescriptor& field) {
  const google::protobuf::Reflection& fields = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (field.is_repeated()) {
        fields.AddMessage(&message, &field);
      } else {
        fields.MutableMessage(&message, &field);
      }
      return;
    case FieldDescriptor::CPPTYPE_STRING:
      return field.is_repeated() ? fields.AddString(&message, &field, "other")
                                 : fields.SetString(&message, &field, "other");
    case FieldDescriptor::CPPTYPE_BOOL:
      return fields.SetBool(&message, &field, true);
    case FieldDescriptor::CPPTYPE_ENUM:
      return fields.SetEnumValue(&message, &field, 1);
    case FieldDescriptor::CPPTYPE_UINT32:
      return fields.SetUInt32(&message, &field, 1);
    default:
      return;
  }
}

// Clusters have one generation each: another content, another generation.
std::string clusterRows() {
  Rows rows("Cluster");
  const Cluster before;
  const auto& descriptor = *Cluster::descriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    if (descriptor.field(i)->name() == "name") continue;
    Cluster after;
    touch(after, *descriptor.field(i));
    const bool same = config::clusterContentHash(before) == config::clusterContentHash(after);
    rows.add(descriptor.field(i)->name(), same ? "connections go on"
                                               : "gets new connections; the ones before are closed when their requests "
                                                 "are answered");
  }
  return rows.text(true);
}

std::string otherRows(const config::Registry& registry) {
  std::string out;
  for (const std::string_view type :
       {"envoy.config.route.v3.RouteConfiguration", "envoy.config.route.v3.VirtualHost",
        "envoy.config.route.v3.ScopedRouteConfiguration", "envoy.extensions.transport_sockets.tls.v3.Secret",
        "envoy.config.core.v3.TypedExtensionConfig"}) {
    const std::unique_ptr<Message> before = config::newMessage(type);
    if (before == nullptr) continue;
    Rows rows(before->GetDescriptor()->name());
    for (int i = 1; i < before->GetDescriptor()->field_count(); ++i) {
      const std::unique_ptr<Message> after(before->New());
      touch(*after, *before->GetDescriptor()->field(i));
      rows.add(before->GetDescriptor()->field(i)->name(), effectOf(*before, *after, registry));
    }
    out += rows.text(true);
  }
  return out;
}

}  // namespace

std::string effectsDocument(const config::Registry& registry) {
  std::string out(kHead);
  std::vector<std::pair<std::string, Rows>> groups;
  for (const EffectSample& sample : effectSamples()) {
    if (groups.empty() || groups.back().first != sample.group) groups.emplace_back(sample.group, Rows(sample.group));
    const std::unique_ptr<Message> before = messageOf(sample, sample.before);
    const std::unique_ptr<Message> after = messageOf(sample, sample.after);
    if (before == nullptr || after == nullptr) continue;
    groups.back().second.add(sample.field, effectOf(*before, *after, registry));
  }
  for (const auto& [name, rows] : groups) out += rows.text(false);
  return out + clusterRows() + otherRows(registry) +
         "| `Bootstrap` | each | is read at the start only: a restart, which drains all connections |\n";
}

}  // namespace sluice::ctl
