#include "source/extensions/filters/http/oauth2_server/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "source/base/text.h"
#include "source/extensions/filters/http/oauth2_server/change_codec.h"
#include "source/filter/credentials/key_table.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

constexpr std::string_view kTitle = "sluice oauth2_server 1\n";
constexpr std::string_view kMark = "\xF0o2\n";
constexpr size_t kLength = 4, kCheck = 16;
constexpr size_t kHead = kMark.size() + kLength + kCheck;
constexpr size_t kFullFrame = 1 << 20;  // of a file that is written anew

std::string lengthOf(size_t size) {
  std::string out;
  for (size_t i = 0; i < kLength; ++i) out += static_cast<char>(size >> (8 * i));
  return out;
}

std::string checkOf(std::string_view length, std::string_view payload) {
  const Digest digest = filter::digestOf(base::strCat(length, payload));
  return {reinterpret_cast<const char*>(digest.data()), kCheck};
}

std::string frameOf(std::string_view payload) {
  const std::string length = lengthOf(payload.size());
  return base::strCat(kMark, length, checkOf(length, payload), payload);
}

// What is in the frame at the beginning of `bytes`; nullopt: there is no whole one.
std::optional<std::string_view> payloadAt(std::string_view bytes) {
  if (bytes.size() < kHead || !bytes.starts_with(kMark)) return std::nullopt;
  const std::string_view length = bytes.substr(kMark.size(), kLength);
  size_t size = 0;
  for (size_t i = 0; i < kLength; ++i) size |= size_t{static_cast<uint8_t>(length[i])} << (8 * i);
  if (size > bytes.size() - kHead) return std::nullopt;
  const std::string_view payload = bytes.substr(kHead, size);
  if (checkOf(length, payload) != bytes.substr(kMark.size() + kLength, kCheck)) return std::nullopt;
  return payload;
}

// Whether a whole frame stands anywhere in `bytes`.
bool hasFrame(std::string_view bytes) {
  for (size_t at = bytes.find(kMark); at != std::string_view::npos; at = bytes.find(kMark, at + 1)) {
    if (payloadAt(bytes.substr(at))) return true;
  }
  return false;
}

bool writeAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::string_view folderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

absl::StatusOr<ReadJournal> readJournal(std::string_view bytes, const crypto::Sealer* sealer) {
  ReadJournal out;
  // Not even the title is whole: nothing was ever kept here.
  if (kTitle.starts_with(bytes)) return out;
  if (!bytes.starts_with(kTitle)) {
    return absl::DataLossError("is no store of oauth2_server; name another path, or move the file away");
  }
  out.size = kTitle.size();
  while (out.size < bytes.size()) {
    const auto payload = payloadAt(bytes.substr(out.size));
    if (!payload && !hasFrame(bytes.substr(out.size + 1))) break;  // torn
    const auto corrupt = [&](std::string_view why) {
      return absl::DataLossError(base::strCat("byte ", out.size, ": ", why));
    };
    if (!payload) {
      return corrupt(
          "is damaged, and what follows is not; nothing of it is used: bring a copy back, or move it away, "
          "which ends all logins and keys");
    }
    ReadChanges read = readChanges(*payload, sealer);
    switch (read.failure) {
      case ReadFailure::kNone:
        break;
      case ReadFailure::kMalformed:
        return corrupt("is not what this version writes");
      case ReadFailure::kSealed:
        return corrupt("private keys are sealed; name the file with the key by key_file");
      case ReadFailure::kWrongKey:
        return corrupt("a private key was sealed by another key than that of key_file");
    }
    out.unsealed |= read.unsealed;
    for (Change& change : read.changes) out.state.apply(std::move(change));
    out.size += kHead + payload->size();
  }
  return out;
}

std::string writeJournal(const State& state, const crypto::Sealer* sealer) {
  std::string out(kTitle), payload;
  for (const Change& change : state.changes()) {
    appendChange(change, sealer, payload);
    if (payload.size() < kFullFrame) continue;
    out += frameOf(payload);
    payload.clear();
  }
  if (!payload.empty()) out += frameOf(payload);
  return out;
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::open(Options options, WallTime now) {
  std::unique_ptr<Journal> out(new Journal(std::move(options)));
  if (absl::Status status = out->lock(); !status.ok()) return status;
  if (absl::Status status = out->load(); !status.ok()) return status;
  if (out->options_.sealer && out->unsealed_) {
    if (absl::Status status = out->rewrite(now); !status.ok()) return status;
  }
  return out;
}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
  if (lock_ >= 0) ::close(lock_);
}

absl::Status Journal::error(std::string_view what) const {
  return absl::UnavailableError(base::strCat(options_.path, ": ", what, ": ", std::strerror(errno)));
}

absl::Status Journal::lock() {
  const std::string path = options_.path + ".lock";
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ < 0) return error("its lock file, with .lock behind the name, cannot be made");
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno != EWOULDBLOCK) return error("cannot be locked");
  return absl::FailedPreconditionError(
      base::strCat(options_.path, ": another process has it; give each process a store of its own"));
}

absl::StatusOr<std::string> Journal::content() const {
  struct stat about {};
  if (::fstat(file_, &about) != 0) return error("cannot be read");
  if (!S_ISREG(about.st_mode)) {
    return absl::FailedPreconditionError(base::strCat(options_.path, ": is no regular file; name one"));
  }
  if ((about.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        base::strCat(options_.path, ": may be read or written by others; take their rights away (chmod 600)"));
  }
  if (static_cast<size_t>(about.st_size) > options_.largest) {
    return absl::FailedPreconditionError(base::strCat(options_.path, ": is larger than a store gets"));
  }
  std::string out(static_cast<size_t>(about.st_size), '\0');
  size_t at = 0;
  while (at < out.size()) {
    const ssize_t got = ::pread(file_, out.data() + at, out.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error("cannot be read");
    if (got == 0) break;
    at += static_cast<size_t>(got);
  }
  out.resize(at);
  return out;
}

absl::Status Journal::load() {
  broken_ = true;
  if (file_ >= 0) ::close(file_);
  ::unlink((options_.path + ".new").c_str());  // of a crash before the rename
  // One that was there may be on a disk that is not.
  const int make = size_ == 0 ? O_CREAT : 0;
  file_ = ::open(options_.path.c_str(), O_RDWR | make | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file_ < 0) return error("cannot be opened");
  const auto bytes = content();
  if (!bytes.ok()) return bytes.status();
  const std::string_view told = size_ == 0 ? *bytes : std::string_view(*bytes).substr(0, size_);
  auto read = readJournal(told, options_.sealer ? &*options_.sealer : nullptr);
  if (!read.ok()) {
    return absl::Status(read.status().code(), absl::StrCat(options_.path, ": ", read.status().message()));
  }
  if (read->size < size_) {
    return absl::DataLossError(base::strCat(options_.path, ": of ", size_, " bytes that were written only ", read->size,
                                            " are there and whole; nothing of it is used: bring a copy back"));
  }
  if (bytes->size() > read->size) {
    note_ = base::strCat(options_.path, ": ", bytes->size() - read->size, " bytes behind byte ", read->size,
                         " are what is left of an append that was not completed; they were cut");
    if (::ftruncate(file_, static_cast<off_t>(read->size)) != 0) return error("cannot be cut");
  }
  size_ = read->size;
  if (size_ == 0) {
    if (!writeAll(file_, kTitle)) return error("cannot be written");
    size_ = kTitle.size();
  }
  if (::fdatasync(file_) != 0) return error("cannot be synced");
  if (absl::Status status = syncFolder(); !status.ok()) return status;
  compacted_size_ = 0;  // not known: the first chance is taken
  unsealed_ = read->unsealed;
  state_ = std::move(read->state);
  broken_ = false;
  return absl::OkStatus();
}

absl::Status Journal::reopen() {
  return load();
}

absl::Status Journal::append(const std::vector<Change>& changes) {
  if (broken_) return absl::UnavailableError(base::strCat(options_.path, ": has to be read again first"));
  std::string payload;
  for (const Change& change : changes) appendChange(change, options_.sealer ? &*options_.sealer : nullptr, payload);
  const std::string frame = frameOf(payload);
  if (size_ + frame.size() > options_.largest) {
    broken_ = true;
    return absl::ResourceExhaustedError(base::strCat(options_.path, ": would grow beyond what a store may have"));
  }
  if (!writeAll(file_, frame) || ::fdatasync(file_) != 0) {
    broken_ = true;
    return error("cannot be written");
  }
  size_ += frame.size();
  return absl::OkStatus();
}

bool Journal::wantsCompaction() const {
  const size_t most = std::max(options_.largest, compacted_size_);
  const size_t grown = std::min(3 * compacted_size_, (most - compacted_size_) / 2);
  return size_ >= options_.smallest && size_ - compacted_size_ >= grown;
}

absl::Status Journal::compact(WallTime now) {
  if (broken_ || !wantsCompaction()) return absl::OkStatus();
  absl::Status status = rewrite(now);
  if (!status.ok()) compacted_size_ = size_;  // not at each append
  return status;
}

absl::Status Journal::rewrite(WallTime now) {
  const auto bytes = content();
  if (!bytes.ok()) return bytes.status();
  const crypto::Sealer* const sealer = options_.sealer ? &*options_.sealer : nullptr;
  auto read = readJournal(*bytes, sealer);
  if (!read.ok()) return read.status();
  read->state.expire(now);
  const std::string fresh = writeJournal(read->state, sealer);

  const std::string path = options_.path + ".new";
  ::unlink(path.c_str());
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return error("cannot be written anew");
  if (!writeAll(file, fresh) || ::fdatasync(file) != 0 || ::rename(path.c_str(), options_.path.c_str()) != 0) {
    absl::Status status = error("cannot be written anew");
    ::close(file);
    ::unlink(path.c_str());
    return status;
  }
  ::close(std::exchange(file_, file));
  size_ = compacted_size_ = fresh.size();
  unsealed_ = false;
  absl::Status status = syncFolder();
  // Until the folder has it the old file may come back: nothing may be appended that would be lost with this one.
  if (!status.ok()) broken_ = true;
  return status;
}

absl::Status Journal::syncFolder() const {
  const std::string folder(folderOf(options_.path));
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return error("its folder cannot be opened");
  const bool good = ::fsync(file) == 0;
  absl::Status status = good ? absl::OkStatus() : error("its folder cannot be synced");
  ::close(file);
  return status;
}

}  // namespace sluice::extensions::http_filters::oauth2_server
