#include "source/server/config_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "sluice/store/v1/stored_config.pb.h"
#include "source/base/text.h"
#include "source/net/socket.h"

namespace sluice::server {
namespace {

// In front of what is sealed, which is about it: the form may change, never be mistaken.
constexpr std::string_view kForm = "sluice accepted configuration 1\n";
constexpr size_t kMaxSize = size_t{1} << 30;

absl::Status failed(std::string_view what, const std::string& path) {
  const std::string why = std::strerror(errno);
  if (errno == ENOENT) return absl::NotFoundError(absl::StrCat("cannot ", std::string(what), " ", path, ": ", why));
  return absl::UnavailableError(absl::StrCat("cannot ", std::string(what), " ", path, ": ", why));
}

absl::StatusOr<std::string> readWhole(const std::string& path, struct stat& status) {
  const net::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0 || fstat(file.get(), &status) != 0) return failed("read", path);
  if (!S_ISREG(status.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, " is no file"));
  if (static_cast<size_t>(status.st_size) > kMaxSize)
    return absl::DataLossError(absl::StrCat(path, " is larger than 1 GiB"));
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", path);
    if (n == 0) return absl::DataLossError(absl::StrCat(path, " became shorter while it was read"));
    done += static_cast<size_t>(n);
  }
  return bytes;
}

// Mode 0600.
absl::Status writeWhole(const std::string& path, std::string_view bytes) {
  const net::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0 || fchmod(file.get(), 0600) != 0) return failed("write", path);
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed("write", path);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  if (fsync(file.get()) != 0) return failed("write", path);
  return absl::OkStatus();
}

// Of a folder, while this lives, against other processes: one may be going while the next starts.
absl::StatusOr<net::Fd> lock(const std::string& folder) {
  net::Fd out(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (out.get() < 0) return failed("open the folder", folder);
  while (flock(out.get(), LOCK_EX) != 0 && errno == EINTR) {
  }  // a file system may have no locks
  return out;
}

// All of it or, after a power cut too, what was there before. The folder, which stands before the last '/', is locked.
absl::Status replaceWhole(const net::Fd& folder, const std::string& path, std::string_view bytes) {
  const std::string next = path + ".new";
  if (absl::Status written = writeWhole(next, bytes); !written.ok()) return written;
  if (rename(next.c_str(), path.c_str()) != 0) return failed("write", path);
  fsync(folder.get());
  return absl::OkStatus();
}

absl::StatusOr<crypto::Sealer> readKey(const std::string& path) {
  struct stat status {};
  const absl::StatusOr<std::string> text = readWhole(path, status);
  if (!text.ok()) return text.status();
  if ((status.st_mode & S_IROTH) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("everybody may read the key ", path, "; take that away: chmod o-rwx ", path));
  }
  const std::optional<crypto::Sealer> sealer = crypto::Sealer::parse(*text);
  if (!sealer) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is no key of 32 bytes or 64 hexadecimal digits; make one: head -c 32 /dev/urandom > FILE"));
  }
  return *sealer;
}

}  // namespace

absl::StatusOr<ConfigStore> ConfigStore::open(const std::string& folder, const std::string& key_path) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the folder", folder);
  const absl::StatusOr<net::Fd> locked = lock(folder);
  if (!locked.ok()) return locked.status();
  const std::string path = key_path.empty() ? folder + "/key" : key_path;
  absl::StatusOr<crypto::Sealer> sealer = readKey(path);
  if (absl::IsNotFound(sealer.status()) && key_path.empty()) {
    const crypto::Sealer::Key key = crypto::Sealer::randomKey();
    const std::string_view bytes(reinterpret_cast<const char*>(key.data()), key.size());
    if (absl::Status made = replaceWhole(*locked, path, bytes); !made.ok()) return made;
    sealer = crypto::Sealer(key);
  }
  if (!sealer.ok()) return sealer.status();
  return ConfigStore(folder, *sealer);
}

absl::StatusOr<ConfigStore::Contents> ConfigStore::read() const {
  struct stat status {};
  const absl::StatusOr<std::string> bytes = readWhole(path_, status);
  if (!bytes.ok()) return bytes.status();
  const auto broken = [this](const char* why) { return absl::DataLossError(absl::StrCat(path_, ": ", why)); };
  if (!bytes->starts_with(kForm)) return broken("it is not what this program writes");
  const auto opened = sealer_.open(std::string_view(*bytes).substr(kForm.size()), kForm);
  if (!opened) return broken("it is damaged, or was sealed with another key");
  sluice::store::v1::StoredConfig proto;
  if (!proto.ParseFromString(*opened)) return broken("it holds no configuration");
  Contents out;
  out.saved = std::chrono::system_clock::time_point(
      std::chrono::milliseconds(google::protobuf::util::TimeUtil::TimestampToMilliseconds(proto.saved())));
  for (const sluice::store::v1::StoredType& type : proto.types()) {
    Type& read = out.types.emplace_back(Type{type.type_url(), type.source(), {}});
    for (const sluice::store::v1::StoredResource& resource : type.resources()) {
      auto body = std::make_shared<const google::protobuf::Any>(resource.body());
      read.resources.push_back({resource.name(), resource.version(), std::move(body)});
    }
  }
  return out;
}

absl::Status ConfigStore::write(const Contents& contents) const {
  sluice::store::v1::StoredConfig proto;
  *proto.mutable_saved() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::milliseconds>(contents.saved.time_since_epoch()).count());
  for (const Type& type : contents.types) {
    sluice::store::v1::StoredType& written = *proto.add_types();
    written.set_type_url(type.url);
    written.set_source(type.source);
    for (const auto& resource : type.resources) {
      sluice::store::v1::StoredResource& one = *written.add_resources();
      one.set_name(resource.name);
      one.set_version(resource.version);
      *one.mutable_body() = *resource.body;
    }
  }
  std::string plain;
  if (!proto.SerializeToString(&plain)) return absl::InternalError("the configuration is too large to be stored");
  const std::string sealed = base::strCat(kForm, sealer_.seal(plain, kForm));
  if (sealed.size() > kMaxSize) return absl::InternalError("the configuration is too large to be stored: over 1 GiB");
  const absl::StatusOr<net::Fd> locked = lock(path_.substr(0, path_.rfind('/')));
  return locked.ok() ? replaceWhole(*locked, path_, sealed) : locked.status();
}

}  // namespace sluice::server
