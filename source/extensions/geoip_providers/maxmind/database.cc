#include "source/extensions/geoip_providers/maxmind/database.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "source/base/text.h"
#include "source/net/socket.h"

namespace sluice::extensions::geoip_providers::maxmind {
namespace {

absl::Status failure(const std::string& path, std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(base::strCat(path, " ", what, ": ", why));
}

// A file without a name that has what `path` has now.
absl::StatusOr<net::Fd> copyOf(const std::string& path) {
  const net::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file.valid() || ::fstat(file.get(), &info) != 0) return failure(path, "cannot be opened", std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return failure(path, "cannot be read", "is no regular file");
  net::Fd copy(::memfd_create("mmdb", MFD_CLOEXEC));
  ssize_t copied = copy.valid() ? 1 : -1;
  while (copied > 0) copied = ::sendfile(copy.get(), file.get(), nullptr, size_t{1} << 30);
  if (copied < 0) return failure(path, "cannot be read", std::strerror(errno));
  return copy;
}

// The library multiplies these in 32 bits.
bool treeFits(const MMDB_s& mmdb) {
  return uint64_t{mmdb.metadata.node_count} * mmdb.full_record_byte_size <= static_cast<uint64_t>(mmdb.file_size);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Database>> Database::read(const std::string& path) {
  const auto copy = copyOf(path);
  if (!copy.ok()) return copy.status();
  MMDB_s mmdb;
  const std::string name = base::strCat("/proc/self/fd/", copy->get());  // the library takes names only
  const int error = MMDB_open(name.c_str(), MMDB_MODE_MMAP, &mmdb);
  if (error != MMDB_SUCCESS) return failure(path, "is no MaxMind database", MMDB_strerror(error));
  std::shared_ptr<const Database> database(new Database(mmdb));
  if (!treeFits(mmdb)) return failure(path, "is no MaxMind database", "its search tree is longer than the file");
  return database;
}

Database::Record Database::find(const net::Address& address) const {
  int error = MMDB_SUCCESS;
  const MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&mmdb_, address.sockaddrPointer(), &error);
  if (error != MMDB_SUCCESS) return {.failed = true};
  return {.entry = found.found_entry ? std::optional(found.entry) : std::nullopt};
}

std::string Database::valueOf(MMDB_entry_s entry, Path path) {
  MMDB_entry_data_s value;
  if (MMDB_aget_value(&entry, &value, path) != MMDB_SUCCESS || !value.has_data) return {};
  switch (value.type) {
    case MMDB_DATA_TYPE_UTF8_STRING:
      return {value.utf8_string, value.data_size};
    case MMDB_DATA_TYPE_UINT32:
      return value.uint32 == 0 ? std::string() : std::to_string(value.uint32);
    case MMDB_DATA_TYPE_BOOLEAN:
      return value.boolean ? "true" : "false";
    default:
      return {};
  }
}

}  // namespace sluice::extensions::geoip_providers::maxmind
