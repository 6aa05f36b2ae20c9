#include "source/control_plane/intent_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "source/base/text.h"
#include "source/control_plane/content_hash.h"

namespace sluice::control_plane {
namespace {

constexpr std::string_view kLog = "intent";
constexpr size_t kMaxFileBytes = size_t{64} << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

absl::Status systemError(const std::string& what) {
  return absl::InternalError(base::strCat(what, ": ", strerror(errno)));
}

bool hasIntentSuffix(std::string_view name) {
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

absl::StatusOr<std::vector<std::string>> namesIn(int directory, const std::string& path) {
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy < 0 ? nullptr : fdopendir(copy);
  if (stream == nullptr) return systemError(base::strCat("cannot list ", path));
  std::vector<std::string> names;
  while (const dirent* entry = readdir(stream)) names.emplace_back(entry->d_name);
  closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status readAll(int fd, const std::string& path, std::string& text) {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return systemError(base::strCat("cannot read ", path));
    if (size == 0) return absl::OkStatus();
    text.append(buffer.data(), static_cast<size_t>(size));
    if (text.size() > kMaxFileBytes) return absl::ResourceExhaustedError(base::strCat(path, " is over 64 MiB"));
  }
}

// Which version of a Kubernetes volume the names lead to; empty for an ordinary directory.
std::string volumeVersion(int directory) {
  std::array<char, 4096> target;
  const ssize_t size = readlinkat(directory, "..data", target.data(), target.size());
  return size < 0 ? std::string() : std::string(target.data(), static_cast<size_t>(size));
}

absl::Status writeAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t size = write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return systemError(base::strCat("cannot write ", path));
    text.remove_prefix(static_cast<size_t>(size));
  }
  return fsync(fd) == 0 ? absl::OkStatus() : systemError(base::strCat("cannot sync ", path));
}

// A file of our own making: what somebody else put at the name, a link to elsewhere above all, is not written to. Those
// that a crash left behind are in nobody's way, as each has a name of its own.
int openTemporary(int folder, const std::string& name, std::string& temporary) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    temporary = base::strCat(".", name, ".", getpid(), "-", attempt, ".tmp");
    const int fd = openat(folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

absl::Status writeInOneStep(const std::string& directory, const std::string& name, std::string_view text) {
  const Descriptor folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return systemError(base::strCat("cannot open ", directory));
  std::string temporary;
  const Descriptor file(openTemporary(folder.get(), name, temporary));
  const std::string path = base::strCat(directory, "/", temporary);
  if (!file) return systemError(base::strCat("cannot make ", path));
  absl::Status status = writeAll(file.get(), text, path);
  if (status.ok() && renameat(folder.get(), temporary.c_str(), folder.get(), name.c_str()) != 0) {
    status = systemError(base::strCat("cannot rename to ", directory, "/", name));
  }
  if (!status.ok()) {
    unlinkat(folder.get(), temporary.c_str(), 0);
    return status;
  }
  if (fsync(folder.get()) != 0) return systemError(base::strCat("cannot sync ", directory));
  return absl::OkStatus();
}

}  // namespace

bool isIntentFileName(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
  return plain && !name.starts_with('.') && name.size() <= 200 && hasIntentSuffix(name);
}

IntentStore::IntentStore(std::string directory, const ResourceValidator& validator, observability::Logger& logger)
    : directory_(std::move(directory)), validator_(validator), logger_(logger) {}

void IntentStore::note(const std::string& name, std::string_view why) {
  ignored_.push_back({base::strCat(directory_, "/", name), 0, 0, "", "", base::strCat("is ignored: ", why)});
}

absl::StatusOr<FileTexts> IntentStore::readDirectory() {
  absl::StatusOr<FileTexts> texts = readOnce();
  // A file can vanish and a volume can be swapped between two reads: then the next look sees one state.
  for (int i = 0; i < 5 && !texts.ok() && absl::IsAborted(texts.status()); ++i) texts = readOnce();
  return texts;
}

absl::StatusOr<FileTexts> IntentStore::readOnce() {
  const Descriptor directory(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return systemError(base::strCat("cannot open ", directory_));
  const std::string volume = volumeVersion(directory.get());
  absl::StatusOr<std::vector<std::string>> names = namesIn(directory.get(), directory_);
  if (!names.ok()) return names.status();
  FileTexts texts;
  ignored_.clear();
  for (const std::string& name : *names) {
    if (name.starts_with('.')) continue;
    const std::string path = base::strCat(directory_, "/", name);
    struct stat info;
    if (fstatat(directory.get(), name.c_str(), &info, 0) != 0) {
      return absl::AbortedError(base::strCat("cannot open ", path, ": ", strerror(errno)));
    }
    if (!S_ISREG(info.st_mode)) {
      note(name, S_ISDIR(info.st_mode) ? "folders are not looked into" : "it is no file");
      continue;
    }
    if (!hasIntentSuffix(name)) {
      note(name, "its name does not end in .yaml, .yml or .json");
      continue;
    }
    const Descriptor file(openat(directory.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file && errno == ENOENT) return absl::AbortedError(base::strCat(path, " went away"));
    if (!file) return systemError(base::strCat("cannot open ", path));
    if (absl::Status status = readAll(file.get(), path, texts[name]); !status.ok()) return status;
  }
  if (volumeVersion(directory.get()) != volume) return absl::AbortedError(base::strCat(directory_, " was swapped"));
  return texts;
}

std::unique_ptr<Intent> IntentStore::compile(const FileTexts& texts, config::ErrorList& errors) {
  Parsed parsed;
  std::vector<IntentFilePtr> files;
  for (const auto& [name, text] : texts) {
    const uint64_t hash = contentHash(text);
    const auto known = parsed_.find(name);
    ParsedFile file{hash, nullptr, {}};
    if (known != parsed_.end() && known->second.hash == hash) {
      file = known->second;
      for (const config::ConfigError& warning : file.warnings) errors.warn(warning);
    } else {
      const size_t before = errors.warnings().size();
      file.file = readIntentFile(base::strCat(directory_, "/", name), text, validator_, errors);
      file.warnings.assign(errors.warnings().begin() + static_cast<ptrdiff_t>(before), errors.warnings().end());
    }
    if (file.file == nullptr) continue;
    files.push_back(file.file);
    parsed.emplace(name, std::move(file));
  }
  parsed_ = std::move(parsed);
  return errors.empty() ? Intent::make(std::move(files), errors) : nullptr;
}

bool IntentStore::reload() {
  config::ErrorList errors;
  std::unique_ptr<Intent> intent;
  const absl::StatusOr<FileTexts> texts = readDirectory();
  if (texts.ok()) {
    intent = compile(*texts, errors);
  } else {
    errors.add({"", 0, 0, "", "", std::string(texts.status().message())});
  }
  for (const config::ConfigError& ignored : ignored_) errors.warn(ignored);
  std::set<std::string> told;
  for (const config::ConfigError& warning : errors.warnings()) {
    std::string text = warning.toString();
    if (!told_.contains(text)) logger_.warning(kLog, text);
    told.insert(std::move(text));
  }
  told_ = std::move(told);
  last_errors_ = errors;
  if (intent == nullptr) {
    for (const config::ConfigError& error : errors.errors()) logger_.error(kLog, error.toString());
    logger_.error(kLog, directory_, " is refused with ", errors.total(), errors.total() == 1 ? " error; " : " errors; ",
                  intent_ == nullptr ? std::string("nothing is served")
                                     : base::strCat("version ", intent_->version(), " goes on being served"));
    return false;
  }
  const bool changed = intent_ == nullptr || intent_->version() != intent->version();
  intent_ = std::move(intent);
  if (!changed) return true;
  ++generation_;
  logger_.info(kLog, directory_, " is version ", intent_->version(), " (generation ", generation_,
               "): ", intent_->resourceCount(), " resources in ", intent_->files().size(), " files");
  return true;
}

absl::StatusOr<std::string> IntentStore::apply(const std::string& name, std::string_view text) {
  if (!isIntentFileName(name)) {
    return absl::InvalidArgumentError(
        base::strCat("'", name,
                     "' is no name for a file of intent: letters, digits, '.', '_' and '-', ending in .yaml, "
                     ".yml or .json, not hidden"));
  }
  absl::StatusOr<FileTexts> texts = readDirectory();
  if (!texts.ok()) return texts.status();
  (*texts)[name] = std::string(text);
  config::ErrorList errors;
  const std::unique_ptr<Intent> candidate = compile(*texts, errors);
  if (candidate == nullptr) return errors.status();
  if (absl::Status status = writeInOneStep(directory_, name, text); !status.ok()) return status;
  reload();
  return candidate->version();
}

absl::StatusOr<SnapshotPtr> IntentStore::snapshotFor(const Node& node) {
  if (intent_ == nullptr) {
    return absl::UnavailableError(base::strCat(directory_, " was never good; see its errors in the log"));
  }
  return intent_->snapshotFor(node);
}

}  // namespace sluice::control_plane
