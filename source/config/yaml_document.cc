// Document::parseYaml: yaml-cpp's events become nodes. yaml-cpp throws; this file is the boundary.

#include <algorithm>
#include <charconv>
#include <exception>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "source/config/document.h"

namespace sluice::config {
namespace {

// What aliases may add to a text: so much whatever its size, and so many times its size.
constexpr size_t kSpareValues = 10'000;
constexpr size_t kSpareBytes = size_t{1} << 20;
constexpr size_t kMaxGrowth = 4;

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
  Builder(Document& document, size_t text_size, const std::string& file, ErrorList& errors)
      : document_(document),
        values_left_(kSpareValues + kMaxGrowth * text_size),
        bytes_left_(kSpareBytes + kMaxGrowth * text_size),
        file_(file),
        errors_(errors) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { attachScalar(make(mark, anchor), anchor); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end() || open_.count(found->second.node) != 0) {
      fail(mark.line + 1, mark.column + 1,
           "an alias refers to the value that contains it; a value cannot contain itself");
    } else if (takesRoom(found->second.size, mark)) {
      return attach(found->second.node, found->second.size);
    }
    attach(make(mark, 0), {});
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    DocumentNode* node = make(mark, anchor);
    node->kind = DocumentNode::Kind::kString;
    node->text = value;
    node->plain = tag == "?" || tag.empty();
    if (node->plain) classify(*node);
    if (tag == "!ignore") ignored_.insert(node);
    attachScalar(node, anchor);
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
  // Of a value with what its aliases stand for.
  struct Size {
    size_t values = 1;
    size_t bytes = 0;
    int depth = 0;  // of what is inside
  };
  struct Anchor {
    const DocumentNode* node;
    Size size;
  };
  struct Frame {
    DocumentNode* node;
    const DocumentNode* key;  // mappings: set while the value is awaited
    YAML::anchor_t anchor;
    Size size;
  };

  // Readers follow aliases: what they would have to read is bounded here, before anybody does.
  bool takesRoom(const Size& size, const YAML::Mark& mark) {
    if (tooDeep(size, mark)) return false;
    if (size.values > values_left_ || size.bytes > bytes_left_) {
      if (!limit_reported_) {
        fail(mark.line + 1, mark.column + 1,
             "aliases multiply the file beyond what is read; write the values out or use fewer aliases");
      }
      limit_reported_ = true;
      return false;
    }
    values_left_ -= size.values;
    bytes_left_ -= size.bytes;
    return true;
  }

  bool tooDeep(const Size& size, const YAML::Mark& mark) {
    if (static_cast<int>(stack_.size()) + size.depth <= Document::kMaxDepth) return false;
    if (!limit_reported_) fail(mark.line + 1, mark.column + 1, "values are nested deeper than 100 levels");
    limit_reported_ = true;
    return true;
  }

  void fail(int line, int column, std::string message) {
    errors_.add({file_, line, column, "", "", std::move(message)});
  }

  DocumentNode* make(const YAML::Mark& mark, YAML::anchor_t anchor) {
    DocumentNode* node = document_.makeNode();
    node->line = mark.line + 1;
    node->column = mark.column + 1;
    if (anchor != 0) anchors_[anchor] = {node, {}};
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
    tooDeep({}, mark);
    attach(node, {.values = 0});  // its size is known when it is closed
    open_.insert(node);
    stack_.push_back({node, nullptr, anchor, {}});
  }

  void close() {
    const Frame closed = stack_.back();
    open_.erase(closed.node);
    stack_.pop_back();
    if (closed.anchor != 0) anchors_[closed.anchor].size = closed.size;
    if (!stack_.empty()) grow(stack_.back().size, closed.size);
  }

  static void grow(Size& size, const Size& by) {
    size.values += by.values;
    size.bytes += by.bytes;
    size.depth = std::max(size.depth, by.depth + 1);
  }

  void attachScalar(const DocumentNode* node, YAML::anchor_t anchor) {
    const Size size{.bytes = node->text.size()};
    if (anchor != 0) anchors_[anchor].size = size;
    attach(node, size);
  }

  void attach(const DocumentNode* node, const Size& size) {
    if (stack_.empty()) {
      document_.setRoot(node);
      return;
    }
    Frame& frame = stack_.back();
    grow(frame.size, size);
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
    if (limit_reported_) return;  // what stands here instead of an alias is no mapping
    if (source.kind != DocumentNode::Kind::kMapping || open_.count(&source) != 0) {
      fail(source.line, source.column, "`<<` takes a mapping or a list of mappings, such as `<<: *defaults`");
      return;
    }
    for (const DocumentNode::Entry& entry : source.entries) {
      if (defined.insert(entry.key->text).second) mapping.entries.push_back({entry.key, entry.value, true});
    }
  }

  Document& document_;
  size_t values_left_;  // that aliases may still add
  size_t bytes_left_;
  const std::string& file_;
  ErrorList& errors_;
  std::vector<Frame> stack_;
  std::unordered_map<YAML::anchor_t, Anchor> anchors_;
  std::unordered_set<const DocumentNode*> open_;
  std::unordered_set<const DocumentNode*> ignored_;
  bool limit_reported_ = false;
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
    Builder builder(*this, text.size(), file, errors);
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
