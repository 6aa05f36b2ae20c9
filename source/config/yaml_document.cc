// Document::parseYaml: yaml-cpp's events become nodes. yaml-cpp throws; this file is the boundary.

#include <charconv>
#include <exception>
#include <limits>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "source/config/document.h"

namespace sluice::config {
namespace {

constexpr size_t kMaxMergedEntries = 1'000'000;

// The forms that YAML 1.1 and yaml-cpp take for booleans: all lower, all upper or with a capital.
std::optional<bool> parseBool(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  const std::string lower = absl::AsciiStrToLower(absl::string_view(text.data(), text.size()));
  const std::string_view rest = text.substr(1);
  const bool first_is_lower = lower[0] == text[0];
  const bool rest_is_lower = rest == std::string_view(lower).substr(1);
  const bool rest_is_upper =
      rest == std::string_view(absl::AsciiStrToUpper(absl::string_view(rest.data(), rest.size())));
  if (!rest_is_lower && (first_is_lower || !rest_is_upper)) return std::nullopt;
  for (const std::string_view word : {"y", "yes", "true", "on"}) {
    if (lower == word) return true;
  }
  for (const std::string_view word : {"n", "no", "false", "off"}) {
    if (lower == word) return false;
  }
  return std::nullopt;
}

// Decimal, 0x hexadecimal, 0 octal.
std::optional<int64_t> parseInteger(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  uint64_t magnitude = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (magnitude > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return negative ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
}

class Builder : public YAML::EventHandler {
 public:
  Builder(Document& document, const std::string& file, ErrorList& errors)
      : document_(document), file_(file), errors_(errors) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { attach(make(mark, anchor)); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end() || open_.count(found->second) != 0) {
      fail(mark.line + 1, mark.column + 1,
           "an alias refers to the value that contains it; a value cannot contain itself");
      attach(make(mark, 0));
      return;
    }
    attach(found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    DocumentNode* node = make(mark, anchor);
    node->kind = DocumentNode::Kind::kString;
    node->text = value;
    node->plain = tag == "?" || tag.empty();
    if (node->plain) classify(*node);
    if (tag == "!ignore") ignored_.insert(node);
    attach(node);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, DocumentNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, DocumentNode::Kind::kMapping);
  }
  void OnMapEnd() override {
    resolveMerges(*stack_.back().node);
    close();
  }

 private:
  struct Frame {
    DocumentNode* node;
    const DocumentNode* key;  // mappings: set while the value is awaited
  };

  void fail(int line, int column, std::string message) {
    errors_.add({file_, line, column, "", "", std::move(message)});
  }

  DocumentNode* make(const YAML::Mark& mark, YAML::anchor_t anchor) {
    DocumentNode* node = document_.makeNode();
    node->line = mark.line + 1;
    node->column = mark.column + 1;
    if (anchor != 0) anchors_[anchor] = node;
    return node;
  }

  // A plain scalar is a boolean or a number if it looks like one. Envoy keeps fractions and integers beyond 32 bits as
  // strings, which numeric fields take as well.
  static void classify(DocumentNode& node) {
    if (const std::optional<bool> boolean = parseBool(node.text)) {
      node.kind = DocumentNode::Kind::kBool;
      node.boolean = *boolean;
      return;
    }
    const std::optional<int64_t> integer = parseInteger(node.text);
    if (!integer) return;
    node.text = absl::StrCat(*integer);
    if (*integer >= std::numeric_limits<int32_t>::min() && *integer <= std::numeric_limits<int32_t>::max()) {
      node.kind = DocumentNode::Kind::kInteger;
    }
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, DocumentNode::Kind kind) {
    DocumentNode* node = make(mark, anchor);
    node->kind = kind;
    attach(node);
    open_.insert(node);
    stack_.push_back({node, nullptr});
  }

  void close() {
    open_.erase(stack_.back().node);
    stack_.pop_back();
  }

  void attach(const DocumentNode* node) {
    if (stack_.empty()) {
      document_.setRoot(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node->kind == DocumentNode::Kind::kSequence) {
      frame.node->items.push_back(node);
    } else if (frame.key == nullptr) {
      frame.key = node;
    } else {
      if (ignored_.count(frame.key) == 0) frame.node->entries.push_back({frame.key, node, false});
      frame.key = nullptr;
    }
  }

  static bool isMergeKey(const DocumentNode& key) { return key.plain && key.text == "<<"; }

  // Replaces `<<: mapping` (or a list of mappings) by those entries that the mapping does not define itself.
  void resolveMerges(DocumentNode& mapping) {
    std::vector<DocumentNode::Entry> own;
    std::vector<DocumentNode::Entry> merges;
    for (const DocumentNode::Entry& entry : mapping.entries) (isMergeKey(*entry.key) ? merges : own).push_back(entry);
    if (merges.empty()) return;
    std::unordered_set<std::string_view> defined;
    for (const DocumentNode::Entry& entry : own) defined.insert(entry.key->text);
    mapping.entries = std::move(own);
    for (const DocumentNode::Entry& merge : merges) {
      if (merge.value->kind == DocumentNode::Kind::kSequence) {
        for (const DocumentNode* source : merge.value->items) addMerged(*source, mapping, defined);
      } else {
        addMerged(*merge.value, mapping, defined);
      }
    }
  }

  void addMerged(const DocumentNode& source, DocumentNode& mapping, std::unordered_set<std::string_view>& defined) {
    if (source.kind != DocumentNode::Kind::kMapping || open_.count(&source) != 0) {
      fail(source.line, source.column, "`<<` takes a mapping or a list of mappings, such as `<<: *defaults`");
      return;
    }
    merged_entries_ += source.entries.size();
    if (merged_entries_ > kMaxMergedEntries) {
      if (!merge_limit_reported_) fail(source.line, source.column, "`<<` multiplies the file beyond 1,000,000 entries");
      merge_limit_reported_ = true;
      return;
    }
    for (const DocumentNode::Entry& entry : source.entries) {
      if (defined.insert(entry.key->text).second) mapping.entries.push_back({entry.key, entry.value, true});
    }
  }

  Document& document_;
  const std::string& file_;
  ErrorList& errors_;
  std::vector<Frame> stack_;
  std::unordered_map<YAML::anchor_t, const DocumentNode*> anchors_;
  std::unordered_set<const DocumentNode*> open_;
  std::unordered_set<const DocumentNode*> ignored_;
  size_t merged_entries_ = 0;
  bool merge_limit_reported_ = false;
};

// A handler for the rest of the stream, which should hold nothing more.
class Nothing : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

}  // namespace

bool Document::parseYaml(std::string_view text, const std::string& file, ErrorList& errors) {
  if (text.size() > kMaxBytes) {
    errors.add({file, 0, 0, "", "", "is larger than 64 MiB; split it or serve it by xDS"});
    return false;
  }
  const size_t before = errors.total();
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(*this, file, errors);
    if (!parser.HandleNextDocument(builder)) return true;  // no document: an empty file
    Nothing nothing;
    if (parser.HandleNextDocument(nothing)) {
      errors.add({file, 0, 0, "", "", "holds more than one YAML document; remove what follows the second `---`"});
    }
  } catch (const YAML::Exception& failure) {
    errors.add(
        {file, failure.mark.line + 1, failure.mark.column + 1, "", "", absl::StrCat("is not YAML: ", failure.msg)});
  } catch (const std::exception& failure) {
    errors.add({file, 0, 0, "", "", absl::StrCat("is not YAML: ", failure.what())});
  }
  return errors.total() == before;
}

}  // namespace sluice::config
