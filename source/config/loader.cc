#include "source/config/loader.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/stubs/logging.h"
#include "source/base/utf8.h"

#include "source/config/document.h"
#include "source/config/message_reader.h"
#include "source/config/text_message.h"
#include "source/config/unknown_fields.h"

namespace sluice::config {
namespace {

// Room for ordinary use of aliases; a small file that names billions of values ends here.
constexpr size_t kSpareSteps = 200'000;

// Files in UTF-16 or UTF-32, which YAML allows, say so.
bool hasWideMark(std::string_view text) {
  return text.starts_with("\xfe\xff") || text.starts_with("\xff\xfe") ||
         text.starts_with(std::string_view("\0\0\xfe\xff", 4));
}

// Whether a text is UTF-8 without NUL bytes. Reports the first byte that is not.
bool checkText(std::string_view text, const std::string& name, ErrorList& errors) {
  int line = 1, column = 1;
  for (size_t at = 0; at < text.size();) {
    const size_t size = base::utf8Length(text.substr(at));
    if (size == 0 || text[at] == '\0') {
      errors.add({name, line, column, "", "",
                  size == 0 ? "is not UTF-8; save the file as UTF-8, and write bytes that are no text in base64"
                            : "holds a NUL byte, which no text may; remove it"});
      return false;
    }
    ++column;
    if (text[at] == '\n') ++line, column = 1;
    at += size;
  }
  return true;
}

}  // namespace

Format formatOf(std::string_view path) {
  const absl::string_view name(path.data(), path.size());
  if (absl::EndsWithIgnoreCase(name, ".json")) return Format::kJson;
  for (const absl::string_view suffix : {".pb", ".bin", ".binpb"}) {
    if (absl::EndsWithIgnoreCase(name, suffix)) return Format::kBinary;
  }
  for (const absl::string_view suffix : {".pb_text", ".textproto", ".txtpb", ".pbtxt"}) {
    if (absl::EndsWithIgnoreCase(name, suffix)) return Format::kText;
  }
  return Format::kYaml;
}

bool Loader::loadFile(const std::string& path, google::protobuf::Message& message) {
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure)) {
    errors_.add({path, 0, 0, "", "", "is a directory; name a file"});
    return false;
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf()))) {
    errors_.add({path, 0, 0, "", "", absl::StrCat("cannot be read: ", std::strerror(errno))});
    return false;
  }
  return loadText(text.str(), formatOf(path), path, message);
}

bool Loader::loadText(std::string_view text, Format format, const std::string& name,
                      google::protobuf::Message& message) {
  if (format == Format::kBinary) return loadBinary(text, name, message);
  const bool wide = format == Format::kYaml && hasWideMark(text);
  if (!wide && !checkText(text, name, errors_)) return false;
  if (format == Format::kText) return readTextMessage(text, name, message, errors_, positions_);
  Document document;
  const bool parsed = format == Format::kJson ? document.parseJson(text, name, errors_)  //
                                              : document.parseYaml(text, name, errors_);
  if (!parsed) return false;
  return MessageReader(name, text.size() + kSpareSteps, errors_, &positions_).read(document.root(), message);
}

bool Loader::mergeYaml(std::string_view text, google::protobuf::Message& message) {
  return loadText(text, Format::kYaml, "--config-yaml", message);
}

bool Loader::loadBinary(std::string_view bytes, const std::string& name, google::protobuf::Message& message) {
  const google::protobuf::LogSilencer silencer;  // what it would say on stderr is said below
  if (!message.MergeFromString(std::string(bytes))) {
    errors_.add({name, 0, 0, "", "",
                 absl::StrCat("is not a binary ", message.GetDescriptor()->full_name(), "; check the file's suffix")});
    return false;
  }
  positions_.record("", name, 0, 0);
  return checkUnknownFields(message, UnknownFieldPolicy::kRefuseAll, Context(errors_, &positions_)).refused == 0;
}

}  // namespace sluice::config
